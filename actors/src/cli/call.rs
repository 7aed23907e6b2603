//! `pyroxene call`: any method of any object.

use pyroxene::codec::args::Args;
use pyroxene::object::description::MethodDescription;
use pyroxene::uri::Uri;
use pyroxene::{CallError, DynProxy, NotStarted};

use crate::cli::app::App;
use crate::cli::describe;
use crate::cli::failure::Failure;
use crate::cli::json;

/// Prints the result as JSON; the items of a stream as they come, each on a line.
#[derive(Debug, clap::Args)]
pub(super) struct Call {
    /// The object: PYRO://…, PYRONAME://… or PYROLOC://…
    uri: String,
    /// The method
    method: String,
    /// Its arguments in order, or by name
    #[arg(value_name = "JSON|NAME=JSON", allow_negative_numbers = true)]
    args: Vec<String>,
    /// Do not wait for a result
    #[arg(long)]
    oneway: bool,
    /// The time the call has, milliseconds
    #[arg(long, value_name = "MS", conflicts_with = "oneway")]
    timeout_ms: Option<u32>,
}

impl Call {
    pub(super) async fn run(&self, app: &App) -> Result<(), Failure> {
        let uri = app.uri(&self.uri)?;
        let args = json::args(&self.args)?;
        let outcome = if self.oneway { self.tell(app, &uri, args).await } else { self.call(app, &uri, args).await };
        outcome.map_err(|failure| failure.during(format_args!("calling {} at {uri}", self.method)))
    }

    async fn call(&self, app: &App, uri: &Uri, args: Args) -> Result<(), Failure> {
        let proxy = self.connect(app, uri).await?;
        if proxy.is_stream(&self.method) {
            return self.read(app, uri, &proxy, args).await;
        }
        let mut call = proxy.call(&self.method, args);
        if let Some(ms) = self.timeout_ms {
            call = call.timeout_ms(ms);
        }
        let value = call.await.map_err(|error| explain(error, uri))?;
        app.screen.json(&json::of(&value));
        Ok(())
    }

    /// Prints each item when it comes. The time is for the first sign of life, as it is for other calls.
    async fn read(&self, app: &App, uri: &Uri, proxy: &DynProxy, args: Args) -> Result<(), Failure> {
        let mut call = proxy.items(&self.method, args);
        if let Some(ms) = self.timeout_ms {
            call = call.timeout_ms(ms);
        }
        let mut items = call.await.map_err(|error| explain(error, uri))?;
        while let Some(item) = items.next().await {
            app.screen.json(&json::of(&item.map_err(|error| explain(error, uri))?));
        }
        Ok(())
    }

    /// A oneway is never answered, so what can be known beforehand is asked first; the daemon is asked last, over the same connection, so
    /// that the message has left before this program ends.
    async fn tell(&self, app: &App, uri: &Uri, args: Args) -> Result<(), Failure> {
        let found = app.find(uri).await?;
        let description = describe::ask(app, &found).await?;
        let fits = |method: &MethodDescription| method.signature.check(&args);
        match description.method(&self.method).map(fits) {
            Some(Ok(())) => self.connect(app, uri).await?.do_call(&self.method, args),
            Some(Err(problem)) => return Err(Failure::new(format!("did not run: {problem}"))),
            // Its proxy says so, and which was probably meant, without sending anything.
            None => return self.call(app, uri, args).await,
        }
        describe::ask(app, &found).await.map(drop)
    }

    async fn connect(&self, app: &App, uri: &Uri) -> Result<DynProxy, Failure> {
        let connected = DynProxy::connect_with(&app.client, uri.clone()).await;
        connected.map_err(|error| Failure::from(error).during("did not run"))
    }
}

/// What to do about it, where the error does not say so.
fn explain(error: CallError, uri: &Uri) -> Failure {
    let hint = match &error {
        CallError::NotStarted(NotStarted::NoSuchMethod { nearest: None, .. }) => {
            Some(format!("`pyroxene describe {uri}` shows what it has"))
        }
        CallError::Unknown(_) => Some("ask the object before trying again".to_owned()),
        _ => None,
    };
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
