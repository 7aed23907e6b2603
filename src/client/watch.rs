//! Watching an object until it is gone.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use crate::client::binding::Route;
use crate::client::describe::{bind, daemon};
use crate::client::error::CallError;
use crate::client::link::Link;
use crate::client::proxy::Proxy;
use crate::object::ended::{Ended, Ending, Watch as Ask};
use crate::object::interface::Any;
use crate::object::outcome::NotStarted;
use crate::transport::network::BoxFuture;

/// How long until a daemon that could not be asked is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Ends when an object is gone; made by [`Proxy::watch`](crate::Proxy::watch) and [`DynProxy::watch`](crate::DynProxy::watch).
#[must_use = "an object is watched as long as this is awaited"]
pub struct Watch(BoxFuture<'static, Ended>);

impl Watch {
    pub(crate) fn new(link: Arc<Link>) -> Watch {
        Watch(Box::pin(Watching { link, place: None, unseen: None }.until_gone()))
    }
}

impl Future for Watch {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        self.0.as_mut().poll(cx)
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// One object that is watched.
struct Watching {
    link: Arc<Link>,
    /// Where it was found, once it was.
    place: Option<Place>,
    /// Since when nobody could be asked.
    unseen: Option<Instant>,
}

#[derive(Clone)]
enum Place {
    /// In this process.
    Here(Receiver<Option<Ended>>),
    /// At this daemon, with this id. Whatever its name means later, this one is watched.
    There(Proxy<Any>, Arc<str>),
}

impl Watching {
    async fn until_gone(mut self) -> Ended {
        let patience = Duration::from_millis(self.link.client.config().timeout_ms.into());
        loop {
            let error = match self.attempt().await {
                Ok(ended) => return ended,
                Err(error) => error,
            };
            let unseen = *self.unseen.get_or_insert_with(Instant::now);
            match &error {
                CallError::NotStarted(NotStarted::NoSuchObject { .. } | NotStarted::StaleReference { .. }) => {
                    return Ended { why: Ending::Missing, since: unseen };
                }
                // A daemon that says so is there.
                CallError::NotStarted(NotStarted::Busy { .. }) => self.unseen = None,
                error if unseen.elapsed() >= patience || is_final(error) => {
                    return Ended { why: Ending::Unreachable { problem: error.to_string() }, since: unseen };
                }
                _ => {}
            }
            let pause = error.retry_after().map_or(ASK_AGAIN, |ms| Duration::from_millis(ms.into()));
            tokio::time::sleep(pause.max(ASK_AGAIN)).await;
        }
    }

    /// Asks, and waits for as long as it can be heard.
    async fn attempt(&mut self) -> Result<Ended, CallError> {
        let place = match &self.place {
            Some(place) => place.clone(),
            None => self.place.insert(find(&self.link).await.map_err(CallError::NotStarted)?).clone(),
        };
        match place {
            Place::Here(mut ended) => match ended.wait_for(Option::is_some).await {
                Ok(ended) => Ok(ended.clone().unwrap_or_else(|| Ended::now(Ending::Stopped))),
                Err(_) => Ok(Ended::now(Ending::Stopped)),
            },
            Place::There(daemon, object) => {
                let mut told = daemon.send(Ask { object: object.to_string() }).await?;
                self.unseen = None;
                match told.next().await {
                    Some(told) => Ok(told?.into()),
                    None => Ok(Ended::now(Ending::Stopped)),
                }
            }
        }
    }
}

/// Where the object is.
async fn find(link: &Arc<Link>) -> Result<Place, NotStarted> {
    let binding = bind(link).await?;
    if let Route::Local(object) = &binding.route {
        return Ok(Place::Here(object.ended()));
    }
    Ok(Place::There(daemon(link).await?, Arc::clone(&binding.object)))
}

/// Whether asking again is of no use.
fn is_final(error: &CallError) -> bool {
    matches!(
        error,
        CallError::NotStarted(
            NotStarted::NoSuchMethod { .. } | NotStarted::Unsupported { .. } | NotStarted::BadUri { .. }
        )
    )
}
