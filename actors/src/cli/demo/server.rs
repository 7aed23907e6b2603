//! The process of the bank.

use pyroxene::{Daemon, Restart};

use crate::cli::app::App;
use crate::cli::demo::Where;
use crate::cli::demo::bank::Account;
use crate::cli::failure::Failure;
use crate::cli::serving::Place;

/// What is shown of this file.
pub(super) const LISTING: &str = r#"let daemon = Daemon::bind("127.0.0.1:0").await?;
daemon.object("bank.alice", Account::default).restart(Restart::on_failure()).spawn().await?;
daemon.announce(NameServer::locate().await?).await?;
daemon.run().await;
"#;

/// Prints the URI of the account when it can be called.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DemoServer {
    #[command(flatten)]
    at: Where,
}

impl DemoServer {
    pub(in crate::cli) async fn run(&self, app: &App) -> Result<(), Failure> {
        let app = self.at.app(app);
        let place = Place { host: "127.0.0.1".to_owned(), insecure: false, public_host: None, end_with_stdin: true };
        let start = async |daemon: &Daemon| {
            let account = daemon.object("bank.alice", Account::default).restart(Restart::on_failure()).spawn().await?;
            daemon.announce(app.name_server(&app.client).await?).await?;
            app.screen.line(&account.uri().to_string());
            Ok(())
        };
        place.serve(&app, 0, start).await.map(drop)
    }
}
