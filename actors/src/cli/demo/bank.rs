//! The account that the demonstration is about.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is in an account when it is opened.
pub(super) const OPENING: u64 = 100;
/// How long its audit takes, milliseconds.
pub(super) const AUDIT_MS: u64 = 600;

/// What is shown of this file.
pub(super) const LISTING: &str = r#"#[pyroxene::remote]
impl Account {
    pub fn withdraw(&mut self, amount: u64) -> Result<u64, Overdrawn> { … }
    pub fn balance(&self) -> u64 { … }
    …
}
"#;

/// There is not enough in the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{short} short")]
pub(super) struct Overdrawn {
    /// So much is missing.
    pub(super) short: u64,
}

/// An account of the bank.
#[derive(Debug)]
pub(super) struct Account {
    balance: u64,
    remarks: Vec<String>,
}

impl Default for Account {
    fn default() -> Self {
        Account { balance: OPENING, remarks: Vec::new() }
    }
}

#[pyroxene::remote]
impl Account {
    /// Takes money out; says what is left.
    pub fn withdraw(&mut self, amount: u64) -> Result<u64, Overdrawn> {
        let short = amount.saturating_sub(self.balance);
        self.balance = self.balance.checked_sub(amount).ok_or(Overdrawn { short })?;
        Ok(self.balance)
    }

    /// What is in the account.
    #[remote(idempotent)]
    pub fn balance(&self) -> u64 {
        self.balance
    }

    /// Writes something into the account's book.
    #[remote(oneway)]
    pub fn remark(&mut self, line: String) {
        self.remarks.push(line);
    }

    /// What stands in the account's book.
    pub fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }

    /// Counts all the money, which takes its time.
    pub async fn audit(&self) -> u64 {
        tokio::time::sleep(Duration::from_millis(AUDIT_MS)).await;
        self.balance
    }

    /// Has a bug.
    pub fn open_vault(&mut self) -> u64 {
        self.balance = 0;
        panic!("the key to the vault is lost");
    }
}
