//! What of an object can be read, written and watched from afar: its attributes, those of what is nested in it, and nothing else.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::collections::BTreeMap;

use pyroxene::{AttributeError, CallError, Daemon, DynProxy, Proxy, RemoteAttributes, args};

#[derive(Default, RemoteAttributes)]
struct Address {
    #[remote(attr)]
    street: String,
    /// How often it was another one.
    #[remote(attr(read))]
    moves: u32,
}

#[pyroxene::remote(nested)]
impl Address {
    pub fn move_to(&mut self, street: String) {
        self.street = street;
        self.moves += 1;
    }
}

#[derive(Default)]
struct Account {
    owner: String,
    balance: u64,
    history: Vec<u64>,
    rates: BTreeMap<String, f64>,
    address: Address,
}

#[derive(Debug, thiserror::Error)]
#[error("an account has an owner")]
struct NoOwner;

#[pyroxene::remote]
impl Account {
    /// Who has it; with `set_owner` it can be written.
    #[remote(attr)]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    pub fn set_owner(&mut self, owner: String) -> Result<(), NoOwner> {
        if owner.is_empty() {
            return Err(NoOwner);
        }
        self.owner = owner;
        Ok(())
    }

    #[remote(attr)]
    pub fn balance(&self) -> u64 {
        self.balance
    }

    #[remote(attr)]
    pub fn history(&self) -> Vec<u64> {
        self.history.clone()
    }

    #[remote(attr)]
    pub fn rates(&self) -> BTreeMap<String, f64> {
        self.rates.clone()
    }

    pub fn set_rates(&mut self, rates: BTreeMap<String, f64>) {
        self.rates = rates;
    }

    #[remote(nested)]
    pub fn address(&mut self) -> &mut Address {
        &mut self.address
    }

    pub fn deposit(&mut self, amount: u64) {
        self.balance += amount;
        self.history.push(amount);
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let opened = || Account { owner: "alice".to_owned(), ..Account::default() };
    let proxy: Proxy<Account> = daemon.supervise("bank.alice", opened).await?;

    // By the names that the account has for them, and their types.
    let account = AccountProxy::from(proxy.clone());
    account.set_owner("eve").await?;
    assert_eq!(account.owner().await?, "eve");
    let refused = account.set_owner("").await.expect_err("an account has an owner");
    println!("{refused}");

    // By path: places of lists, keys of maps, and what is nested.
    account.deposit(30).await?;
    proxy.set("rates[\"eur\"]", &1.1).await?;
    assert_eq!(proxy.get::<u64>("history[0]").await?, 30);
    assert_eq!(proxy.get_all::<(u64, f64)>(["balance", "rates[\"eur\"]"]).await?, (30, 1.1));

    // Without its type. A method of what is nested reaches the real one.
    let any = DynProxy::connect(proxy.uri()).await?;
    any.set("address.street", "Elm St 1").await?;
    any.call("address.move_to", args!["Elm St 2"]).await?;
    assert_eq!(any.get("address").await?.to_string(), r#"{"street":"Elm St 2","moves":1}"#);

    // What is not there is not made by writing it.
    for path in ["adress.street", "address.moves", "history[7]"] {
        let error = any.set(path, "?").await.expect_err("it cannot be written");
        println!("{error}");
        assert!(matches!(error, CallError::Raised(_)));
    }

    // Two who change it at once do not undo each other.
    proxy.compare_and_set("owner", "eve", "bob").await?;
    let late = proxy.compare_and_set("owner", "eve", "mallory").await;
    assert!(matches!(late, Err(CallError::Raised(AttributeError::Changed { found, .. })) if found == "bob".into()));

    // Its value now, and each one after that.
    let mut balances = proxy.changes::<u64>("balance").await?;
    assert_eq!(balances.next().await, Some(Ok(30)));
    account.deposit(12).await?;
    assert_eq!(balances.next().await, Some(Ok(42)));
    println!("the balance is 42 now");
    daemon.shutdown().await;
    Ok(())
}
