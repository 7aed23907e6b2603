//! `pyroxene nsc`: what a name server can be asked and told.

use pyroxene::client::client::{Client, ClientConfig};
use pyroxene::naming::name_server::{EntryKind, ListEntry};
use pyroxene::{NameServer, Uri};
use serde_json::{Value, json};

use crate::cli::app::App;
use crate::cli::failure::Failure;
use crate::cli::identity;

/// Names are absolute (`:bank.alice`) or start in the default group.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Nsc {
    /// List all names, or what is right in one group
    List {
        /// Such as :bank
        group: Option<String>,
    },
    /// List the names in a group and in all groups below it
    Tree {
        /// Such as :bank
        group: Option<String>,
    },
    /// Say where the object with a name is
    Lookup {
        /// Such as bank.alice
        name: String,
    },
    /// Give an object a name
    Register {
        /// Such as bank.alice
        name: String,
        /// The object
        uri: String,
        /// In place of what you registered under this name before
        #[arg(long)]
        replace: bool,
        /// Tags it can be found by
        #[arg(long, value_name = "TAG", num_args = 1..)]
        meta: Vec<String>,
        /// Forget the name after so many seconds
        #[arg(long, value_name = "SECONDS")]
        lease_secs: Option<u32>,
    },
    /// Take a name away that you registered
    Remove {
        /// Such as bank.alice
        name: String,
    },
    /// Make a group that stays when it is empty
    Mkgroup {
        /// Such as :bank
        group: String,
    },
    /// Delete a group
    Rmgroup {
        /// Such as :bank
        group: String,
        /// With everything in it
        #[arg(long)]
        recursive: bool,
    },
    /// Replace the tags of a name that you registered
    Setmeta {
        /// Such as bank.alice
        name: String,
        /// The tags; none takes all away
        tags: Vec<String>,
    },
    /// List the names that carry tags
    Find {
        /// All of these
        #[arg(required = true)]
        tags: Vec<String>,
        /// Any of them will do
        #[arg(long)]
        any: bool,
    },
    /// Say whether the name server answers
    Ping,
}

impl Nsc {
    pub(super) async fn run(&self, app: &App) -> Result<(), Failure> {
        let server = app.name_server(&self.client(app)).await?;
        match self {
            Nsc::List { group: None } => {
                let mut entries = server.tree(":").await?;
                entries.extend(server.list(":").await?);
                entries.sort_by(|one, other| one.name.cmp(&other.name));
                entries.dedup_by(|one, other| one.name == other.name);
                print(app, &entries);
            }
            Nsc::List { group: Some(group) } => print(app, &server.list(app.name(group)?.as_str()).await?),
            Nsc::Tree { group } => {
                print(app, &server.tree(app.name(group.as_deref().unwrap_or(":"))?.as_str()).await?);
            }
            Nsc::Find { tags, any: false } => print(app, &server.find_all(tags).await?),
            Nsc::Find { tags, any: true } => print(app, &server.find_any(tags).await?),
            Nsc::Lookup { name } => lookup(app, &server, name).await?,
            Nsc::Ping => {
                server.ping().await?;
                let uri = server.uri();
                say(app, &format!("{uri} answers"), &json!({ "uri": uri }));
            }
            change => change.change(app, &server).await?,
        }
        Ok(())
    }

    async fn change(&self, app: &App, server: &NameServer) -> Result<(), Failure> {
        match self {
            Nsc::Register { name, uri, replace, meta, lease_secs } => {
                let (name, uri): (_, Uri) = (app.name(name)?, app.uri(uri)?);
                let mut registering = server.register(name.as_str(), &uri).replace(*replace).metadata(meta);
                if let Some(secs) = lease_secs {
                    registering = registering.lease_secs(*secs);
                }
                let generation = registering.await?.generation;
                let answer = json!({ "name": name, "uri": uri, "generation": generation });
                say(app, &format!("registered {name} as {uri}"), &answer);
            }
            Nsc::Remove { name } => {
                let name = app.name(name)?;
                server.unregister(name.as_str()).await?;
                say(app, &format!("removed {name}"), &json!({ "name": name }));
            }
            Nsc::Mkgroup { group } => {
                let group = app.name(group)?;
                server.create_group(group.as_str()).await?;
                say(app, &format!("made the group {group}"), &json!({ "group": group }));
            }
            Nsc::Rmgroup { group, recursive } => {
                let group = app.name(group)?;
                let removed = server.delete_group(group.as_str(), *recursive).await?;
                let text = format!("deleted the group {group} with {removed} names");
                say(app, &text, &json!({ "group": group, "removed": removed }));
            }
            Nsc::Setmeta { name, tags } => {
                let name = app.name(name)?;
                server.set_metadata(name.as_str(), tags).await?;
                say(app, &format!("{name} has the tags {tags:?}"), &json!({ "name": name, "metadata": tags }));
            }
            _ => {}
        }
        Ok(())
    }

    /// Who changes something is the same from one run to the next.
    fn client(&self, app: &App) -> Client {
        let changes = matches!(
            self,
            Nsc::Register { .. } | Nsc::Remove { .. } | Nsc::Mkgroup { .. } | Nsc::Rmgroup { .. } | Nsc::Setmeta { .. }
        );
        if !changes {
            return app.client.clone();
        }
        let seed = identity::of_user();
        if seed.is_none() {
            slog::warn!(app.log, "no identity can be kept: what is registered now belongs to this run alone");
        }
        Client::new(ClientConfig { seed, ..app.config.client() }, std::sync::Arc::new(app.config.resolver()))
    }
}

async fn lookup(app: &App, server: &NameServer, name: &str) -> Result<(), Failure> {
    let name = app.name(name)?;
    let found = server.lookup(name.as_str()).await?;
    let answer = json!({ "name": name, "uri": found.uri, "generation": found.generation, "metadata": found.metadata });
    say(app, &found.uri.to_string(), &answer);
    Ok(())
}

fn say(app: &App, text: &str, answer: &Value) {
    if app.screen.is_json() { app.screen.json(answer) } else { app.screen.line(text) }
}

fn print(app: &App, entries: &[ListEntry]) {
    if app.screen.is_json() {
        let answer = |ListEntry { name, kind }: &ListEntry| match kind {
            EntryKind::Group => json!({ "name": name, "kind": "group", "uri": null }),
            EntryKind::Object(uri) => json!({ "name": name, "kind": "object", "uri": uri }),
        };
        return app.screen.json(&entries.iter().map(answer).collect::<Vec<_>>());
    }
    let row = |ListEntry { name, kind }: &ListEntry| match kind {
        EntryKind::Group => [name.to_string(), "(group)".to_owned()],
        EntryKind::Object(uri) => [name.to_string(), uri.to_string()],
    };
    app.screen.table(["name", "object"], &entries.iter().map(row).collect::<Vec<_>>());
}
