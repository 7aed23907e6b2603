//! The server: the account itself, and one line that serves it.

use crate::shared::{Bank, Entry, Overdrawn};

struct Account {
    balance: u64,
    book: Vec<Entry>,
}

#[pyroxene::remote]
impl Bank for Account {
    fn withdraw(&mut self, amount: u64) -> Result<u64, Overdrawn> {
        let overdrawn = Overdrawn { wanted: amount, short: amount.saturating_sub(self.balance) };
        self.balance = self.balance.checked_sub(amount).ok_or(overdrawn)?;
        self.book.push(Entry::Withdrawn { amount, left: self.balance });
        Ok(self.balance)
    }

    fn balance(&self) -> u64 {
        self.balance
    }

    fn remark(&mut self, line: String) {
        self.book.push(Entry::Remark(line));
    }

    fn book(&self) -> Vec<Entry> {
        self.book.clone()
    }
}

/// Serves the account under its name until the process is asked to end.
pub async fn main() -> Result<(), pyroxene::ServeError> {
    pyroxene::serve("bank.alice", || Account { balance: 100, book: Vec::new() }).await
}
