//! Objects with several shared traits.

use pyroxene::{CallError, DynProxy, Interface, Proxy, RemoteObject};

use super::{Overdrawn, both};

mod traits {
    use super::super::Overdrawn;

    #[pyroxene::remote]
    pub(super) trait Teller {
        fn pay_in(&mut self, amount: u64) -> u64;
        async fn pay_out(&mut self, amount: u64) -> Result<u64, Overdrawn>;
    }

    #[pyroxene::remote]
    pub(super) trait Auditor {
        /// What there should be.
        fn balance(&self) -> u64;
        async fn count_slowly(&self) -> u64;
        #[remote(oneway)]
        fn note(&mut self, line: String);
        fn notes(&self) -> Vec<String>;
    }
}

use traits::{Auditor, AuditorProxy, Teller, TellerProxy};

#[derive(Default, RemoteObject)]
#[remote(facets(Teller, Auditor))]
struct Till {
    balance: u64,
    notes: Vec<String>,
}

impl Teller for Till {
    fn pay_in(&mut self, amount: u64) -> u64 {
        self.balance += amount;
        self.balance
    }

    async fn pay_out(&mut self, amount: u64) -> Result<u64, Overdrawn> {
        tokio::task::yield_now().await;
        self.balance = self.balance.checked_sub(amount).ok_or_else(|| Overdrawn { short: amount - self.balance })?;
        Ok(self.balance)
    }
}

impl Auditor for Till {
    fn balance(&self) -> u64 {
        self.balance
    }

    async fn count_slowly(&self) -> u64 {
        tokio::task::yield_now().await;
        self.balance
    }

    fn note(&mut self, line: String) {
        self.notes.push(line);
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

#[actix::test]
async fn facets_of_one_object_share_its_state() {
    let (_daemon, proxies) = both(Till::default).await;
    let mut balance = 0;
    for (at, till) in proxies.into_iter().enumerate() {
        let (teller, auditor) = (TellerProxy::from(till.clone()), AuditorProxy::from(till));
        balance += 30;
        assert_eq!(teller.pay_in(30).await, Ok(balance));
        assert_eq!((auditor.balance().await, auditor.count_slowly().await), (Ok(balance), Ok(balance)));
        balance -= 10;
        assert_eq!(teller.pay_out(10).await, Ok(balance));
        assert_eq!(teller.pay_out(100).await, Err(CallError::Raised(Overdrawn { short: 100 - balance })));
        auditor.note(format!("found {balance}"));
        assert_eq!(auditor.notes().await.map(|notes| notes.len()), Ok(at + 1));
    }
}

#[actix::test]
async fn whoever_knows_one_trait_connects_to_the_same_uri() {
    let (_daemon, [here, there]) = both(Till::default).await;
    for till in [here, there] {
        let teller = TellerProxy::connect(till.uri()).await.unwrap();
        let auditor: Proxy<dyn Auditor> = Proxy::connect(till.uri()).await.unwrap();
        let before = AuditorProxy::from(auditor.clone()).balance().await.unwrap();
        assert_eq!(teller.pay_in(7).await, Ok(before + 7));
        let as_auditor = AuditorProxy::from(teller.proxy().cast::<dyn Auditor>());
        assert_eq!(as_auditor.balance().await, Ok(before + 7));
    }
}

#[actix::test]
async fn all_of_them_are_described() {
    let (_daemon, [here, _there]) = both(Till::default).await;
    let any = DynProxy::connect(here.uri().clone()).await.unwrap();
    let described = any.describe().await.unwrap();
    let names: Vec<&str> = described.methods.iter().map(|method| method.name.as_str()).collect();
    assert_eq!(names, ["pay_in", "pay_out", "balance", "count_slowly", "note", "notes"]);
    assert_eq!(described.methods[2].doc, "What there should be.");
}

#[test]
fn an_object_without_a_facet_is_not_taken_for_one() {
    let names: Vec<&str> = Till::METHODS.iter().map(|method| method.name).collect();
    assert_eq!(names[..2], <dyn Teller>::METHODS.iter().map(|method| method.name).collect::<Vec<_>>());
    assert_eq!(names[2..], <dyn Auditor>::METHODS.iter().map(|method| method.name).collect::<Vec<_>>());
}
