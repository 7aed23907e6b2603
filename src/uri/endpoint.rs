//! Where somebody listens: [`Endpoint`].

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::Path,
    str::FromStr,
};

use serde::{Deserialize, Serialize, Serializer};

use super::{
    error::{Flaw, UriError, UriProblem},
    text::{check_size, checked_text, misleads},
};

/// Where a daemon or a name server listens: `host:port`, `[v6]:port` or `./u:path`. A daemon that listens nowhere has `~` and 16 hex digits.
///
/// Port 0 is allowed, as somebody who binds may ask for any free port.
///
/// ```
/// use pyroxene::uri::Endpoint;
///
/// let endpoint: Endpoint = "[::1]:9090".parse()?;
/// assert_eq!(endpoint, Endpoint::tcp("::1", 9090)?);
/// assert!(endpoint.is_local());
/// # Ok::<(), pyroxene::uri::UriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Endpoint {
    /// A host and a TCP port.
    Tcp {
        /// The host.
        host: Host,
        /// The TCP port; 0 only where one binds.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(SocketPath),
    /// Nowhere: a daemon with this number that does not listen. Its objects are called over the connections that its process has opened.
    Unbound(u64),
}

impl Endpoint {
    /// A TCP endpoint. An IPv6 address may, but need not, stand in brackets.
    ///
    /// # Errors
    /// `host` is neither a host name nor an address.
    pub fn tcp(host: &str, port: u16) -> Result<Self, UriError> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Ok(Self::Tcp { host: Host::new(bare)?, port })
    }

    /// The endpoint of the Unix socket at `path`.
    ///
    /// # Errors
    /// `path` is empty, too long for a socket, or has control or invisible characters.
    pub fn unix(path: &str) -> Result<Self, UriError> {
        Ok(Self::Unix(SocketPath::new(path)?))
    }

    /// Whether only this machine can reach it: a Unix socket, `localhost` or a loopback address.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) | Self::Unbound(_) => true,
            Self::Tcp { host, .. } => match host.as_str().parse::<IpAddr>() {
                Ok(address) => address.to_canonical().is_loopback(),
                Err(_) => host.as_str() == "localhost",
            },
        }
    }

    /// Reads `text`, whose port may be missing only if there is a `default_port`.
    pub(super) fn parse(text: &str, default_port: Option<u16>) -> Result<Self, Flaw> {
        if let Some(path) = text.strip_prefix(UNIX_PREFIX) {
            return SocketPath::checked(path, "the socket's path").map(Self::Unix);
        }
        if let Some(number) = text.strip_prefix(UNBOUND_PREFIX) {
            return parse_unbound(number)
                .ok_or(Flaw { part: "the host", problem: UriProblem::Host })
                .map(Self::Unbound);
        }
        let (host, port) = split_port(text)?;
        let host = Host::checked(host, "the host")?;
        let port = match (port, default_port) {
            (Some(port), _) => parse_port(port)?,
            (None, Some(port)) => port,
            (None, None) => return Err(Flaw { part: "the port", problem: UriProblem::Missing }),
        };
        Ok(Self::Tcp { host, port })
    }
}

/// What an endpoint begins with if it is a Unix socket.
pub(super) const UNIX_PREFIX: &str = "./u:";

/// What an endpoint begins with if nobody listens there; no host does.
const UNBOUND_PREFIX: char = '~';

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.as_str().contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{UNIX_PREFIX}{path}"),
            Self::Unbound(number) => write!(f, "{UNBOUND_PREFIX}{number:016x}"),
        }
    }
}

impl FromStr for Endpoint {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, None).map_err(|flaw| flaw.in_text("endpoint", text, "127.0.0.1:9090"))
    }
}

impl TryFrom<String> for Endpoint {
    type Error = UriError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        let host = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
            SocketAddr::V4(_) | SocketAddr::V6(_) => address.ip().to_string(),
        };
        Self::Tcp { host: Host(host.into()), port: address.port() }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

checked_text! {
    /// A host name or an IP address, IPv6 without brackets: at most 255 bytes. Host names are ASCII and kept in lower case, so
    /// that equal hosts compare equal; those of other scripts are written in their `xn--` form.
    Host, "host", "localhost, 192.0.2.1 or ::1", check_host
}

checked_text! {
    /// The path of a Unix socket: at most 107 bytes, which is what the system's socket address holds.
    SocketPath, "socket path", "/run/pyroxene/bank.sock", check_path
}

impl AsRef<Path> for SocketPath {
    fn as_ref(&self) -> &Path {
        Path::new(self.as_str())
    }
}

const MAX_HOST_BYTES: usize = 255;
const MAX_PATH_BYTES: usize = 107;

fn check_host(text: &str) -> Result<String, UriProblem> {
    check_size(text, MAX_HOST_BYTES)?;
    if text.contains(':') {
        return check_v6(text).ok_or(UriProblem::Host);
    }
    let refused = |&(_, c): &(usize, char)| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    match text.char_indices().find(refused) {
        Some((position, character)) => Err(UriProblem::Character { character, position }),
        None => Ok(text.to_ascii_lowercase()),
    }
}

/// An IPv6 address in its shortest form, with its zone (`fe80::1%eth0`) if it has one.
fn check_v6(text: &str) -> Option<String> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let address: Ipv6Addr = address.parse().ok()?;
    match zone {
        None => Some(address.to_string()),
        Some(zone) if is_zone(zone) => Some(format!("{address}%{zone}")),
        Some(_) => None,
    }
}

/// Whether `text` may be the name or number of a network interface.
fn is_zone(text: &str) -> bool {
    let ordinary = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=15).contains(&text.len()) && text.bytes().all(ordinary)
}

fn check_path(text: &str) -> Result<&str, UriProblem> {
    check_size(text, MAX_PATH_BYTES)?;
    let at_an_end = |position: usize| position == 0 || position + 1 == text.len();
    // Paths with spaces are common on some systems, but nobody sees one at an end.
    let refused = |&(position, c): &(usize, char)| misleads(c) && (c != ' ' || at_an_end(position));
    match text.char_indices().find(refused) {
        Some((position, character)) => Err(UriProblem::Character { character, position }),
        None if text.ends_with('/') => Err(UriProblem::Directory),
        None => Ok(text),
    }
}

/// Host and port of `host[:port]` or `[v6][:port]`, neither checked; the brackets are gone.
fn split_port(text: &str) -> Result<(&str, Option<&str>), Flaw> {
    let no_host = Flaw { part: "the host", problem: UriProblem::Host };
    let Some(bracketed) = text.strip_prefix('[') else {
        return match text.split_once(':') {
            Some((_, port)) if port.contains(':') => Err(no_host),
            Some((host, port)) => Ok((host, Some(port))),
            None => Ok((text, None)),
        };
    };
    let (host, after) = bracketed.split_once(']').ok_or(no_host)?;
    if !host.contains(':') {
        return Err(no_host);
    }
    match after.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if after.is_empty() => Ok((host, None)),
        None => Err(no_host),
    }
}

/// Exactly as it is written, so that equal endpoints are spelled alike.
fn parse_unbound(text: &str) -> Option<u64> {
    let digits = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if digits { u64::from_str_radix(text, 16).ok() } else { None }
}

fn parse_port(text: &str) -> Result<u16, Flaw> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = if digits { text.parse().ok() } else { None };
    port.ok_or(Flaw { part: "the port", problem: UriProblem::Port })
}
