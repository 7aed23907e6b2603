//! The actor that hears questions and answers them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use pyroxene::transport::udp::{self, LOOPBACK_BROADCAST};
use pyroxene::uri::Uri;
use pyroxene::wire::discovery::QUESTION_LEN;
use slog::Logger;
use tokio::net::UdpSocket;

use crate::discovery::answers::Answers;
use crate::discovery::rate_limit::RateLimit;

/// The pause after a datagram that the system could not deliver, so that a broken socket is not asked without end.
const PAUSE: Duration = Duration::from_millis(100);

/// Discovery cannot hear questions.
#[derive(Debug, thiserror::Error)]
#[error(
    "discovery cannot listen at UDP {address}:{port}: {problem}; choose another port with --broadcast-port, or do without it by --no-discovery"
)]
pub struct DiscoveryError {
    /// Where it was to listen.
    pub address: Ipv4Addr,
    /// The UDP port.
    pub port: u16,
    /// What the system said.
    pub problem: io::Error,
}

/// Discovery that runs.
#[derive(Debug, Clone)]
pub struct Listening {
    actor: Addr<Discovery>,
    /// The UDP port it listens at.
    pub port: u16,
}

impl Listening {
    /// Ends it.
    pub fn stop(&self) {
        self.actor.do_send(Stop);
    }
}

/// Answers questions at UDP `port` (0 takes a free one) with the URI of the name server, until it is stopped.
///
/// A name server that only this machine can reach is told only to this machine: it listens at the loopback broadcast address.
///
/// # Errors
/// The port is taken, or there can be no such socket.
///
/// # Panics
/// Outside of an actix system.
pub fn start(server: &Uri, port: u16, log: Logger) -> Result<Listening, DiscoveryError> {
    let only_here = server.as_object().is_none_or(|object| object.endpoint.is_local());
    let address = if only_here { LOOPBACK_BROADCAST } else { Ipv4Addr::UNSPECIFIED };
    let failed = |problem| DiscoveryError { address, port, problem };
    let socket = udp::responder(address, port).map_err(failed)?;
    let port = socket.local_addr().map_err(failed)?.port();
    let answers = Answers::new(server);
    if !answers.has_pyro() {
        slog::warn!(log, "the name server's URI is too long for Pyro 5, which is not answered"; "uri" => %server);
    }
    slog::info!(log, "discovery listens"; "address" => %address, "port" => port);
    let limit = RateLimit::new(tokio::time::Instant::now().into_std());
    let actor = Discovery { socket: Arc::new(socket), answers, limit, log }.start();
    Ok(Listening { actor, port })
}

/// Hears questions about the name server.
#[derive(Debug)]
pub struct Discovery {
    socket: Arc<UdpSocket>,
    answers: Answers,
    limit: RateLimit,
    log: Logger,
}

impl Discovery {
    /// Hears one datagram, and then the next: what comes meanwhile waits in the socket, or is lost there.
    fn listen(&self, ctx: &mut Context<Self>) {
        let socket = Arc::clone(&self.socket);
        let heard = async move {
            let mut buffer = [0; QUESTION_LEN + 1];
            match socket.recv_from(&mut buffer).await {
                Ok((len, from)) => Ok((buffer, len, from)),
                Err(problem) => {
                    tokio::time::sleep(PAUSE).await;
                    Err(problem)
                }
            }
        };
        ctx.spawn(heard.into_actor(self).map(|heard, discovery, ctx| {
            match heard {
                Ok((buffer, len, from)) => discovery.answer(&buffer[..len], from),
                Err(problem) => slog::debug!(discovery.log, "cannot hear questions"; "problem" => %problem),
            }
            discovery.listen(ctx);
        }));
    }

    fn answer(&mut self, datagram: &[u8], from: SocketAddr) {
        let Some(answer) = self.answers.to(datagram) else { return };
        if !self.limit.admits(from, tokio::time::Instant::now().into_std()) {
            return slog::debug!(self.log, "question left unanswered: too many"; "from" => %from);
        }
        // Never waited for: an answer that does not fit into the socket now is asked for again.
        match self.socket.try_send_to(&answer, from) {
            Ok(_) => slog::debug!(self.log, "told where the name server is"; "from" => %from),
            Err(problem) => slog::debug!(self.log, "question left unanswered"; "from" => %from, "problem" => %problem),
        }
    }
}

impl Actor for Discovery {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.listen(ctx);
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Stop;

impl Handler<Stop> for Discovery {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

#[cfg(test)]
mod tests {
    use pyroxene::wire::discovery::Question;

    use super::*;

    const URI: &str = "PYRO://127.0.0.1:9090/Pyro.NameServer";

    async fn started() -> (Listening, UdpSocket, SocketAddr) {
        let listening = start(&URI.parse().unwrap(), 0, Logger::root(slog::Discard, slog::o!())).unwrap();
        let there = SocketAddr::from((LOOPBACK_BROADCAST, listening.port));
        (listening, udp::broadcaster(Ipv4Addr::LOCALHOST).unwrap(), there)
    }

    async fn ask(socket: &UdpSocket, there: SocketAddr) -> String {
        let question = Question::Pyroxene { nonce: [3; 16] };
        socket.send_to(&question.encode(), there).await.unwrap();
        let mut buffer = [0; 600];
        let (len, from) = socket.recv_from(&mut buffer).await.unwrap();
        assert!(from.ip().is_loopback());
        question.read_answer(&buffer[..len]).unwrap()
    }

    #[actix::test]
    async fn whoever_asks_is_told() {
        let (_listening, socket, there) = started().await;
        assert_eq!(ask(&socket, there).await, URI);
    }

    #[actix::test]
    async fn rubbish_does_not_end_it() {
        let (_listening, socket, there) = started().await;
        for rubbish in [&[0; 0][..], &[0xff; 8], &[0; 2_000]] {
            socket.send_to(rubbish, there).await.unwrap();
        }
        assert_eq!(ask(&socket, there).await, URI);
    }

    #[actix::test]
    async fn a_port_that_is_taken_is_an_error_that_says_so() {
        let taken = std::net::UdpSocket::bind((LOOPBACK_BROADCAST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = start(&URI.parse().unwrap(), port, Logger::root(slog::Discard, slog::o!())).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("UDP 127.255.255.255:{port}")) && text.contains("--broadcast-port"), "{text}");
    }
}
