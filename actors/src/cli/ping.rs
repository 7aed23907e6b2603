//! `pyroxene ping`: whether an object can be reached, and how fast.

use std::time::Instant;

use pyroxene::DynProxy;
use pyroxene::daemon::introspection::Ping as Ask;
use serde_json::json;

use crate::cli::app::App;
use crate::cli::describe;
use crate::cli::failure::Failure;

/// Prints the time of one round trip.
#[derive(Debug, clap::Args)]
pub(super) struct Ping {
    /// The object: PYRO://…, PYRONAME://… or PYROLOC://…
    uri: String,
}

impl Ping {
    pub(super) async fn run(&self, app: &App) -> Result<(), Failure> {
        let uri = app.uri(&self.uri)?;
        let found = app.find(&uri).await?;
        // Its daemon may be there without it.
        DynProxy::connect_with(&app.client, uri.clone()).await?;
        let daemon = describe::daemon(app, &found).await?;
        let start = Instant::now();
        daemon.send(Ask).await?;
        let ms = start.elapsed().as_micros() as f64 / 1000.0;
        if app.screen.is_json() {
            app.screen.json(&json!({ "uri": uri.to_string(), "daemon": found.daemon, "ms": ms }));
        } else {
            app.screen.line(&format!("{uri} answers from {} in {ms:.3} ms", found.daemon));
        }
        Ok(())
    }
}
