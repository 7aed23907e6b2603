//! The process of the bank.

use pyroxene::Restart;

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
        let daemon = place.bind(&app, 0).await?;
        let account = daemon.object("bank.alice", Account::default).restart(Restart::on_failure()).spawn().await?;
        daemon.announce(app.name_server(&app.client).await?).await?;
        place.serve(&daemon, || app.screen.line(&account.uri().to_string())).await;
        Ok(())
    }
}
