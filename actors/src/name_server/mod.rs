//! The name server: the tree of names, their owners and their leases.
//! May use what `pyroxene` exports, like any guest.
//! Must never know sockets or the host's insides.

mod caller;
mod entry;
mod groups;
mod lease;
mod nearest;
pub mod registry;
mod tag_index;
