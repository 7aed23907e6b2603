//! A room, and guests that only connect to it.

use std::sync::{Arc, Mutex};

use pyroxene::client::client::Client;
use pyroxene::daemon::placement::Here;
use pyroxene::transport::Network;
use pyroxene::uri::Uri;
use pyroxene::{Daemon, DaemonConfig, Items, Proxy};

use crate::support::memory::MemoryNetwork;
use crate::support::pair::client_over;

/// What was heard, outside of whoever heard it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Hears what is said, and knows others.
#[derive(Default)]
pub(crate) struct Guest {
    heard: Heard,
    friend: Option<GuestProxy>,
}

#[pyroxene::remote]
impl Guest {
    pub fn hear(&mut self, line: String) -> u64 {
        let mut heard = self.heard.0.lock().unwrap();
        heard.push(line);
        heard.len() as u64
    }

    /// The same after a while.
    pub async fn hear_slowly(&mut self, line: String) -> u64 {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        self.hear(line)
    }

    #[remote(oneway)]
    pub fn overhear(&mut self, line: String) {
        self.heard.0.lock().unwrap().push(line);
    }

    pub fn count(&self, to: u64) -> Items<u64> {
        Items::of(0..to)
    }

    pub fn befriend(&mut self, friend: GuestProxy) {
        self.friend = Some(friend);
    }

    pub fn friend(&self) -> Option<GuestProxy> {
        self.friend.clone()
    }

    #[remote(cancellable)]
    pub async fn never(&self) {
        std::future::pending::<()>().await;
    }

    pub fn fail(&mut self) {
        panic!("enough");
    }
}

/// Knows its guests.
#[derive(Default)]
pub(crate) struct Room {
    guests: Vec<GuestProxy>,
}

#[pyroxene::remote]
impl Room {
    pub fn enter(&mut self, guest: GuestProxy) {
        self.guests.push(guest);
    }

    pub fn enter_all(&mut self, guests: std::collections::BTreeMap<String, (Option<GuestProxy>, u8)>) {
        self.guests.extend(guests.into_values().filter_map(|(guest, _)| guest));
    }

    pub fn leave_all(&mut self) {
        self.guests.clear();
    }

    pub fn guests(&self) -> Vec<GuestProxy> {
        self.guests.clone()
    }

    /// Tells every guest; how many lines each has heard by then.
    pub async fn say(&mut self, line: String) -> Result<Vec<u64>, Deaf> {
        let mut heard = Vec::new();
        for guest in &self.guests {
            heard.push(guest.hear(line.clone()).await.map_err(|error| Deaf(error.to_string(), error.may_have_run()))?);
        }
        Ok(heard)
    }
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Deaf(pub(crate) String, pub(crate) bool);

/// The daemon of the room, whose client is that of the runtime.
pub(crate) struct World {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) room: RoomProxy,
    _daemon: Daemon,
    _client: Client,
}

/// Somebody with a daemon that does not listen.
pub(crate) struct Visitor {
    pub(crate) client: Client,
    pub(crate) daemon: Daemon,
    pub(crate) room: RoomProxy,
    pub(crate) guest: GuestProxy,
    pub(crate) heard: Heard,
}

impl World {
    /// In memory, with paused time.
    pub(crate) async fn new() -> World {
        tokio::time::pause();
        World::over(Arc::new(MemoryNetwork::default())).await
    }

    pub(crate) async fn over(network: Arc<dyn Network>) -> World {
        let client = client_over(&network);
        client.install();
        let daemon = Daemon::bind_with(config(), client.clone(), &"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let room = RoomProxy::from(daemon.supervise("room", Room::default).await.unwrap());
        World { network, room, _daemon: daemon, _client: client }
    }

    pub(crate) fn uri(&self) -> Uri {
        self.room.proxy().uri().clone()
    }

    pub(crate) async fn visitor(&self) -> Visitor {
        self.visitor_over(&self.network).await
    }

    pub(crate) async fn visitor_over(&self, network: &Arc<dyn Network>) -> Visitor {
        self.visitor_of(client_over(network)).await
    }

    pub(crate) async fn visitor_of(&self, client: Client) -> Visitor {
        let daemon = Daemon::unbound_with(config(), client.clone()).await.unwrap();
        let heard = Heard::default();
        let factory = {
            let heard = heard.clone();
            move || Guest { heard: heard.clone(), friend: None }
        };
        let guest = GuestProxy::from(daemon.supervise("guest", factory).await.unwrap());
        let room = self.room_for(&client).await;
        Visitor { client, daemon, room, guest, heard }
    }

    /// The room over a connection of this client.
    pub(crate) async fn room_for(&self, client: &Client) -> RoomProxy {
        RoomProxy::from(Proxy::<Room>::connect_with(client, self.uri()).await.unwrap())
    }
}

pub(crate) fn config() -> DaemonConfig {
    DaemonConfig { placement: Some(Arc::new(Here)), ..DaemonConfig::default() }
}
