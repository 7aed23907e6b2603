//! Nobody waits for ever: the time of a call travels with it, into the calls made on its behalf, and what nobody waits for any more is stopped.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::time::Duration;

use pyroxene::{CallContext, CallError, Daemon, Unknown};

#[derive(Default)]
struct Oven {
    roasts: u32,
}

#[pyroxene::remote]
impl Oven {
    /// Takes an hour, unless the guest has left by then.
    #[remote(cancellable)]
    pub async fn roast(&mut self) -> u32 {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        self.roasts += 1;
        self.roasts
    }

    pub fn roasts(&self) -> u32 {
        self.roasts
    }
}

struct Waiter {
    oven: OvenProxy,
}

#[pyroxene::remote]
impl Waiter {
    /// Brings a roast, or says why there is none.
    pub async fn bring_roast(&self) -> String {
        let left = CallContext::current().map(|call| call.deadline.duration_since(tokio::time::Instant::now()));
        println!("the waiter has {left:?} left, and so has the kitchen");
        match self.oven.roast().await {
            Ok(number) => format!("roast {number}"),
            Err(error) => error.to_string(),
        }
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let oven = OvenProxy::from(daemon.supervise("oven", Oven::default).await?);
    let for_waiter = oven.clone();
    let waiter = daemon.supervise("waiter", move || Waiter { oven: for_waiter.clone() }).await?;
    let waiter = WaiterProxy::from(waiter);

    // A guest in a hurry. The waiter asks the kitchen on the guest's behalf, so the kitchen has no more time than the guest. When it is over, the
    // guest listens a little longer, and mostly hears how it ended.
    match waiter.bring_roast().timeout_ms(100).await {
        Ok(excuse) => println!("the waiter says: {excuse}"),
        Err(error) => {
            println!("{error}");
            assert!(matches!(error, CallError::Unknown(Unknown::OutOfTime { .. })) && error.may_have_run());
        }
    }
    // Its time was over in the kitchen as well: the oven is free, and was not restarted for it.
    assert_eq!(oven.roasts().await?, 0);

    // A guest who leaves: whoever drops the call has given it up.
    let order = tokio::spawn(oven.roast());
    tokio::task::yield_now().await;
    order.abort();
    assert_eq!(oven.roasts().await?, 0, "the oven would be busy for an hour");

    daemon.shutdown().await;
    Ok(())
}
