//! Callbacks: guests of a chat room are called by the room, over the connections that they have opened. They listen nowhere, so it does not
//! matter what firewall they are behind.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

mod support;

use std::collections::BTreeMap;

use pyroxene::Daemon;
use tokio::sync::mpsc;

/// Lives in another process, and knows its guests by what they gave it: references.
#[derive(Default)]
struct Room {
    guests: BTreeMap<String, GuestProxy>,
}

#[pyroxene::remote]
impl Room {
    pub fn enter(&mut self, name: String, guest: GuestProxy) {
        self.guests.insert(name, guest);
    }

    /// Tells everybody; those who have gone are guests no more.
    pub async fn say(&mut self, name: String, line: String) -> u64 {
        let mut gone = Vec::new();
        for (guest, proxy) in &self.guests {
            if proxy.hear(format!("{name}: {line}")).await.is_err() {
                gone.push(guest.clone());
            }
        }
        gone.iter().for_each(|guest| drop(self.guests.remove(guest)));
        self.guests.len() as u64
    }

    pub fn find(&self, name: String) -> Option<GuestProxy> {
        self.guests.get(&name).cloned()
    }
}

struct Guest {
    heard: mpsc::UnboundedSender<String>,
}

#[pyroxene::remote]
impl Guest {
    pub fn hear(&mut self, line: String) {
        let _ = self.heard.send(line);
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if support::is_server() {
        return Ok(pyroxene::serve("chat.room", Room::default).await?);
    }
    let _server = support::start().await?;
    let room = RoomProxy::connect("PYRONAME://chat.room").wait_secs(5).await?;

    // No address, no port.
    let daemon = Daemon::unbound().await?;
    let (sender, mut heard) = mpsc::unbounded_channel();
    for name in ["eve", "bob"] {
        let heard = sender.clone();
        let guest = daemon.supervise(name, move || Guest { heard: heard.clone() }).await?;
        room.enter(name.to_owned(), guest.into()).await?;
    }
    assert_eq!(room.say("eve".to_owned(), "hello".to_owned()).await?, 2);
    for _ in 0..2 {
        let line = heard.recv().await;
        println!("{line:?}");
        assert_eq!(line.as_deref(), Some("eve: hello"));
    }

    // A reference that comes back to where its object is leads there without a detour.
    let bob = room.find("bob".to_owned()).await?.ok_or("bob has left")?;
    bob.hear("psst".to_owned()).await?;
    assert!(bob.proxy().is_local());
    assert_eq!(heard.recv().await.as_deref(), Some("psst"));

    daemon.stop("bob");
    assert_eq!(room.say("eve".to_owned(), "where is bob?".to_owned()).await?, 1);
    Ok(())
}
