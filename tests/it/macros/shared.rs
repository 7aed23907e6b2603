//! `#[pyroxene::remote]` on a trait, and on implementations of it.

use pyroxene::{CallError, Interface, Proxy};

use super::{Overdrawn, both};

/// What clients and servers share.
mod bank {
    use serde::{Deserialize, Serialize};

    use super::super::Overdrawn;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Report {
        pub(super) withdrawn: u64,
    }

    #[pyroxene::remote]
    pub(super) trait Bank {
        /// Takes money out.
        fn withdraw(&mut self, amount: u64) -> Result<u64, Overdrawn>;

        async fn audit(&mut self) -> Report;

        #[remote(idempotent)]
        fn balance(&self) -> u64;

        #[remote(oneway)]
        fn remark(&mut self, line: String);

        /// One that implementations need not write.
        fn doubled(&self) -> u64 {
            self.balance() * 2
        }
    }
}

use bank::{Bank, BankProxy};

struct Account {
    balance: u64,
    withdrawn: u64,
}

/// In another order than declared: a method's place is the trait's business.
#[pyroxene::remote]
impl Bank for Account {
    fn balance(&self) -> u64 {
        self.balance
    }

    fn remark(&mut self, line: String) {
        self.balance += line.len() as u64;
    }

    async fn audit(&mut self) -> bank::Report {
        tokio::task::yield_now().await;
        bank::Report { withdrawn: std::mem::take(&mut self.withdrawn) }
    }

    fn withdraw(&mut self, amount: u64) -> Result<u64, Overdrawn> {
        self.balance = self.balance.checked_sub(amount).ok_or_else(|| Overdrawn { short: amount - self.balance })?;
        self.withdrawn += amount;
        Ok(self.balance)
    }
}

/// Where the trait has to be named by its path.
mod vault {
    use super::super::Overdrawn;
    use super::bank;

    pub(super) struct Vault;

    #[pyroxene::remote]
    impl bank::Bank for Vault {
        fn withdraw(&mut self, amount: u64) -> Result<u64, Overdrawn> {
            Err(Overdrawn { short: amount })
        }

        async fn audit(&mut self) -> bank::Report {
            bank::Report { withdrawn: 0 }
        }

        fn balance(&self) -> u64 {
            0
        }

        fn remark(&mut self, _line: String) {}

        fn doubled(&self) -> u64 {
            1
        }
    }
}

#[actix::test]
async fn an_object_is_called_through_its_trait() {
    let (_daemon, proxies) = both(|| Account { balance: 100, withdrawn: 0 }).await;
    let mut balance = 100;
    for bank in proxies.map(BankProxy::from) {
        assert_eq!(bank.withdraw(10).await, Ok(balance - 10));
        balance -= 10;
        assert_eq!(bank.withdraw(balance + 7).await, Err(CallError::Raised(Overdrawn { short: 7 })));
        assert_eq!(bank.audit().await, Ok(bank::Report { withdrawn: 10 }));
        bank.remark("four".into());
        balance += 4;
        assert_eq!(bank.balance().await, Ok(balance));
        assert_eq!(bank.doubled().await, Ok(balance * 2));
    }
}

#[actix::test]
async fn a_proxy_to_the_trait_reaches_whatever_implements_it() {
    let (_daemon, [here, _there]) = both(|| vault::Vault).await;
    let any: Proxy<dyn Bank> = Proxy::connect(here.uri()).await.unwrap();
    let bank = BankProxy::from(any);
    assert_eq!(bank.doubled().await, Ok(1));
    let connected = BankProxy::connect(here.uri()).await.unwrap();
    assert_eq!(connected.withdraw(3).await, Err(CallError::Raised(Overdrawn { short: 3 })));
}

#[test]
fn the_table_is_the_traits() {
    let names: Vec<&str> = <dyn Bank>::METHODS.iter().map(|method| method.name).collect();
    assert_eq!(names, ["withdraw", "audit", "balance", "remark", "doubled"]);
    assert_eq!((<dyn Bank>::NAME, Account::NAME), ("Bank", "Account"));
    let of_account: Vec<&str> = Account::METHODS.iter().map(|method| method.name).collect();
    assert_eq!(of_account, names);
}
