//! A bank with more accounts than it keeps in memory: each is made when it is called, and saved when it makes room for another one. The next
//! bank goes on with what was saved.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pyroxene::{CallError, Daemon, DirectoryStore, DynProxy, NotStarted, Proxy, Snapshot, Value, args};
use serde::{Deserialize, Serialize};

const ACCOUNTS: u64 = 200;
const IN_MEMORY: usize = 20;

struct Account {
    kept: Kept,
    open: Open,
}

/// What is to be known of an account when it is made again.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Kept {
    pence: u64,
    // Snapshots from before there was such a thing have none.
    #[serde(default)]
    deposits: u64,
}

#[pyroxene::remote]
impl Account {
    /// Pays in; what is there now.
    pub fn deposit(&mut self, pence: u64) -> u64 {
        self.kept.pence += pence;
        self.kept.deposits += 1;
        self.kept.pence
    }

    /// How often something was paid in.
    pub fn deposits(&self) -> u64 {
        self.kept.deposits
    }

    /// How many accounts are in memory.
    pub fn neighbours(&self) -> u64 {
        self.open.0.load(Ordering::SeqCst)
    }
}

impl Snapshot for Account {
    type Kept = Kept;

    fn snapshot(&self) -> Option<Kept> {
        // Of an account that nobody has paid into, nothing need be kept.
        (self.kept.deposits > 0).then(|| self.kept.clone())
    }
}

/// Counts accounts.
struct Open(Arc<AtomicU64>);

impl Open {
    fn new(open: &Arc<AtomicU64>) -> Open {
        open.fetch_add(1, Ordering::SeqCst);
        Open(Arc::clone(open))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A bank that keeps its accounts in this directory.
async fn bank(directory: &Path) -> Result<(Daemon, Proxy<Account>), Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let open = Arc::<AtomicU64>::default();
    let accounts = daemon
        .keyed("bank", move |_number: &str, kept: Option<Kept>| Account {
            kept: kept.unwrap_or_default(),
            open: Open::new(&open),
        })
        .store(DirectoryStore::open(directory)?)
        .keys(|number| number.len() == 3 && number.bytes().all(|digit| digit.is_ascii_digit()))
        .at_most(IN_MEMORY)
        .idle_secs(60)
        .spawn()
        .await?;
    Ok((daemon, accounts))
}

fn account(bank: &Proxy<Account>, number: u64) -> Result<AccountProxy, Box<dyn std::error::Error>> {
    Ok(AccountProxy::from(bank.key(&format!("{number:03}"))?))
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("pyroxene-bank-{}", std::process::id()));
    let (daemon, accounts) = bank(&directory).await?;
    for number in 0..ACCOUNTS {
        assert_eq!(account(&accounts, number)?.deposit(number).await?, number);
    }
    let in_memory = account(&accounts, 0)?.neighbours().retry().await?;
    println!("{ACCOUNTS} accounts were paid into, {in_memory} of them are in memory");
    assert!(in_memory <= IN_MEMORY as u64);

    // Not everything is the number of an account.
    let error = AccountProxy::from(accounts.key("bob")?).deposits().await.expect_err("bob is no number");
    println!("{error}");
    assert!(matches!(error, CallError::NotStarted(NotStarted::NoSuchObject { .. })));

    // Whoever asks about an account does not disturb it.
    let described = account(&accounts, 1)?.proxy().describe().await?;
    println!("{} is {}", described.id, described.state);

    daemon.shutdown().await;
    let (daemon, accounts) = bank(&directory).await?;
    for number in (0..ACCOUNTS).step_by(7) {
        let account = account(&accounts, number)?;
        assert_eq!((account.deposit(1).retry().await?, account.deposits().retry().await?), (number + 1, 2));
    }
    // From elsewhere an account is found by where the bank is and its number.
    let uri = format!("PYROLOC://{}/bank.042", daemon.endpoint());
    let pence = DynProxy::connect(&uri).await?.call("deposit", args![8]).await?;
    println!("{pence} pence are in the account at {uri}");
    assert_eq!(pence, Value::from(51));
    daemon.shutdown().await;
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}
