//! Calls that come back to an object that waits for them, and run.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyroxene::{CallError, Daemon, NotStarted, Proxy};

use crate::support::pair::{Setup, client_over, settle};
use crate::support::worker::Journal;

type Shared<P> = Arc<Mutex<Option<P>>>;

fn known<P: Clone>(shared: &Shared<P>) -> P {
    shared.lock().unwrap().clone().unwrap()
}

/// Asks its broker, who looks back at it.
#[derive(Clone)]
struct Client {
    journal: Journal,
    broker: Shared<BrokerProxy>,
    looked: Cell<u64>,
}

#[pyroxene::remote]
impl Client {
    pub async fn ask(&self, how: String) -> String {
        self.journal.write(1);
        let told = known(&self.broker).look(how).await;
        self.journal.write(9);
        told.unwrap_or_else(|error| error.to_string())
    }

    pub async fn ask_alone(&mut self, how: String) -> String {
        known(&self.broker).look(how).await.unwrap_or_else(|error| error.to_string())
    }

    #[remote(reentrant)]
    pub fn limit(&self, who: u64) -> u64 {
        self.journal.write(who);
        self.looked.set(self.looked.get() + 1);
        self.looked.get()
    }

    #[remote(reentrant)]
    pub fn fall_over(&self) {
        panic!("over");
    }

    pub fn touch(&mut self) -> u64 {
        0
    }
}

struct Broker {
    client: Shared<ClientProxy>,
}

fn told(result: Result<u64, CallError>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(CallError::NotStarted(NotStarted::Deadlock { chain })) => chain.join(" "),
        Err(error) => format!("{error:?}"),
    }
}

#[pyroxene::remote]
impl Broker {
    pub async fn look(&mut self, how: String) -> String {
        let client = known(&self.client);
        match how.as_str() {
            "twice" => {
                let first = told(client.limit(5).await);
                format!("{first} {}", told(client.limit(6).await))
            }
            "slowly" => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                told(client.limit(5).await)
            }
            "batch" => {
                let [one] = <[_; 1]>::try_from(client.proxy().batch().add_all([client.limit(5)]).send().await).unwrap();
                told(one)
            }
            "panic" => told(client.fall_over().await.map(|()| 0)),
            _ => told(client.touch().await),
        }
    }
}

struct World {
    journal: Journal,
    client: ClientProxy,
    _daemons: [Daemon; 2],
}

/// Both in one process, or each in one of its own.
async fn world(setup: &Setup, here: bool) -> World {
    let first = setup.daemon().await;
    let second = if here { first.clone() } else { setup.daemon().await };
    let (journal, broker, client) = (Journal::default(), Shared::default(), Shared::default());
    let made = Arc::clone(&broker);
    let of_client = journal.clone();
    let factory = move || Client { journal: of_client.clone(), broker: Arc::clone(&made), looked: Cell::new(0) };
    let of_client = first.supervise("client", factory).await.unwrap();
    let made = Arc::clone(&client);
    let of_broker = second.supervise("broker", move || Broker { client: Arc::clone(&made) }).await.unwrap();
    let there = |uri: &pyroxene::Uri| (client_over(&setup.network), uri.clone());
    if here {
        *client.lock().unwrap() = Some(ClientProxy::from(of_client.clone()));
        *broker.lock().unwrap() = Some(BrokerProxy::from(of_broker));
    } else {
        let (over, uri) = there(of_client.uri());
        *client.lock().unwrap() = Some(ClientProxy::from(Proxy::<Client>::lazy_with(&over, uri)));
        let (over, uri) = there(of_broker.uri());
        *broker.lock().unwrap() = Some(BrokerProxy::from(Proxy::<Broker>::lazy_with(&over, uri)));
    }
    World { journal, client: of_client.into(), _daemons: [first, second] }
}

#[actix::test]
async fn a_reentrant_method_runs_while_its_object_waits_for_it() {
    let setup = Setup::memory();
    for here in [true, false] {
        let World { journal, client, _daemons } = world(&setup, here).await;
        assert_eq!(client.ask("twice".to_owned()).await.as_deref(), Ok("1 2"), "here: {here}");
        assert_eq!(journal.read(), [1, 5, 6, 9], "within the call");
        assert_eq!(client.limit(7).await, Ok(3), "on the same state, and like any other method");
        assert_eq!(client.touch().await, Ok(0), "which is back");
    }
}

#[actix::test]
async fn no_other_call_runs_meanwhile() {
    let setup = Setup::memory();
    for here in [true, false] {
        let World { journal, client, _daemons } = world(&setup, here).await;
        let asked = tokio::spawn(client.ask("slowly".to_owned()));
        settle().await;
        let other = tokio::spawn(client.limit(7));
        assert_eq!(asked.await.unwrap().as_deref(), Ok("1"), "here: {here}");
        assert_eq!(other.await.unwrap(), Ok(2));
        assert_eq!(journal.read(), [1, 5, 9, 7]);
    }
}

#[actix::test]
async fn what_needs_the_object_to_itself_is_a_deadlock_as_ever() {
    let setup = Setup::memory();
    for here in [true, false] {
        let World { client, _daemons, .. } = world(&setup, here).await;
        assert_eq!(client.ask("touch".to_owned()).await.as_deref(), Ok("client broker client"), "here: {here}");
        assert_eq!(client.ask_alone("twice".to_owned()).await.unwrap(), "client broker client client broker client");
        assert_eq!(client.ask("twice".to_owned()).await.as_deref(), Ok("1 2"), "the next one is another");
    }
}

#[actix::test]
async fn a_batch_does_not_come_back() {
    let setup = Setup::memory();
    let World { client, _daemons, .. } = world(&setup, false).await;
    assert_eq!(client.ask("batch".to_owned()).await.as_deref(), Ok("client broker client"));
}

#[actix::test]
async fn a_reentrant_method_that_panics_ends_the_state_for_both() {
    let setup = Setup::memory();
    for here in [true, false] {
        let World { client, _daemons, .. } = world(&setup, here).await;
        let asked = client.ask("panic".to_owned()).await;
        assert!(matches!(asked, Err(CallError::Unknown(_))), "{asked:?}");
        assert_eq!(client.limit(1).await, Ok(1), "it has been made anew");
    }
}
