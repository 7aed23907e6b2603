//! `pyroxene ns`: a name server.

use std::io;
use std::path::{Path, PathBuf};

use pyroxene::Daemon;
use pyroxene::uri::Uri;

use crate::cli::app::App;
use crate::cli::failure::Failure;
use crate::cli::serving::Place;
use crate::{discovery, name_server};

/// Prints `ready` and its URI on one line when it can be called.
#[derive(Debug, clap::Args)]
pub(super) struct Ns {
    #[command(flatten)]
    place: Place,
    /// The TCP port to listen at, 0 for any free one [default: 9090]
    #[arg(long)]
    port: Option<u16>,
    /// The UDP port at which it answers those who look for it [default: 9091]
    #[arg(long, value_name = "PORT")]
    broadcast_port: Option<u16>,
    /// Do not answer those who look for it
    #[arg(long, conflicts_with = "broadcast_port")]
    no_discovery: bool,
    /// Write its URI to this file, for those who cannot broadcast
    #[arg(long, value_name = "FILE")]
    uri_file: Option<PathBuf>,
}

impl Ns {
    pub(super) async fn run(&self, app: &App) -> Result<(), Failure> {
        let port = self.port.unwrap_or(app.config.ns_port);
        let started = self.place.serve(app, port, async |daemon| self.start(app, daemon).await).await?;
        if let Some((Some(discovery), _)) = started {
            discovery.stop();
        }
        Ok(())
    }

    /// The name server, those who find it, and the file, which is gone when this is.
    async fn start(
        &self,
        app: &App,
        daemon: &Daemon,
    ) -> Result<(Option<discovery::Listening>, Option<UriFile<'_>>), Failure> {
        let config = name_server::Config { log: app.log.clone(), ..name_server::Config::default() };
        let server = name_server::start_with(daemon, config).await?;
        let uri = server.uri();
        let discovery = if self.no_discovery {
            None
        } else {
            let port = self.broadcast_port.unwrap_or(app.config.broadcast_port);
            Some(discovery::start(uri, port, app.log.clone())?)
        };
        let file = self.uri_file.as_deref().map(|file| UriFile::write(file, uri)).transpose()?;
        app.screen.line(&format!("ready {uri}"));
        Ok((discovery, file))
    }
}

/// The file with the URI; gone when the name server is.
struct UriFile<'a> {
    file: &'a Path,
    text: String,
}

impl UriFile<'_> {
    fn write<'a>(file: &'a Path, uri: &Uri) -> Result<UriFile<'a>, Failure> {
        let text = format!("{uri}\n");
        replace(file, &text)
            .map_err(|problem| Failure::new(format!("cannot write --uri-file {}: {problem}", file.display())))?;
        Ok(UriFile { file, text })
    }
}

impl Drop for UriFile<'_> {
    fn drop(&mut self) {
        // Another name server may have written its own by now.
        if std::fs::read_to_string(self.file).is_ok_and(|text| text == self.text) {
            let _ = std::fs::remove_file(self.file);
        }
    }
}

/// Nobody ever reads half a URI.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&new, text)?;
    std::fs::rename(&new, file).inspect_err(|_| drop(std::fs::remove_file(&new)))
}
