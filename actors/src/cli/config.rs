//! `pyroxene config`: the configuration, and where each value comes from.

use pyroxene::config::{Config, Setting};

use crate::cli::app::App;
use crate::cli::failure::Failure;

/// Options count more than the environment (PYROXENE_…), that more than pyroxene.toml, and that more than defaults.
#[derive(Debug, clap::Args)]
pub(super) struct Show {}

impl Show {
    pub(super) fn run(&self, app: &App) -> Result<(), Failure> {
        let mut settings = Config::explain()?;
        let effective = serde_json::to_value(&app.config).map_err(|problem| Failure::new(problem.to_string()))?;
        for Setting { name, value, source } in &mut settings {
            if let Some((_, option)) = app.given.iter().find(|(given, _)| given == name) {
                *value = effective[name.as_str()].clone();
                (*option).clone_into(source);
            }
        }
        if app.screen.is_json() {
            app.screen.json(&settings);
        } else {
            let rows: Vec<_> = settings.iter().map(|s| [s.name.clone(), plain(&s.value), s.source.clone()]).collect();
            app.screen.table(["setting", "value", "from"], &rows);
        }
        Ok(())
    }
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "-".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
