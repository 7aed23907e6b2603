//! `pyroxene describe`: what an object is, and what can be called.

use std::collections::BTreeMap;

use pyroxene::Proxy;
use pyroxene::daemon::introspection::{DAEMON_ID, DaemonObject};
use pyroxene::object::description::{Describe as Ask, Description, InstanceDescription, MethodDescription};
use pyroxene::object::signature::{DIALECT, Schemas};
use pyroxene::uri::{ObjectId, Uri};
use serde::Serialize;

use crate::cli::app::{App, Found};
use crate::cli::failure::Failure;
use crate::cli::screen::{CODE, FAINT, STRONG, harmless, one_line};

/// Prints its type, state, attributes and methods.
#[derive(Debug, clap::Args)]
pub(super) struct Describe {
    /// The object: PYRO://…, PYRONAME://… or PYROLOC://…
    uri: String,
    /// Print what its methods take and reply, and its attributes, as JSON Schema
    #[arg(long)]
    schema: bool,
}

/// For machines.
#[derive(Serialize)]
struct Answer<'a> {
    uri: String,
    #[serde(flatten)]
    description: &'a Description,
}

/// What can be called, as JSON Schema.
#[derive(Serialize)]
struct Schema<'a> {
    #[serde(rename = "$schema")]
    dialect: &'a str,
    methods: BTreeMap<&'a str, Schemas>,
    attributes: BTreeMap<&'a str, serde_json::Value>,
}

impl Describe {
    pub(super) async fn run(&self, app: &App) -> Result<(), Failure> {
        let found = app.find(&app.uri(&self.uri)?).await?;
        let description = ask(app, &found).await?;
        let uri = match ObjectId::new(&description.id) {
            Ok(id) => Uri::object(found.daemon, id).to_string(),
            Err(_) => self.uri.clone(),
        };
        if self.schema {
            let Description { methods, attributes, .. } = &description;
            app.screen.json(&Schema {
                dialect: DIALECT,
                methods: methods.iter().map(|method| (&*method.name, method.schemas())).collect(),
                attributes: attributes.iter().map(|attribute| (&*attribute.name, attribute.schema())).collect(),
            });
        } else if app.screen.is_json() {
            app.screen.json(&Answer { uri, description: &description });
        } else {
            print(app, &uri, &description);
        }
        Ok(())
    }
}

/// Asks the object's daemon about it.
pub(super) async fn ask(app: &App, found: &Found) -> Result<Description, Failure> {
    let daemon = daemon(app, found).await?;
    let asked = daemon.send(Ask { object: found.object.clone() }).await;
    asked.map_err(|error| Failure::from(error).during(format_args!("asking the daemon at {}", found.daemon)))
}

/// What every daemon has to tell about itself.
pub(super) async fn daemon(app: &App, found: &Found) -> Result<Proxy<DaemonObject>, Failure> {
    let id = ObjectId::new(DAEMON_ID).map_err(|problem| Failure::new(problem.to_string()))?;
    Ok(Proxy::connect_with(&app.client, Uri::object(found.daemon.clone(), id)).await?)
}

fn print(app: &App, uri: &str, description: &Description) {
    let screen = &app.screen;
    let Description { name, kind, version, owner, state, generation, waiting, mailbox, .. } = description;
    let Description { methods, attributes, instances, .. } = description;
    let version = if version.is_empty() { String::new() } else { format!(" {}", one_line(version)) };
    let name = name.as_deref().map(|name| format!(" {}", one_line(name))).unwrap_or_default();
    let kind = screen.paint(STRONG, &one_line(kind));
    screen.line(&format!("{kind}{}{name}  {}", screen.paint(FAINT, &version), screen.paint(FAINT, uri)));
    let owner = owner.as_deref().map(|owner| format!(", belongs to {}", one_line(owner))).unwrap_or_default();
    let state = format!("{}, generation {generation}, {waiting} of {mailbox} calls waiting{owner}", one_line(state));
    screen.line(&screen.paint(FAINT, &state));
    for instance in instances {
        let InstanceDescription { id, state, generation, waiting } = instance;
        let state = format!("{}, generation {generation}, {waiting} calls waiting", one_line(state));
        screen.line(&format!("  {}  {}", one_line(id), screen.paint(FAINT, &state)));
    }
    if !attributes.is_empty() {
        screen.line("");
    }
    for attribute in attributes {
        let access = if attribute.writable { "read, write" } else { "read" };
        let text = format!("{}: {}", attribute.name, attribute.text);
        let doc = one_line(&attribute.doc);
        let dash = if doc.is_empty() { "" } else { "  " };
        screen.line(&format!(
            "  {}{}",
            screen.paint(CODE, &one_line(&text)),
            screen.paint(FAINT, &format!("  {access}{dash}{doc}"))
        ));
    }
    for method in methods {
        screen.line("");
        screen.line(&format!(
            "  {}{}",
            screen.paint(CODE, &one_line(&method.text)),
            screen.paint(FAINT, &flags(method))
        ));
        for line in harmless(&method.doc).lines() {
            screen.line(&format!("      {line}"));
        }
    }
}

fn flags(method: &MethodDescription) -> String {
    let mut flags = String::new();
    let named = [
        (method.oneway, "  oneway"),
        (method.stream, "  stream"),
        (method.idempotent, "  idempotent"),
        (method.cancellable, "  cancellable"),
        (method.reentrant, "  reentrant"),
    ];
    for (is, name) in named {
        flags.push_str(if is { name } else { "" });
    }
    flags
}
