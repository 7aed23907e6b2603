//! The peers, each in a file of its own, as its own documentation recommends: TCP without delay, one thread.

#[cfg(feature = "capnp")]
mod capnp;
#[cfg(feature = "kameo")]
mod kameo;
mod pyro;
pub mod pyroxene;
#[cfg(feature = "ractor")]
mod ractor;
mod raw;
#[cfg(feature = "remoc")]
mod remoc;
#[cfg(feature = "tarpc")]
mod tarpc;
#[cfg(feature = "tonic")]
mod tonic;

use std::io;

use ::pyroxene::Spin;
use tokio::runtime::{Builder, Runtime};

use crate::peer::Peer;

/// What all others are compared with.
pub const RAW: &dyn Peer = &raw::Raw;

/// In the order of the table.
pub const PEERS: &[&dyn Peer] = &[
    &pyroxene::Pyroxene { spin: Spin::Off },
    &pyroxene::Pyroxene { spin: Spin::Auto },
    &pyroxene::Batched,
    &pyroxene::Streamed,
    #[cfg(feature = "tarpc")]
    &tarpc::Tarpc,
    #[cfg(feature = "tonic")]
    &tonic::Tonic,
    #[cfg(feature = "capnp")]
    &capnp::Capnp,
    #[cfg(feature = "ractor")]
    &ractor::Ractor,
    #[cfg(feature = "kameo")]
    &kameo::Kameo,
    #[cfg(feature = "remoc")]
    &remoc::Remoc,
    &pyro::Pyro,
];

/// Those that this program was built without: what `--only` calls them.
pub const LEFT_OUT: &[&str] = &[
    #[cfg(not(feature = "tarpc"))]
    "tarpc",
    #[cfg(not(feature = "tonic"))]
    "tonic",
    #[cfg(not(feature = "capnp"))]
    "capnp",
    #[cfg(not(feature = "ractor"))]
    "ractor",
    #[cfg(not(feature = "kameo"))]
    "kameo",
    #[cfg(not(feature = "remoc"))]
    "remoc",
];

/// One thread, which is all that a process has to run on here.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_say_the_versions_that_are_locked() {
        let lock = include_str!("../../Cargo.lock");
        for title in PEERS.iter().map(|peer| peer.title()) {
            let mut words = title.split(' ');
            if let (Some(name), Some(version)) = (words.next(), words.next().filter(|word| word.contains('.'))) {
                let locked = format!("name = \"{name}\"\nversion = \"{version}.");
                assert!(lock.contains(&locked), "{title} is not the version in Cargo.lock");
            }
        }
    }

    #[test]
    fn no_two_peers_are_called_the_same() {
        let mut ids: Vec<_> =
            PEERS.iter().map(|peer| peer.id()).chain(LEFT_OUT.iter().copied()).chain([RAW.id()]).collect();
        ids.sort_unstable();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    }
}
