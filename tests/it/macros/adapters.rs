//! Types of other crates that are made objects.

use std::collections::BTreeMap;

use pyroxene::CallError;

use super::both;

/// Plays the other crate, which knows nothing of pyroxene.
mod thermometers {
    #[derive(Default)]
    pub(super) struct Thermometer {
        celsius: f64,
    }

    impl Thermometer {
        pub(super) fn celsius(&self) -> f64 {
            self.celsius
        }

        pub(super) fn calibrate(&mut self, by: f64) {
            self.celsius += by;
        }

        pub(super) async fn settle(&mut self) -> f64 {
            tokio::task::yield_now().await;
            self.celsius
        }

        pub(super) fn label(&self, of: &str) -> &'static str {
            if of == "unit" { "°C" } else { "?" }
        }

        pub(super) fn melt(&mut self) {
            panic!("too hot");
        }
    }
}

#[pyroxene::remote(adapter = thermometers::Thermometer)]
trait Thermometer {
    /// What it shows.
    #[remote(idempotent)]
    fn celsius(&self) -> f64;
    fn calibrate(&mut self, by: f64);
    async fn settle(&mut self) -> f64;
    fn melt(&mut self);

    /// The type borrows, callers cannot.
    fn label(&self, of: String) -> String {
        self.0.label(&of).to_owned()
    }
}

#[actix::test]
async fn a_foreign_type_is_called_by_the_methods_that_are_listed() {
    let (_daemon, proxies) = both(|| ThermometerAdapter(thermometers::Thermometer::default())).await;
    for thermometer in proxies.map(ThermometerProxy::from) {
        assert_eq!(thermometer.calibrate(1.5).await, Ok(()));
        assert_eq!(thermometer.celsius().await, Ok(1.5));
        assert_eq!(thermometer.settle().await, Ok(1.5));
        assert_eq!(thermometer.label("unit".to_owned()).await.as_deref(), Ok("°C"));
        let failed = thermometer.melt().await;
        assert!(matches!(failed, Err(CallError::Failed(_))), "{failed:?}");
        assert_eq!(thermometer.celsius().await, Ok(0.0), "the factory has made it anew");
    }
}

#[pyroxene::remote(adapter = BTreeMap<String, u64>)]
trait Stock {
    fn insert(&mut self, item: String, count: u64) -> Option<u64>;
    fn len(&self) -> usize;
    fn pop_first(&mut self) -> Option<(String, u64)>;

    fn count(&self, item: String) -> u64 {
        self.0.get(&item).copied().unwrap_or(0)
    }
}

#[actix::test]
async fn so_is_a_type_of_std() {
    let (_daemon, [here, there]) = both(|| StockAdapter::from(BTreeMap::from([("pears".to_owned(), 3)]))).await;
    let (here, there) = (StockProxy::from(here), StockProxy::from(there));
    assert_eq!(there.insert("apples".to_owned(), 7).await, Ok(None));
    assert_eq!(here.insert("apples".to_owned(), 8).await, Ok(Some(7)));
    assert_eq!((here.len().await, there.count("apples".to_owned()).await), (Ok(2), Ok(8)));
    assert_eq!(there.pop_first().await, Ok(Some(("apples".to_owned(), 8))));
}
