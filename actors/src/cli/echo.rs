//! `pyroxene echo`: the echo object, served.

use pyroxene::Daemon;

use crate::cli::app::App;
use crate::cli::failure::Failure;
use crate::cli::serving::Place;
use crate::echo::EchoObject;

/// Prints its URI on one line when it can be called.
#[derive(Debug, clap::Args)]
pub(super) struct Echo {
    #[command(flatten)]
    place: Place,
    /// The TCP port to listen at, 0 for any free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Register it with the name server under this name
    #[arg(long, value_name = "NAME")]
    register: Option<String>,
}

impl Echo {
    pub(super) async fn run(&self, app: &App) -> Result<(), Failure> {
        let name = match &self.register {
            Some(name) => app.name(name)?.as_str().trim_start_matches(':').to_owned(),
            None => "echo".to_owned(),
        };
        let start = async |daemon: &Daemon| {
            let log = app.log.clone();
            let echo = daemon.supervise(&name, move || EchoObject::new(log.clone())).await?;
            if self.register.is_some() {
                daemon.announce(app.name_server(&app.client).await?).await?;
            }
            app.screen.line(&echo.uri().to_string());
            Ok(())
        };
        self.place.serve(app, self.port, start).await.map(drop)
    }
}
