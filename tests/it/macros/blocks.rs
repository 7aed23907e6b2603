//! `#[pyroxene::remote]` on the `impl` block of a plain struct.

use pyroxene::object::interface::MethodFlags;
use pyroxene::{CallError, Interface, remote};
use serde::{Deserialize, Serialize};

use super::{Overdrawn, both};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Account {
    balance: u64,
    remarks: Vec<String>,
}

#[pyroxene::remote]
impl Account {
    /// Takes money out.
    ///
    /// All at once.
    pub fn withdraw(&mut self, amount: u64) -> Result<u64, Overdrawn> {
        self.balance = self.balance.checked_sub(amount).ok_or_else(|| Overdrawn { short: amount - self.balance })?;
        Ok(self.balance)
    }

    #[remote(idempotent)]
    pub fn balance(&self) -> u64 {
        self.balance
    }

    #[remote(oneway)]
    pub fn remark(&mut self, line: String) {
        self.remarks.push(line);
    }

    pub async fn remarks_about(&self, word: String) -> Vec<String> {
        tokio::task::yield_now().await;
        self.remarks.iter().filter(|line| line.contains(&word)).cloned().collect()
    }

    pub async fn transfer(&mut self, mut amount: u64, fee: u64) -> Result<u64, Overdrawn> {
        amount += fee;
        let before = self.balance;
        tokio::task::yield_now().await;
        assert_eq!(self.balance, before, "it has the object to itself");
        self.withdraw(amount)
    }

    pub async fn settle(&mut self) {
        self.remarks.clear();
    }

    #[remote(name = "type")]
    pub fn kind(&self, r#if: Option<Self>) -> (u64, Self) {
        let other = r#if.unwrap_or_default();
        (self.balance, other)
    }

    pub fn opened_with(balance: u64) -> Self {
        assert!(Self::is_allowed(balance));
        Account { balance, remarks: Vec::new() }
    }

    fn is_allowed(balance: u64) -> bool {
        balance <= 1_000
    }
}

#[actix::test]
async fn methods_look_local() {
    let (_daemon, proxies) = both(|| Account::opened_with(100)).await;
    let mut balance = 100;
    for account in proxies.map(AccountProxy::from) {
        assert_eq!(account.withdraw(10).await, Ok(balance - 10));
        balance -= 10;
        assert_eq!(account.withdraw(balance + 7).await, Err(CallError::Raised(Overdrawn { short: 7 })));
        assert_eq!(account.balance().timeout_ms(5_000).await, Ok(balance));
        account.remark("a good bank".into());
        account.remark("a bad day".into());
        assert_eq!(account.remarks_about("good".into()).await, Ok(vec!["a good bank".to_owned()]));
        assert_eq!(account.transfer(9, 1).await, Ok(balance - 10));
        balance -= 10;
        assert_eq!(account.transfer(balance, 2).await, Err(CallError::Raised(Overdrawn { short: 2 })));
        assert_eq!(account.settle().await, Ok(()));
        assert_eq!(account.remarks_about(String::new()).await, Ok(Vec::new()));
        let other = Account::opened_with(3);
        assert_eq!(account.kind(Some(other.clone())).await, Ok((balance, other)));
    }
}

#[actix::test]
async fn a_typed_proxy_is_connected_and_travels() {
    let (_daemon, [here, _there]) = both(|| Account::opened_with(100)).await;
    let connected = AccountProxy::connect(here.uri()).wait_secs(5).await.unwrap();
    let text = serde_json::to_string(&connected.clone()).unwrap();
    assert_eq!(text, serde_json::to_string(&here).unwrap(), "it travels as its URI");
    let again: AccountProxy = serde_json::from_str(&text).unwrap();
    assert_eq!(again.balance().await, Ok(100));
    assert_eq!(again.proxy().uri(), here.uri());
}

#[test]
fn only_methods_are_in_the_table() {
    let names: Vec<&str> = Account::METHODS.iter().map(|method| method.name).collect();
    assert_eq!(names, ["withdraw", "balance", "remark", "remarks_about", "transfer", "settle", "type"]);
    assert_eq!(Account::METHODS[0].doc, "Takes money out.");
    assert_eq!(Account::METHODS[1].flags, MethodFlags::IDEMPOTENT);
    assert_eq!(Account::METHODS[2].flags, MethodFlags::ONEWAY);
}

#[actix::test]
async fn it_can_stand_in_a_function() {
    #[derive(Default)]
    struct Counter {
        count: u64,
    }

    #[derive(Serialize, Deserialize)]
    struct Step(u64);

    #[remote]
    impl Counter {
        pub fn step(&mut self, mut step: Step) -> Step {
            self.count += step.0;
            step.0 = self.count;
            step
        }
    }

    let (_daemon, proxies) = both(Counter::default).await;
    let mut counted = Vec::new();
    for counter in proxies.map(CounterProxy::from) {
        counted.push(counter.step(Step(2)).await.unwrap().0);
    }
    assert_eq!(counted, [2, 4]);
}
