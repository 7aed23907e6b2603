//! From a name in a URI to the object it means.

use crate::client::client::{Client, Resolver};
use crate::client::error::CallError;
use crate::naming::locate::{self, LocateConfig};
use crate::naming::name_server::EntryKind;
use crate::naming::server::{AskError, NameServer};
use crate::naming::{Name, NameError};
use crate::object::outcome::NotStarted;
use crate::transport::network::BoxFuture;
use crate::uri::{Endpoint, Uri};

/// Asks name servers.
#[derive(Clone, Debug)]
pub struct NameResolver {
    /// Where to look for the name server.
    pub locate: LocateConfig,
    /// The group that relative names start in.
    pub default_group: Name,
}

impl Default for NameResolver {
    fn default() -> Self {
        NameResolver { locate: LocateConfig::default(), default_group: Name::root() }
    }
}

impl Resolver for NameResolver {
    fn resolve<'a>(&'a self, client: &'a Client, uri: &'a Uri) -> BoxFuture<'a, Result<Uri, NotStarted>> {
        Box::pin(async move {
            match uri {
                Uri::Name(name) => {
                    let absolute = self.absolute(name.name.as_str()).map_err(|problem| unresolved(uri, &problem))?;
                    let server = self.server(client, name.server.as_ref(), uri).await?;
                    server.resolve(absolute.as_str()).await.map_err(|error| explain(uri, error))
                }
                Uri::Meta(_) => {
                    let first = self.members(client, uri).await?.into_iter().next();
                    let none = || unresolved(uri, &"no name carries all of these tags");
                    first.map(|(_, object)| object).ok_or_else(none)
                }
                Uri::Object(_) | Uri::Location(_) => Ok(uri.clone()),
            }
        })
    }

    fn members<'a>(
        &'a self,
        client: &'a Client,
        uri: &'a Uri,
    ) -> BoxFuture<'a, Result<Vec<(String, Uri)>, NotStarted>> {
        Box::pin(async move {
            let listed = match uri {
                Uri::Name(name) => {
                    let absolute = self.absolute(name.name.as_str()).map_err(|problem| unresolved(uri, &problem))?;
                    let server = self.server(client, name.server.as_ref(), uri).await?;
                    server.list(absolute.as_str()).await
                }
                Uri::Meta(meta) => {
                    let server = self.server(client, meta.server.as_ref(), uri).await?;
                    server.find_all(meta.tags()).await
                }
                Uri::Object(_) | Uri::Location(_) => {
                    let problem = format!("{uri} is one object, and no group; write it like PYRONAME://workers");
                    return Err(NotStarted::BadUri { problem });
                }
            };
            let members =
                listed.map_err(|error| explain(uri, error))?.into_iter().filter_map(|entry| match entry.kind {
                    EntryKind::Object(uri) => Some((entry.name.to_string(), uri)),
                    EntryKind::Group => None,
                });
            Ok(members.collect())
        })
    }

    fn name_server<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Uri, Vec<String>>> {
        Box::pin(async move {
            let found = locate::locate(client, &self.locate).await;
            found.map(|server| server.uri().clone()).map_err(|error| error.tried)
        })
    }
}

impl NameResolver {
    /// The name as it stands in the tree.
    ///
    /// # Errors
    /// It is not a name.
    pub fn absolute(&self, name: &str) -> Result<Name, NameError> {
        Name::absolute(name, &self.default_group)
    }

    async fn server(&self, client: &Client, said: Option<&Endpoint>, uri: &Uri) -> Result<NameServer, NotStarted> {
        match said {
            Some(endpoint) => NameServer::at(client, endpoint).map_err(|problem| unresolved(uri, &problem)),
            None => locate::locate(client, &self.locate).await.map_err(|problem| unresolved(uri, &problem)),
        }
    }
}

fn unresolved(uri: &Uri, problem: &dyn std::fmt::Display) -> NotStarted {
    NotStarted::Unresolved { name: uri.to_string(), problem: problem.to_string() }
}

fn explain(uri: &Uri, error: AskError) -> NotStarted {
    match error {
        // The name server is away, or busy: that is what its caller has to know.
        CallError::NotStarted(why) => why,
        error => unresolved(uri, &error),
    }
}
