//! Objects that fail: the state is thrown away and made anew, callers are told the truth, others do not notice; and enough is enough.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use pyroxene::{CallError, Daemon, NotStarted, Restart};

#[derive(Default)]
struct Vault {
    opened: u32,
}

#[pyroxene::remote]
impl Vault {
    /// Opens the vault; says how often it has been opened.
    pub fn open(&mut self, combination: u32) -> u32 {
        self.opened += 1;
        assert_ne!(combination, 13, "the alarm went off");
        self.opened
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let policy = Restart::on_failure().at_most(2).within_secs(60).backoff_ms(10..50);
    let vault = VaultProxy::from(daemon.object("vault", Vault::default).restart(policy).spawn().await?);
    let bystander = VaultProxy::from(daemon.supervise("bystander", Vault::default).await?);
    assert_eq!(vault.open(1).await?, 1);
    assert_eq!(vault.open(2).await?, 2);

    // A panic ends the call, not the object: the factory makes a new one, and the proxy stays as good as it was.
    let error = vault.open(13).await.expect_err("13 is unlucky");
    println!("{}", pyroxene::report(&error));
    assert!(matches!(error, CallError::Failed(_)) && error.may_have_run());
    assert_eq!(vault.open(1).await?, 1, "a new vault, never opened before");
    assert!(vault.open(13).await.is_err());
    assert_eq!(vault.open(1).await?, 1);

    // Beyond what its policy forgives it stays failed, and says so at once.
    assert!(vault.open(13).await.is_err());
    let error = loop {
        match vault.open(1).await {
            Err(error @ CallError::NotStarted(NotStarted::ObjectFailed { .. })) => break error,
            outcome => println!("not yet: {outcome:?}"),
        }
    };
    println!("{error}");
    assert!(!error.may_have_run());

    assert_eq!(bystander.open(1).await?, 1, "nobody else noticed");
    daemon.shutdown().await;
    Ok(())
}
