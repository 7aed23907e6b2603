//! Finding the name server, in the ways the seed of this project lists: it is known where it is; it answers a broadcast; it has left its
//! URI in a file. The last resort is this machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::client::client::Client;
use crate::client::error::CallError;
use crate::naming::server::NameServer;
use crate::transport::udp;
use crate::uri::{Endpoint, NAME_SERVER_PORT, Uri};
use crate::wire::discovery::{self, Question};

/// Where to look.
#[derive(Clone, Debug)]
pub struct LocateConfig {
    /// It is there; nothing else is tried.
    pub server: Option<Endpoint>,
    /// Whether to ask by broadcast.
    pub broadcast: bool,
    /// The UDP port that questions go to.
    pub broadcast_port: u16,
    /// Where questions go: the loopback broadcast address, which stays on this machine, and what else is given.
    pub broadcast_to: Vec<Ipv4Addr>,
    /// How long to wait for an answer, milliseconds, in each of two rounds.
    pub broadcast_wait_ms: u32,
    /// The TCP port tried on this machine.
    pub port: u16,
    /// A file that holds its URI.
    pub uri_file: Option<PathBuf>,
}

impl Default for LocateConfig {
    fn default() -> Self {
        LocateConfig {
            server: None,
            broadcast: true,
            broadcast_port: discovery::PORT,
            broadcast_to: vec![udp::LOOPBACK_BROADCAST],
            broadcast_wait_ms: 250,
            port: NAME_SERVER_PORT,
            uri_file: None,
        }
    }
}

/// No name server was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no name server found: {}; start one with `pyroxene ns`, or say where it is with --ns HOST:PORT or PYROXENE_NS", tried.join("; "))]
pub struct LocateError {
    /// What was tried, and what came of it.
    pub tried: Vec<String>,
}

/// The name server, found in the first way that leads to one.
///
/// # Errors
/// None does.
pub async fn locate(client: &Client, config: &LocateConfig) -> Result<NameServer, LocateError> {
    let mut tried = Vec::new();
    if let Some(endpoint) = &config.server {
        return reach(client, endpoint, &mut tried).await.ok_or(LocateError { tried });
    }
    if config.broadcast {
        match ask(config).await {
            Ok(uri) => return Ok(NameServer::with_uri(client, uri)),
            Err(problem) => tried.push(format!("broadcast to UDP port {}: {problem}", config.broadcast_port)),
        }
    }
    if let Ok(endpoint) = Endpoint::tcp("127.0.0.1", config.port)
        && let Some(server) = reach(client, &endpoint, &mut tried).await
    {
        return Ok(server);
    }
    if let Some(file) = &config.uri_file {
        match read_uri(file) {
            Ok(uri) => return Ok(NameServer::with_uri(client, uri)),
            Err(problem) => tried.push(format!("URI file {}: {problem}", file.display())),
        }
    }
    Err(LocateError { tried })
}

async fn reach(client: &Client, endpoint: &Endpoint, tried: &mut Vec<String>) -> Option<NameServer> {
    let outcome = match NameServer::at(client, endpoint) {
        Ok(server) => server.ping().await.map(|()| server).map_err(|problem| match problem {
            // That a ping did not run says nothing more than that nobody was reached.
            CallError::NotStarted(why) => why.to_string(),
            problem => problem.to_string(),
        }),
        Err(problem) => Err(problem.to_string()),
    };
    outcome.map_err(|problem| tried.push(format!("{endpoint}: {problem}"))).ok()
}

fn read_uri(file: &Path) -> Result<Uri, String> {
    let text = std::fs::read_to_string(file).map_err(|problem| problem.to_string())?;
    text.trim().parse().map_err(|problem: crate::uri::UriError| problem.to_string())
}

/// Asks by broadcast. Different answers are an error: nobody knows which of them is meant.
async fn ask(config: &LocateConfig) -> Result<Uri, String> {
    let only_here = config.broadcast_to.iter().all(Ipv4Addr::is_loopback);
    let host = if only_here { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    let socket = udp::broadcaster(host).map_err(|problem| problem.to_string())?;
    let question = Question::Pyroxene { nonce: rand::random() };
    let datagram = question.encode();
    let mut found: Vec<Uri> = Vec::new();
    for _ in 0..2 {
        let mut problem = None;
        for address in &config.broadcast_to {
            let to = SocketAddr::from((*address, config.broadcast_port));
            if let Err(error) = socket.send_to(&datagram, to).await {
                problem = Some(format!("{address}: {error}"));
            }
        }
        let mut deadline = Instant::now() + Duration::from_millis(config.broadcast_wait_ms.into());
        let mut buffer = [0; discovery::QUESTION_LEN];
        while let Ok(received) = tokio::time::timeout_at(deadline, socket.recv_from(&mut buffer)).await {
            let Ok((len, _)) = received else { continue };
            let Ok(text) = question.read_answer(&buffer[..len]) else { continue };
            let Ok(uri) = text.parse::<Uri>() else { continue };
            if !found.contains(&uri) {
                found.push(uri);
                // Others, if there are any, answer at about the same time.
                deadline = deadline.min(Instant::now() + Duration::from_millis(20));
            }
        }
        match (found.as_slice(), problem) {
            ([uri], _) => return Ok(uri.clone()),
            ([], Some(problem)) => return Err(problem),
            ([], None) => {}
            (several, _) => {
                let list: Vec<String> = several.iter().map(ToString::to_string).collect();
                return Err(format!("several name servers answer ({}); say which with --ns", list.join(", ")));
            }
        }
    }
    Err("no answer".to_owned())
}
