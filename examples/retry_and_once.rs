//! A connection that breaks at the worst moment, when the money has been paid and the reply is on its way: who knows, who asks again, and
//! how it is paid once all the same.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyroxene::wire::Limits;
use pyroxene::{CallError, Client, Daemon, DaemonConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Money, and a hand at the wire: it is cut as soon as a payment has been made.
struct Till {
    paid: u64,
    accident: Arc<AtomicBool>,
}

#[pyroxene::remote]
impl Till {
    /// Pays, and the wire is cut before anybody hears of it.
    pub fn pay(&mut self, amount: u64) -> u64 {
        self.paid += amount;
        self.accident.store(true, Ordering::Relaxed);
        self.paid
    }

    /// What has been paid. To ask twice is as good as to ask once.
    #[remote(idempotent)]
    pub fn paid(&self) -> u64 {
        self.paid
    }
}

/// The wire: passes on what comes, until there is an accident.
async fn wire(listener: TcpListener, daemon: String, accident: Arc<AtomicBool>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let (daemon, accident) = (daemon.clone(), Arc::clone(&accident));
        tokio::spawn(async move {
            let mut server = TcpStream::connect(daemon).await?;
            let ((mut asks, mut hears), (mut replies, mut takes)) = (client.split(), server.split());
            let back = async {
                let mut bytes = [0; 4_096];
                loop {
                    let read = replies.read(&mut bytes).await?;
                    if read == 0 || accident.swap(false, Ordering::Relaxed) {
                        return std::io::Result::Ok(());
                    }
                    hears.write_all(&bytes[..read]).await?;
                }
            };
            tokio::select! {
                end = tokio::io::copy(&mut asks, &mut takes) => end.map(drop),
                end = back => end,
            }
        });
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Otherwise the connection would go on over another wire, and this would be no story.
    let limits = Limits { resume_ms: 0, ..Limits::default() };
    let config = DaemonConfig { limits, ..DaemonConfig::default() };
    let daemon = Daemon::bind_with(config, Client::current(), &"127.0.0.1:0".parse()?).await?;
    let accident = Arc::new(AtomicBool::new(false));
    let (cut, next) = (Arc::clone(&accident), Arc::clone(&accident));
    daemon.supervise("till", move || Till { paid: 0, accident: Arc::clone(&cut) }).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("PYROLOC://{}/till", listener.local_addr()?);
    tokio::spawn(wire(listener, daemon.endpoint().to_string(), accident));
    let till = TillProxy::connect(uri).await?;

    // An ordinary call says the truth, which is that it does not know.
    let error = till.pay(30).await.err().ok_or("the wire was to be cut")?;
    println!("paid 30? {error}");
    assert!(matches!(error, CallError::Unknown(_)) && error.may_have_run());

    // Asking what was paid may be done as often as one likes, so it is tried again; even if the wire is cut once more.
    assert_eq!(till.paid().await?, 30);
    next.store(true, Ordering::Relaxed);
    let paid = till.paid().retry().await?;
    println!("the till says {paid}");
    assert_eq!(paid, 30);

    // A call that is to run once is tried again as well: the daemon knows it by its key, and has kept the reply.
    let paid = till.pay(12).once().await?;
    println!("paid 12, {paid} in all");
    assert_eq!(paid, 42);
    assert_eq!(till.paid().await?, 42, "it ran once");

    // When nothing helps, the error tells what was tried.
    daemon.shutdown().await;
    let error = till.pay(1).once().timeout_ms(500).await.err().ok_or("there is no daemon any more")?;
    print!("{}", pyroxene::report(&error));
    assert!(!error.may_have_run() && error.attempts() > 1);
    Ok(())
}
