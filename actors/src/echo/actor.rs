//! The object and its messages.

use std::time::Duration;

use actix::{Actor, Context, Handler, Message, MessageResult, ResponseFuture};
use bytes::Bytes;
use pyroxene::{Items, RemoteAttributes, RemoteMessage, RemoteObject, Value};
use serde::{Deserialize, Serialize};
use slog::Logger;

/// Replies with what it is given, whatever that is.
#[derive(Debug, Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Value")]
#[remote(idempotent)]
pub struct Echo {
    /// Comes back.
    pub value: Value,
}

/// Replies with the bytes it is given.
#[derive(Debug, Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Bytes")]
#[remote(idempotent)]
pub struct EchoBytes {
    /// Come back.
    pub bytes: Bytes,
}

/// Raises an error.
#[derive(Debug, Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Result<(), EchoError>")]
#[remote(name = "error")]
pub struct Fail;

/// Panics; the object is started again.
#[derive(Debug, Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "()")]
pub struct Panic;

/// The numbers from 0 on, so many of them, one after the other.
#[derive(Debug, Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Items<u64>")]
#[remote(idempotent)]
pub struct Count {
    /// How many.
    pub n: u64,
}

/// Takes so many seconds, and says how many; other calls go on meanwhile.
#[derive(Debug, Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Result<f64, EchoError>")]
pub struct Slow {
    /// At most a day.
    pub seconds: f64,
}

/// Writes a line to the log of the process.
#[derive(Debug, Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "()")]
#[remote(oneway)]
pub struct Remark {
    /// The line.
    pub line: String,
}

/// What the echo object raises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}")]
pub struct EchoError {
    /// Why.
    pub reason: String,
}

/// The object. A panic loses no more than its attributes: they begin anew.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use pyroxene_actors::echo::{EchoBytes, EchoObject};
///
/// let daemon = pyroxene::Daemon::bind("127.0.0.1:0").await?;
/// let echo = daemon.supervise("echo", EchoObject::default).await?;
/// assert_eq!(echo.send(EchoBytes { bytes: "hello".into() }).await?, "hello");
/// # Ok(()) }
/// ```
#[derive(Debug, RemoteObject)]
#[remote(methods(Echo, EchoBytes, Fail, Panic, Slow, Remark, Count))]
pub struct EchoObject {
    /// What it says to whoever asks.
    #[remote(attr)]
    greeting: String,
    /// Calls of its methods so far.
    #[remote(attr(read))]
    calls: u64,
    /// Where it is.
    #[remote(nested)]
    place: Location,
    log: Logger,
}

/// Where the echo object is, nested in it.
#[derive(Debug, RemoteAttributes)]
struct Location {
    /// Its street.
    #[remote(attr)]
    street: String,
}

#[pyroxene::remote(nested)]
impl Location {
    /// Moves it; says where it was.
    pub fn move_to(&mut self, street: String) -> String {
        std::mem::replace(&mut self.street, street)
    }
}

impl EchoObject {
    /// One that writes remarks here.
    pub fn new(log: Logger) -> EchoObject {
        let place = Location { street: "Elm St 1".to_owned() };
        EchoObject { greeting: "hello".to_owned(), calls: 0, place, log }
    }
}

impl Default for EchoObject {
    fn default() -> Self {
        EchoObject::new(Logger::root(slog::Discard, slog::o!()))
    }
}

impl Actor for EchoObject {
    type Context = Context<Self>;
}

impl Handler<Echo> for EchoObject {
    type Result = MessageResult<Echo>;

    fn handle(&mut self, message: Echo, _: &mut Context<Self>) -> Self::Result {
        self.calls += 1;
        MessageResult(message.value)
    }
}

impl Handler<EchoBytes> for EchoObject {
    type Result = MessageResult<EchoBytes>;

    fn handle(&mut self, message: EchoBytes, _: &mut Context<Self>) -> Self::Result {
        self.calls += 1;
        MessageResult(message.bytes)
    }
}

impl Handler<Fail> for EchoObject {
    type Result = Result<(), EchoError>;

    fn handle(&mut self, _: Fail, _: &mut Context<Self>) -> Self::Result {
        self.calls += 1;
        Err(EchoError { reason: "an error was asked for".to_owned() })
    }
}

impl Handler<Panic> for EchoObject {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Context<Self>) {
        self.calls += 1;
        panic!("a panic was asked for");
    }
}

impl Handler<Slow> for EchoObject {
    type Result = ResponseFuture<Result<f64, EchoError>>;

    fn handle(&mut self, Slow { seconds }: Slow, _: &mut Context<Self>) -> Self::Result {
        self.calls += 1;
        Box::pin(async move {
            tokio::time::sleep(a_day_at_most(seconds)?).await;
            Ok(seconds)
        })
    }
}

impl Handler<Count> for EchoObject {
    type Result = MessageResult<Count>;

    fn handle(&mut self, message: Count, _: &mut Context<Self>) -> Self::Result {
        self.calls += 1;
        MessageResult(Items::of(0..message.n))
    }
}

fn a_day_at_most(seconds: f64) -> Result<Duration, EchoError> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| *duration <= DAY);
    duration.ok_or_else(|| EchoError { reason: format!("{seconds} seconds cannot be waited for; a day is the most") })
}

impl Handler<Remark> for EchoObject {
    type Result = ();

    fn handle(&mut self, message: Remark, _: &mut Context<Self>) {
        self.calls += 1;
        slog::info!(self.log, "remark"; "line" => message.line);
    }
}

#[cfg(test)]
mod tests {
    use pyroxene::{CallError, Daemon, DynProxy, args};

    use super::*;

    #[actix::test]
    async fn it_echoes_what_it_is_given() {
        let daemon = Daemon::bind("127.0.0.1:0").await.unwrap();
        let echo = daemon.supervise("echo", EchoObject::default).await.unwrap();
        let bytes = Bytes::from_static(b"hello");
        assert_eq!(echo.send(EchoBytes { bytes: bytes.clone() }).await, Ok(bytes));
        let any = DynProxy::connect(echo.uri()).await.unwrap();
        assert_eq!(any.call("echo", args!["hello"]).await, Ok(Value::from("hello")));
    }

    #[actix::test]
    async fn it_fails_when_asked_to() {
        let daemon = Daemon::bind("127.0.0.1:0").await.unwrap();
        let echo = daemon.supervise("echo", EchoObject::default).await.unwrap();
        let reason = "an error was asked for".to_owned();
        assert_eq!(echo.send(Fail).await, Err(CallError::Raised(EchoError { reason })));
        assert!(matches!(echo.send(Panic).await, Err(CallError::Failed(_))));
        assert_eq!(echo.send(Echo { value: 1.into() }).await, Ok(1.into()), "it has come back");
    }

    #[actix::test]
    async fn it_counts() {
        let daemon = Daemon::bind("127.0.0.1:0").await.unwrap();
        let echo = daemon.supervise("echo", EchoObject::default).await.unwrap();
        assert_eq!(echo.send(Count { n: 3 }).await.unwrap().into_vec().await, Ok(vec![0, 1, 2]));
    }

    #[actix::test]
    async fn it_has_attributes() {
        let daemon = Daemon::bind("127.0.0.1:0").await.unwrap();
        let echo = daemon.supervise("echo", EchoObject::default).await.unwrap();
        let any = DynProxy::connect(echo.uri()).await.unwrap();
        any.set("greeting", "good day").await.unwrap();
        assert_eq!(any.get("greeting").await, Ok("good day".into()));
        assert_eq!(any.call("place.move_to", args!["Elm St 2"]).await, Ok("Elm St 1".into()));
        assert_eq!(any.get("place.street").await, Ok("Elm St 2".into()));
        echo.send(Echo { value: 1.into() }).await.unwrap();
        assert_eq!(any.get("calls").await, Ok(1.into()));
    }

    #[test]
    fn what_cannot_be_waited_for_is_refused() {
        for seconds in [-1.0, f64::NAN, f64::INFINITY, 1e300, 86_401.0] {
            assert!(a_day_at_most(seconds).is_err(), "{seconds}");
        }
        assert_eq!(a_day_at_most(0.5), Ok(Duration::from_millis(500)));
    }
}
