//! A stream goes as fast as it is read, and nobody else waits for it.

use pyroxene::wire::stream::WINDOW_ITEMS;

use super::printer::printer;
use crate::support::pair::{Pair, Setup, settle};

/// Items that a producer may be ahead of its reader: those under way, and the frame that is made next.
const AHEAD: u64 = WINDOW_ITEMS as u64 + 1_024 + 1;

#[actix::test]
async fn a_million_items_pass_through_a_small_window() {
    for setup in [Setup::memory(), Setup::tcp()] {
        let pair = setup.pair().await;
        let (there, _, meter) = printer(&pair).await;
        let mut items = there.count(1_000_000).await.unwrap();
        let mut read = 0;
        while let Some(item) = items.next().await {
            assert_eq!(item, Ok(read));
            read += 1;
            assert!(meter.made() <= read + AHEAD, "{} made, {read} read", meter.made());
        }
        assert_eq!((read, meter.made(), meter.alive()), (1_000_000, 1_000_000, 0));
    }
}

#[actix::test]
async fn a_reader_that_never_reads_costs_a_window_and_delays_nobody() {
    let pair = Pair::memory().await;
    let (there, _, meter) = printer(&pair).await;
    let silent = there.count(u64::MAX).await.unwrap();
    let pages = there.pages(1_000_000, 10_000).await.unwrap();
    settle().await;
    let made = meter.made();
    assert!(made <= AHEAD + 40, "{made}");
    for n in 0..1_000 {
        assert_eq!(there.ping(n).await, Ok(n));
    }
    let other = there.count(10_000).await.unwrap().into_vec().await.unwrap();
    assert_eq!(other.len(), 10_000);
    assert_eq!(meter.made(), made + 10_000, "nothing more was made for those that are not read");
    drop((silent, pages));
    settle().await;
    assert_eq!(meter.alive(), 0);
}

#[actix::test]
async fn many_streams_go_on_beside_calls() {
    let pair = Pair::memory().await;
    let (there, _, meter) = printer(&pair).await;
    let readers: Vec<_> = (0..50_u64)
        .map(|number| {
            let there = there.clone();
            actix_rt::spawn(async move {
                let n = 1_000 * (number + 1);
                let mut items = there.count(n).await.unwrap();
                for expected in 0..n {
                    assert_eq!(items.next().await, Some(Ok(expected)));
                    if expected % 500 == number {
                        assert_eq!(there.ping(expected).await, Ok(expected));
                    }
                }
                assert_eq!(items.next().await, None);
            })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(meter.alive(), 0);
}

#[actix::test]
async fn items_of_every_size_pass() {
    let pair = Pair::memory().await;
    let (there, ..) = printer(&pair).await;
    for bytes in [0, 1, 100, 16_383, 16_384, 16_385, 100_000, 131_071, 131_072, 262_143, 262_144, 300_000] {
        let mut pages = there.pages(5, bytes).await.unwrap();
        for n in 0..5_u8 {
            assert_eq!(pages.next().await, Some(Ok(vec![n; bytes as usize])), "{bytes} bytes");
        }
        assert_eq!(pages.next().await, None);
    }
}
