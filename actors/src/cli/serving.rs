//! What `ns`, `echo` and the demonstration's bank have in common: a daemon that serves until it is asked to end.

use std::io::Read;

use pyroxene::daemon::daemon::DaemonConfig;
use pyroxene::uri::Endpoint;
use pyroxene::{BindError, Daemon};

use crate::cli::app::App;
use crate::cli::failure::Failure;

/// Where to listen.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Place {
    /// The address to listen at; what is not on this machine needs --insecure
    #[arg(long, default_value = "127.0.0.1")]
    pub(super) host: String,
    /// Listen where other machines can connect, although nothing says who may call yet
    #[arg(long)]
    pub(super) insecure: bool,
    /// The host name by which others reach this machine, when it is not the address to listen at
    #[arg(long, value_name = "HOST")]
    pub(super) public_host: Option<String>,
    /// End when stdin does, so that a child does not outlive its parent
    #[arg(long, hide = true)]
    pub(super) end_with_stdin: bool,
}

impl Place {
    async fn bind(&self, app: &App, port: u16) -> Result<Daemon, Failure> {
        let mut config = DaemonConfig {
            insecure: self.insecure,
            public_host: self.public_host.clone(),
            log: app.log.clone(),
            ..DaemonConfig::default()
        };
        config.limits.max_message = app.config.max_message;
        let endpoint = Endpoint::tcp(&self.host, port).map_err(|problem| Failure::new(format!("--host: {problem}")))?;
        Daemon::bind_with(config, app.client.clone(), &endpoint).await.map_err(|error| match error {
            BindError::NoHost { .. } => Failure::from(error).hint("with --public-host"),
            _ => error.into(),
        })
    }

    /// A daemon that listens there, with what `start` makes of it; `start` says when it is ready. Serves until Ctrl-C, SIGTERM or, if
    /// that was asked for, the end of stdin, and ends in order. Returns what `start` made, unless it was asked to end before that.
    pub(super) async fn serve<T>(
        &self,
        app: &App,
        port: u16,
        start: impl AsyncFnOnce(&Daemon) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let daemon = self.bind(app, port).await?;
        let mut run = daemon.run();
        let started = tokio::select! {
            biased;
            started = start(&daemon) => Some(started?),
            () = run.asked() => None,
        };
        tokio::select! {
            biased;
            () = run.into_future() => {}
            () = end_of_stdin(), if self.end_with_stdin => daemon.shutdown().await,
        }
        Ok(started)
    }
}

async fn end_of_stdin() {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    // A thread, as reading stdin cannot be given up; it does not keep the process from ending.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock().by_ref(), &mut std::io::sink());
        drop(ended);
    });
    let _ = end.await;
}
