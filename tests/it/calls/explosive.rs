//! Values whose own code panics while they are written: it costs the call, and nobody else.

use pyroxene::{CallError, NotStarted};
use serde::ser::{Serialize, SerializeTuple, Serializer};

use crate::support::pair::Pair;

/// Panics when the half of it has been written.
#[derive(Debug, PartialEq, serde::Deserialize)]
struct Explosive(u8, u8);

impl Serialize for Explosive {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(2)?;
        tuple.serialize_element(&self.0)?;
        // Finding out its signature writes one with zeros.
        assert!(self.0 < 100, "{} is explosive", self.0);
        tuple.serialize_element(&self.1)?;
        tuple.end()
    }
}

#[derive(Default)]
struct Store {
    sold: u8,
}

#[pyroxene::remote]
impl Store {
    pub fn keep(&mut self, item: Explosive) -> u8 {
        item.0
    }

    pub fn sell(&mut self, number: u8) -> Explosive {
        self.sold += 1;
        Explosive(number, self.sold)
    }
}

#[actix::test]
async fn a_reply_that_panics_while_it_is_written_is_a_fault_and_the_connection_goes_on() {
    let pair = Pair::memory().await;
    let store = StoreProxy::from(pair.host("store", Store::default).await);
    let CallError::Failed(fault) = store.sell(100).await.unwrap_err() else { panic!("it cannot be written") };
    assert_eq!((fault.class.as_str(), fault.message.as_str()), ("Pyroxene.Panicked", "100 is explosive"));
    assert_eq!((fault.object.as_str(), fault.method.as_str()), ("store", "sell"));
    assert_eq!(store.sell(7).await, Ok(Explosive(7, 2)), "its state is what it was");
    assert_eq!(pair.worker.run(1).await, Ok(1));
}

#[actix::test]
async fn a_message_that_panics_while_it_is_written_is_not_sent_and_the_connection_goes_on() {
    let pair = Pair::memory().await;
    let store = StoreProxy::from(pair.host("store", Store::default).await);
    let error = store.keep(Explosive(100, 0)).await.unwrap_err();
    let CallError::NotStarted(NotStarted::NotSent { problem, .. }) = &error else { panic!("{error:?}") };
    assert!(problem.contains("100 is explosive"), "{problem}");
    assert_eq!(store.keep(Explosive(7, 0)).await, Ok(7));
    assert_eq!(pair.worker.run(1).await, Ok(1));
}
