//! Workers that are called as one: jobs are spread over them, go on to the next when one ends, and a new one has its share as soon as it comes.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::collections::BTreeMap;
use std::sync::Arc;

use pyroxene::client::client::ClientConfig;
use pyroxene::naming::group::member;
use pyroxene::naming::locate::LocateConfig;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::object::local::LocalDaemons;
use pyroxene::{CallError, Client, Daemon, Group, NameServer};
use pyroxene_actors::name_server;

struct Worker {
    name: String,
    done: u32,
}

#[pyroxene::remote]
impl Worker {
    /// Renders a page; says who did.
    pub fn render(&mut self, _page: u32) -> String {
        self.done += 1;
        self.name.clone()
    }

    /// How many pages it has rendered.
    #[remote(idempotent)]
    pub fn done(&self) -> u32 {
        self.done
    }
}

/// A program is a process of its own, with its own client; here they are all in one.
fn client(names: &Daemon) -> Client {
    let locate = LocateConfig { server: Some(names.endpoint().clone()), ..LocateConfig::default() };
    let resolver = NameResolver { locate, ..NameResolver::default() };
    Client::new(ClientConfig { local: LocalDaemons::default(), ..ClientConfig::default() }, Arc::new(resolver))
}

/// What each worker's program does, up to the moment where it would wait for SIGTERM by `daemon.run().await`. All are the same program, so each
/// takes a name that nobody else has.
async fn serve(names: &Daemon) -> Result<Daemon, Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let name = member("workers");
    let own = name.clone();
    daemon.supervise(&name, move || Worker { name: own.clone(), done: 0 }).await?;
    daemon.announce(NameServer::at(&client(names), names.endpoint())?).await?;
    Ok(daemon)
}

/// Who rendered how many of these pages.
async fn render(workers: &Group<Worker>, pages: std::ops::Range<u32>) -> Result<BTreeMap<String, usize>, CallError> {
    let mut rendered = BTreeMap::new();
    for page in pages {
        let by = workers.call(|worker: &WorkerProxy| worker.render(page)).await?;
        *rendered.entry(by).or_default() += 1;
    }
    Ok(rendered)
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let names = Daemon::bind("127.0.0.1:0").await?;
    name_server::start(&names).await?;
    let mut daemons = Vec::new();
    for _ in 0..3 {
        daemons.push(serve(&names).await?);
    }
    let client = client(&names);
    let workers = Group::<Worker>::connect_with(&client, "PYRONAME://workers").await?;

    let rendered = render(&workers, 0..30).await?;
    println!("30 pages: {rendered:?}");
    assert_eq!(rendered.values().copied().collect::<Vec<_>>(), [10, 10, 10]);

    // What belongs to one author is rendered by one worker.
    let of_alice = workers.by_key("alice");
    assert_eq!(render(&of_alice, 0..10).await?.len(), 1);

    // One ends. Its share is taken over at once, and nobody hears of it.
    if let Some(first) = daemons.pop() {
        first.shutdown().await;
    }
    let rendered = render(&workers, 30..50).await?;
    println!("20 pages by two of them: {rendered:?}");
    assert_eq!((rendered.len(), rendered.values().sum::<usize>()), (2, 20));

    // A new one comes.
    daemons.push(serve(&names).await?);
    while workers.members().len() < 3 || render(&workers, 50..53).await?.len() < 3 {
        // It is found within seconds.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        render(&workers, 50..53).await?;
    }

    for (name, done) in workers.all(|worker: &WorkerProxy| worker.done()).await {
        println!("{name} has rendered {} pages", done?);
    }
    for daemon in daemons {
        daemon.shutdown().await;
    }
    Ok(())
}
