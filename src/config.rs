//! Configuration: a value said in the program > environment `PYROXENE_*` > `pyroxene.toml` > default. Nothing below the top of the crate
//! reads the environment or a file.

use std::path::PathBuf;

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

use crate::client::client::ClientConfig;
use crate::naming::Name;
use crate::naming::locate::LocateConfig;
use crate::naming::resolve::NameResolver;
use crate::peer::spin::Spin;
use crate::uri::Endpoint;

/// The file that is read from the working directory.
pub const FILE: &str = "pyroxene.toml";
/// How the names of environment variables begin.
pub const PREFIX: &str = "PYROXENE_";

/// What can be configured from outside.
///
/// ```
/// let config = pyroxene::config::Config::default();
/// assert_eq!(config.timeout_ms, 30_000);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The name server, `HOST:PORT`; looked for when not given.
    pub ns: Option<Endpoint>,
    /// The group that relative names start in.
    pub default_group: Name,
    /// Whether the name server is asked for by UDP broadcast.
    pub broadcast: bool,
    /// The UDP port for that.
    pub broadcast_port: u16,
    /// The addresses for that; the loopback broadcast address stays on this machine.
    pub broadcast_to: Vec<std::net::Ipv4Addr>,
    /// The TCP port of the name server that is tried on this machine.
    pub ns_port: u16,
    /// A file that holds the name server's URI.
    pub uri_file: Option<PathBuf>,
    /// The time a call has, milliseconds.
    pub timeout_ms: u32,
    /// The time connecting has, milliseconds.
    pub connect_timeout_ms: u32,
    /// Bytes of one message.
    pub max_message: u32,
    /// Whether connections look for more for up to 200 µs before they sleep: off, on, auto.
    pub spin: Spin,
    /// What is logged: off, error, warning, info, debug, trace.
    pub log: String,
}

impl Default for Config {
    fn default() -> Self {
        let (client, locate) = (ClientConfig::default(), LocateConfig::default());
        Config {
            ns: None,
            default_group: Name::root(),
            broadcast: locate.broadcast,
            broadcast_port: locate.broadcast_port,
            broadcast_to: locate.broadcast_to,
            ns_port: locate.port,
            uri_file: None,
            timeout_ms: client.timeout_ms,
            connect_timeout_ms: client.connect_timeout_ms,
            max_message: client.limits.max_message,
            spin: client.spin,
            log: "off".to_owned(),
        }
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(String);

/// One setting, and where its value came from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value, as JSON.
    pub value: serde_json::Value,
    /// `default`, the file, or the environment variable.
    pub source: String,
}

impl Config {
    /// Reads file and environment.
    ///
    /// # Errors
    /// A value is not of its type, or a name is not one of a setting.
    pub fn load() -> Result<Config, ConfigError> {
        figment().extract().map_err(|error| ConfigError(explain(&error)))
    }

    /// Each setting with its value and where that came from.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn explain() -> Result<Vec<Setting>, ConfigError> {
        let figment = figment();
        let config: Config = figment.extract().map_err(|error| ConfigError(explain(&error)))?;
        let values = serde_json::to_value(config).map_err(|error| ConfigError(error.to_string()))?;
        let serde_json::Value::Object(values) = values else { return Ok(Vec::new()) };
        let source = |name: &str| match figment.find_metadata(name) {
            Some(metadata) if metadata.name.contains("environment") => format!("{PREFIX}{}", name.to_uppercase()),
            Some(metadata) => match &metadata.source {
                Some(figment::Source::File(path)) => path.display().to_string(),
                _ => "default".to_owned(),
            },
            None => "default".to_owned(),
        };
        Ok(values.into_iter().map(|(name, value)| Setting { source: source(&name), name, value }).collect())
    }

    /// How clients behave under this configuration.
    pub fn client(&self) -> ClientConfig {
        let mut client = ClientConfig {
            timeout_ms: self.timeout_ms,
            connect_timeout_ms: self.connect_timeout_ms,
            spin: self.spin,
            log: crate::log::logger(&self.log),
            ..ClientConfig::default()
        };
        client.limits.max_message = self.max_message;
        client
    }

    /// How names are resolved under this configuration.
    pub fn resolver(&self) -> NameResolver {
        let locate = LocateConfig {
            server: self.ns.clone(),
            broadcast: self.broadcast,
            broadcast_port: self.broadcast_port,
            broadcast_to: self.broadcast_to.clone(),
            port: self.ns_port,
            uri_file: self.uri_file.clone(),
            ..LocateConfig::default()
        };
        NameResolver { locate, default_group: self.default_group.clone() }
    }
}

fn figment() -> Figment {
    Figment::from(Serialized::defaults(Config::default())).merge(Toml::file(FILE)).merge(Env::prefixed(PREFIX))
}

fn explain(error: &figment::Error) -> String {
    let source = error.metadata.as_ref().map(|metadata| metadata.name.to_string()).unwrap_or_default();
    let name = error.path.join(".");
    match (name.as_str(), source.as_str()) {
        ("", "") => error.to_string(),
        ("", source) => format!("{error} ({source})"),
        (name, source) if source.contains("environment") => {
            format!("{name}: {} (in the environment, {PREFIX}{})", error.kind, name.to_uppercase())
        }
        (name, source) => format!("{name}: {} ({source})", error.kind),
    }
}
