//! Whatever becomes of a stream, it ends once, and its reader is told the truth.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::transport::{Network, SystemNetwork};
use pyroxene::{CallError, Daemon, DynProxy, NotStarted, Unknown, Value, args};
use tokio::time::Instant;

use super::printer::{NoPaper, Printer, printer};
use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::pair::{Pair, Setup, brittle_client_over, client_over, settle};

#[actix::test]
async fn items_come_in_order_and_then_no_more_wherever_the_object_is() {
    for setup in [Setup::memory(), Setup::tcp()] {
        let pair = setup.pair().await;
        let (there, here, meter) = printer(&pair).await;
        for printer in [&there, &here] {
            for n in [0, 1, 3, 10_000] {
                let items = printer.count(n).await.unwrap().into_vec().await;
                assert_eq!(items, Ok((0..n).collect()));
            }
            let mut items = printer.count(1).await.unwrap();
            assert_eq!(items.next().await, Some(Ok(0)));
            assert_eq!(items.next().await, None);
            assert_eq!(items.next().await, None);
            let pages = printer.pages(3, 1_000_000).await.unwrap().into_vec().await.unwrap();
            assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [1_000_000; 3], "larger than the window");
            assert_eq!(printer.units(100_000).await.unwrap().into_vec().await.unwrap().len(), 100_000);
            let refused = printer.pages(2_000_000, 1).await;
            assert_eq!(refused.err(), Some(CallError::Raised(NoPaper { pages: 2_000_000 })));
        }
        assert_eq!(meter.alive(), 0);
    }
}

#[actix::test]
async fn a_producer_that_fails_is_the_end_of_its_stream_only() {
    let pair = Pair::memory().await;
    let (there, here, meter) = printer(&pair).await;
    for printer in [&there, &here] {
        for (mut items, class, message) in [
            (printer.burn().await.unwrap(), "Pyroxene.Panicked", "it burns"),
            (printer.jam().await.unwrap(), "NoPaper", "no paper for 3 pages"),
        ] {
            for n in 0..3 {
                assert_eq!(items.next().await, Some(Ok(n)));
            }
            let Some(Err(CallError::Failed(fault))) = items.next().await else { panic!("it goes on") };
            assert_eq!((fault.class.as_str(), fault.message.as_str()), (class, message));
            assert_eq!(items.next().await, None);
            assert_eq!(items.next().await, None);
        }
        assert_eq!(printer.ping(7).await, Ok(7));
    }
    assert_eq!(meter.alive(), 0);
}

#[actix::test]
async fn a_fault_says_whose_stream_it_was() {
    let pair = Pair::memory().await;
    let (there, ..) = printer(&pair).await;
    let error = there.burn().await.unwrap().into_vec().await.unwrap_err();
    let CallError::Failed(fault) = error else { panic!("{error:?}") };
    assert_eq!((fault.object.as_str(), fault.method.as_str()), ("printer", "burn"));
    assert!(fault.traceback.iter().any(|line| line.contains("printer.rs")), "{:?}", fault.traceback);
}

#[actix::test]
async fn a_lost_connection_ends_it_at_both_ends() {
    let pair = Pair::memory().await;
    let (_, here, meter) = printer(&pair).await;
    let plan = Plan { back: Some((100_000, Fault::Break)), ..Plan::default() };
    let flaky: Arc<dyn Network> = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
    let uri = here.proxy().uri().clone();
    let there = pyroxene::Proxy::<Printer>::connect_with(&brittle_client_over(&flaky), uri).await.unwrap();
    let there = super::printer::PrinterProxy::from(there);
    let mut items = there.count(u64::MAX).await.unwrap();
    let (mut read, mut end) = (0, None);
    while let Some(item) = items.next().await {
        match item {
            Ok(n) => {
                assert_eq!(n, read);
                read += 1;
            }
            Err(error) => assert!(end.replace(error).is_none(), "it ends once"),
        }
    }
    assert!(read > 1_000, "{read}");
    assert!(matches!(end, Some(CallError::Unknown(Unknown::Disconnected { .. }))), "{end:?}");
    settle().await;
    assert_eq!(meter.alive(), 0, "its producer has stopped");
    assert_eq!(there.ping(1).await, Ok(1), "a new connection");
}

#[actix::test]
async fn whoever_drops_it_stops_the_producer() {
    let pair = Pair::memory().await;
    let (there, here, meter) = printer(&pair).await;
    for printer in [&there, &here] {
        for read in [0, 1, 5_000, 20_000] {
            let mut items = printer.count(u64::MAX).await.unwrap();
            for n in 0..read {
                assert_eq!(items.next().await, Some(Ok(n)));
            }
            assert_eq!(meter.alive(), 1);
            drop(items);
            settle().await;
            assert_eq!(meter.alive(), 0);
        }
        // One that waits is stopped as well.
        let mut ticks = printer.tick().await.unwrap();
        assert_eq!(ticks.next().await, Some(Ok(0)));
        drop(ticks);
        settle().await;
        assert_eq!(meter.alive(), 0);
    }
}

#[actix::test]
async fn a_call_that_is_dropped_at_any_moment_leaves_no_stream_behind() {
    let pair = Pair::memory().await;
    let (there, _, meter) = printer(&pair).await;
    for polls in 0..12 {
        for _ in 0..40 {
            let mut call = there.count(u64::MAX);
            for _ in 0..polls {
                let _ = crate::support::pair::poll_once(&mut call).await.map(drop);
                tokio::task::yield_now().await;
            }
        }
        settle().await;
        assert_eq!(meter.alive(), 0, "dropped after {polls} polls");
    }
    // Every place in every table is free again.
    for _ in 0..2 {
        let mut open = Vec::new();
        for _ in 0..256 {
            open.push(there.count(u64::MAX).await.unwrap());
        }
        drop(open);
        settle().await;
    }
    assert_eq!(meter.alive(), 0);
}

#[actix::test]
async fn more_streams_than_a_connection_may_have_are_refused() {
    let pair = Pair::memory().await;
    let (there, _, meter) = printer(&pair).await;
    let mut open = Vec::new();
    for _ in 0..256 {
        open.push(there.count(u64::MAX).await.unwrap());
    }
    let refused = there.count(1).await;
    assert!(matches!(refused, Err(CallError::NotStarted(NotStarted::Busy { .. }))), "{refused:?}");
    assert_eq!((meter.alive(), there.ping(3).await), (256, Ok(3)));
    open.pop();
    settle().await;
    assert!(there.count(1).await.is_ok());
}

#[actix::test]
async fn the_time_of_a_call_is_for_its_reply_and_not_for_the_stream() {
    let pair = Pair::memory().await;
    let (there, here, _) = printer(&pair).await;
    for printer in [&there, &here] {
        let mut ticks = printer.tick().timeout_ms(100).await.unwrap();
        let start = Instant::now();
        for n in 0..100 {
            assert_eq!(ticks.next().await, Some(Ok(n)));
        }
        assert!(start.elapsed() >= Duration::from_secs(99));
    }
}

#[actix::test]
async fn a_daemon_that_ends_waits_for_streams_and_then_says_that_it_ended_them() {
    let pair = Setup { drain_ms: 5_000, ..Setup::memory() }.pair().await;
    let (there, _, meter) = printer(&pair).await;
    let mut ticks = there.tick().await.unwrap();
    let mut items = there.count(50_000).await.unwrap();
    settle().await;
    let daemon = pair.daemon.clone();
    let shutdown = actix_rt::spawn(async move { daemon.shutdown().await });
    settle().await;
    for n in 0..50_000 {
        assert_eq!(items.next().await, Some(Ok(n)), "it goes on");
    }
    assert_eq!(items.next().await, None);
    let (mut seen, mut end) = (0, None);
    while let Some(tick) = ticks.next().await {
        match tick {
            Ok(_) => seen += 1,
            Err(error) => end = Some(error),
        }
    }
    assert!((4..=7).contains(&seen), "{seen} seconds");
    assert_eq!(end, Some(CallError::Unknown(Unknown::Aborted { object: "printer".into() })));
    shutdown.await.unwrap();
    settle().await;
    assert_eq!(meter.alive(), 0);
}

#[actix::test]
async fn by_name_items_are_values() {
    let daemon = Daemon::bind("127.0.0.1:0").await.unwrap();
    let printer = daemon.supervise("printer", Printer::default).await.unwrap();
    let network: Arc<dyn Network> = Arc::new(SystemNetwork);
    let there = DynProxy::connect_with(&client_over(&network), printer.uri()).await.unwrap();
    let local = DynProxy::connect(printer.uri()).await.unwrap();
    for printer in [&there, &local] {
        let items = printer.items("count", args![3]).await.unwrap().into_vec().await;
        assert_eq!(items, Ok(vec![Value::from(0), Value::from(1), Value::from(2)]));
        let refused = printer.items("pages", args![2_000_000, 1]).await;
        assert!(matches!(refused, Err(CallError::Failed(fault)) if fault.class == "NoPaper"));
        let error = printer.items("jam", args![]).await.unwrap().into_vec().await;
        assert!(matches!(error, Err(CallError::Failed(fault)) if fault.class == "NoPaper"));
        // Each kind of method is called in its own way.
        let refused = printer.call("count", args![3]).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "did not run: count cannot be called so: its reply is a stream of items: call it with `items`"
        );
        let refused = printer.items("ping", args![3]).await.unwrap_err();
        assert!(matches!(refused, CallError::NotStarted(NotStarted::Unsupported { .. })), "{refused:?}");
    }
}
