//! `pyroxene demo`: a name server, a bank and a client, as three processes of this program that find each other.

mod bank;
mod child;
pub(super) mod client;
pub(super) mod server;
mod story;

use std::time::Duration;

use pyroxene::config::Config;
use pyroxene::transport::udp::{self, LOOPBACK_BROADCAST};
use pyroxene::{CallError, NameServer};

use crate::cli::app::App;
use crate::cli::demo::child::Child;
use crate::cli::demo::story::Story;
use crate::cli::failure::Failure;

/// No part of it takes longer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Tells what is done, what one writes for it, and what comes of it.
#[derive(Debug, clap::Args)]
pub(super) struct Demo {}

/// What its processes are told, so that they find each other and nobody else.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Where {
    /// The UDP port of its name server
    #[arg(long)]
    broadcast_port: u16,
}

impl Where {
    /// As if nothing were configured, except where to broadcast. The last resort, a name server at the usual port, is not for this.
    fn app(&self, app: &App) -> App {
        let config = Config {
            broadcast_port: self.broadcast_port,
            ns_port: 0,
            log: app.config.log.clone(),
            ..Config::default()
        };
        App::with(config, Vec::new(), app.screen.clone())
    }
}

impl Demo {
    pub(super) async fn run(&self, app: &App) -> Result<(), Failure> {
        let story = Story::new(&app.screen);
        tokio::select! {
            biased;
            // The children end with the pipes to them.
            () = asked_to_end() => Err(Failure::new("the demonstration was ended before its end")),
            told = self.tell(app, &story) => told.map_err(|failure| failure.during("the demonstration failed")),
        }
    }

    async fn tell(&self, app: &App, story: &Story<'_>) -> Result<(), Failure> {
        let at = Where { broadcast_port: free_udp_port()? };
        let port = at.broadcast_port.to_string();
        story.title(
            "A name server, a bank and a client: three processes that find each other, on free ports of this machine.",
        );

        story.chapter("A name server knows where objects are");
        story.shell(&format!("pyroxene ns --port 0 --broadcast-port {port} &"));
        let arguments = ["ns", "--port", "0", "--broadcast-port", &port, "--end-with-stdin"];
        let mut names = Child::start("the name server", app, &arguments)?;
        let ready = names.line().await?;
        story.came(&format!("process {}: {ready}", names.id()));

        story.chapter("A bank hosts an account, gives it a name, and starts it again when it fails");
        bank::LISTING.lines().for_each(|line| story.code(line));
        server::LISTING.lines().for_each(|line| story.code(line));
        let mut bank = Child::start("the bank", app, &["demo-server", "--broadcast-port", &port])?;
        let uri = bank.line().await?;
        story.came(&format!("process {}: bank.alice is the object {uri}", bank.id()));

        story.chapter("A client finds the account by its name, and calls it");
        let mut client = Child::start_talking("the client", app, &["demo-client", "--broadcast-port", &port])?;
        client.succeeds().await?;

        story.chapter("Ending in order");
        let server = at.app(app).name_server(&app.client).await?;
        story.shell(&format!("kill -TERM {}", bank.id()));
        bank.end().await?;
        is_gone(&server).await?;
        story.came("the bank has ended; it took its name back first, so nobody is sent there any more");
        story.shell(&format!("kill -TERM {}", names.id()));
        names.end().await?;
        story.came("the name server has ended; nothing is left behind");
        story.end();
        Ok(())
    }
}

/// The bank took its name back before it ended.
async fn is_gone(server: &NameServer) -> Result<(), Failure> {
    match server.resolve("bank.alice").await {
        Err(CallError::Raised(_)) => Ok(()),
        Ok(uri) => Err(Failure::new(format!("bank.alice is still registered as {uri}"))),
        Err(problem) => Err(problem.into()),
    }
}

/// A port at which nobody else is looked for.
fn free_udp_port() -> Result<u16, Failure> {
    let port = udp::responder(LOOPBACK_BROADCAST, 0).and_then(|socket| socket.local_addr());
    port.map(|address| address.port()).map_err(|problem| Failure::new(format!("no UDP port can be had: {problem}")))
}

async fn asked_to_end() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = tokio::signal::ctrl_c() => return,
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
