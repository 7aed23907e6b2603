//! A bank account: defined, served under a name, found by it and called; the server is another process. Of this file's lines `support` is
//! what only an example needs.

mod support;

use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{0} short")]
struct Overdrawn(u64);

struct Account(u64);

#[pyroxene::remote]
impl Account {
    /// Takes money out.
    pub fn withdraw(&mut self, amount: u64) -> Result<u64, Overdrawn> {
        self.0 = self.0.checked_sub(amount).ok_or(Overdrawn(amount.saturating_sub(self.0)))?;
        Ok(self.0)
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if support::is_server() {
        return Ok(pyroxene::serve("bank.alice", || Account(100)).await?);
    }
    let _server = support::start().await?;
    let account = AccountProxy::connect("PYRONAME://bank.alice").wait_secs(5).await?;
    assert_eq!(account.withdraw(30).await?, 70);
    assert_eq!(account.withdraw(100).await, Err(pyroxene::CallError::Raised(Overdrawn(30))));
    Ok(())
}
