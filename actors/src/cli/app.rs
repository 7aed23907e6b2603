//! What every command works with: [`App`].

use std::sync::Arc;

use clap::{ArgAction, Args, ColorChoice};
use pyroxene::client::client::Resolver;
use pyroxene::config::Config;
use pyroxene::naming::locate;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::uri::{Endpoint, Uri};
use pyroxene::{Client, ConnectError, NameServer, NotStarted};
use slog::Logger;

use crate::cli::failure::Failure;
use crate::cli::screen::Screen;

/// What can be said to every command.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The name server; looked for when not given [env: PYROXENE_NS]
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub(super) ns: Option<String>,
    /// Write for machines: JSON
    #[arg(long, global = true)]
    json: bool,
    /// Write a log to stderr: -v what happens, -vv each call, -vvv everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = false)]
    color: ColorChoice,
}

impl Options {
    pub(super) fn screen(&self) -> Screen {
        Screen::new(self.json, self.color, self.verbose > 0)
    }
}

/// The configuration of this run, and the client made from it.
pub(super) struct App {
    pub(super) screen: Screen,
    pub(super) config: Config,
    /// For those settings that were given as options: the setting and the option.
    pub(super) given: Vec<(&'static str, &'static str)>,
    pub(super) client: Client,
    pub(super) log: Logger,
    resolver: Arc<NameResolver>,
}

impl App {
    /// An option counts more than the environment, and that more than the file.
    pub(super) fn new(options: &Options, screen: &Screen) -> Result<App, Failure> {
        let mut config = Config::load()?;
        let mut given = Vec::new();
        if let Some(ns) = &options.ns {
            config.ns = Some(ns.parse().map_err(|problem| Failure::new(format!("--ns: {problem}")))?);
            given.push(("ns", "--ns"));
        }
        if options.verbose > 0 {
            ["info", "debug", "trace"][usize::from(options.verbose - 1).min(2)].clone_into(&mut config.log);
            given.push(("log", "--verbose"));
        }
        Ok(App::with(config, given, screen.clone()))
    }

    /// With this configuration, whatever file and environment say.
    pub(super) fn with(config: Config, given: Vec<(&'static str, &'static str)>, screen: Screen) -> App {
        let resolver = Arc::new(config.resolver());
        let client = Client::new(config.client(), Arc::clone(&resolver) as Arc<dyn Resolver>);
        client.install();
        let log = pyroxene::log::logger(&config.log);
        App { screen, config, given, client, log, resolver }
    }

    /// A client with connections of its own.
    pub(super) fn another_client(&self) -> Client {
        Client::new(self.config.client(), Arc::clone(&self.resolver) as Arc<dyn Resolver>)
    }

    /// The URI that the user wrote.
    pub(super) fn uri(&self, text: &str) -> Result<Uri, Failure> {
        text.parse().map_err(|problem: pyroxene::uri::UriError| Failure::new(problem.to_string()))
    }

    /// The daemon that has the object, and what it is called there; asks a name server when it has to.
    pub(super) async fn find(&self, uri: &Uri) -> Result<Found, Failure> {
        let mut uri = uri.clone();
        // A name may stand for another name, but not for ever.
        for _ in 0..4 {
            let (daemon, object) = match &uri {
                Uri::Object(object) => (object.endpoint.clone(), object.object.to_string()),
                Uri::Location(location) => (location.endpoint.clone(), location.name.to_string()),
                Uri::Name(_) | Uri::Meta(_) => {
                    let resolved = self.resolver.resolve(&self.client, &uri).await;
                    uri = resolved.map_err(|why| ConnectError { uri: uri.to_string(), why })?;
                    continue;
                }
            };
            return Ok(Found { uri, daemon, object });
        }
        let problem = "it stands for a name that stands for a name, and so on".to_owned();
        Err(ConnectError { uri: uri.to_string(), why: NotStarted::Unresolved { name: uri.to_string(), problem } }
            .into())
    }

    /// The name server, asked with `client`.
    pub(super) async fn name_server(&self, client: &Client) -> Result<NameServer, Failure> {
        Ok(locate::locate(client, &self.resolver.locate).await?)
    }

    /// A name, absolute, as the user wrote it.
    pub(super) fn name(&self, text: &str) -> Result<pyroxene::naming::Name, Failure> {
        self.resolver.absolute(text).map_err(|problem| Failure::new(problem.to_string()))
    }
}

/// An object, found.
pub(super) struct Found {
    /// Without a name server: `PYRO` or `PYROLOC`.
    pub(super) uri: Uri,
    /// Where its daemon listens.
    pub(super) daemon: Endpoint,
    /// Its id, or the name its daemon was given for it.
    pub(super) object: String,
}
