//! What server and client share: the interface and what travels. In a larger program this is a crate of its own, which does not need actix.

use serde::{Deserialize, Serialize};

/// What an account can be asked.
#[pyroxene::remote]
pub trait Bank {
    /// Takes money out; says what is left.
    fn withdraw(&mut self, amount: u64) -> Result<u64, Overdrawn>;

    /// What is in it.
    #[remote(idempotent)]
    fn balance(&self) -> u64;

    /// Writes a line into its book.
    #[remote(oneway)]
    fn remark(&mut self, line: String);

    /// What stands in its book.
    fn book(&self) -> Vec<Entry>;
}

/// A line of the book.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    Withdrawn { amount: u64, left: u64 },
    Remark(String),
}

/// There is not enough in the account.
#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{short} short of {wanted}")]
pub struct Overdrawn {
    pub wanted: u64,
    pub short: u64,
}
