//! `pyroxene get`, `set` and `watch`: the attributes of any object.

use pyroxene::uri::Uri;
use pyroxene::{AttributeError, CallError, DynProxy};

use crate::cli::app::App;
use crate::cli::failure::Failure;
use crate::cli::json;

/// Prints its value as JSON.
#[derive(Debug, clap::Args)]
pub(super) struct Get {
    #[command(flatten)]
    of: Attribute,
}

/// Prints nothing; with `--json`, the value it has then.
#[derive(Debug, clap::Args)]
pub(super) struct Set {
    #[command(flatten)]
    of: Attribute,
    /// Its new value
    #[arg(value_name = "JSON", allow_negative_numbers = true)]
    value: String,
    /// Only if it has this value
    #[arg(long, value_name = "JSON", allow_negative_numbers = true)]
    expected: Option<String>,
}

/// Prints its value as JSON now, and again whenever it is another one, each on a line, until the object ends or this is interrupted.
#[derive(Debug, clap::Args)]
pub(super) struct Watch {
    #[command(flatten)]
    of: Attribute,
}

/// Which attribute.
#[derive(Debug, clap::Args)]
struct Attribute {
    /// The object: PYRO://…, PYRONAME://… or PYROLOC://…
    uri: String,
    /// The attribute: `owner`, `address.street`, `history[3]` or `rates["eur"]`
    attribute: String,
}

impl Get {
    pub(super) async fn run(&self, app: &App) -> Result<(), Failure> {
        let (uri, proxy) = self.of.connect(app).await?;
        let value = proxy.get(&self.of.attribute).await.map_err(|error| self.of.explain("reading", &uri, error))?;
        app.screen.json(&json::of(&value));
        Ok(())
    }
}

impl Set {
    pub(super) async fn run(&self, app: &App) -> Result<(), Failure> {
        let value = json::value(&self.value)?;
        let expected = self.expected.as_deref().map(json::value).transpose()?;
        let (uri, proxy) = self.of.connect(app).await?;
        let path = &self.of.attribute;
        let set = match expected {
            Some(expected) => proxy.compare_and_set(path, expected, value).await,
            None => proxy.set(path, value).await,
        };
        set.map_err(|error| self.of.explain("writing", &uri, error))?;
        if app.screen.is_json() {
            let value = proxy.get(path).await.map_err(|error| self.of.explain("reading", &uri, error))?;
            app.screen.json(&json::of(&value));
        }
        Ok(())
    }
}

impl Watch {
    pub(super) async fn run(&self, app: &App) -> Result<(), Failure> {
        let (uri, proxy) = self.of.connect(app).await?;
        let mut changes =
            proxy.changes(&self.of.attribute).await.map_err(|error| self.of.explain("watching", &uri, error))?;
        while let Some(value) = changes.next().await {
            let value = value.map_err(|error| Failure::from(error).during(self.of.what("watching", &uri)))?;
            app.screen.json(&json::of(&value));
        }
        Ok(())
    }
}

impl Attribute {
    async fn connect(&self, app: &App) -> Result<(Uri, DynProxy), Failure> {
        let uri = app.uri(&self.uri)?;
        let connected = DynProxy::connect_with(&app.client, uri.clone()).await;
        let proxy =
            connected.map_err(|error| Failure::from(error).during("did not run").during(self.what("asking", &uri)))?;
        Ok((uri, proxy))
    }

    fn what(&self, doing: &str, uri: &Uri) -> String {
        format!("{doing} {} at {uri}", self.attribute)
    }

    fn explain(&self, doing: &str, uri: &Uri, error: CallError<AttributeError>) -> Failure {
        let hint = match &error {
            CallError::Raised(AttributeError::Unknown { nearest: None, .. }) | CallError::NotStarted(_) => {
                Some(format!("`pyroxene describe {uri}` shows what it has"))
            }
            _ => None,
        };
        let failure = Failure::from(error).during(self.what(doing, uri));
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
