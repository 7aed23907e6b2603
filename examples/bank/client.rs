//! The client: finds the account by its name and calls it.

use pyroxene::CallError;

use crate::shared::{BankProxy, Entry, Overdrawn};

pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The server may still be starting.
    let alice = BankProxy::connect("PYRONAME://bank.alice").wait_secs(5).await?;

    let left = alice.withdraw(30).await?;
    println!("withdrew 30, {left} are left");
    assert_eq!(left, 70);

    // The error is the one that the account raised, with its fields; whether a call ran is in its type.
    match alice.withdraw(100).await {
        Err(CallError::Raised(Overdrawn { short, .. })) => println!("the account said no: {short} short"),
        other => panic!("100 of 70 cannot be withdrawn: {other:?}"),
    }

    // Not waited for, and in order all the same.
    alice.remark("poor Alice".to_owned());
    let book = alice.book().await?;
    println!("{book:?}");
    assert_eq!(book, [Entry::Withdrawn { amount: 30, left: 70 }, Entry::Remark("poor Alice".to_owned())]);
    assert_eq!(alice.balance().timeout_ms(1_000).await?, 70);
    Ok(())
}
