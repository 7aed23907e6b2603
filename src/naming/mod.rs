//! Names and who knows them: [`Name`], the name server's interface and proxy, how a name server is found.
//!
//! - May use: `client` and everything below it.
//! - Must never know: the daemon.

mod error;
pub mod group;
mod interface;
pub mod locate;
mod name;
pub mod name_server;
pub mod resolve;
pub mod server;

pub use self::{
    error::NamingError,
    group::{ConnectGroup, Group},
    interface::NameServerInterface,
    name::{MAX_NAME_BYTES, MAX_NAME_PARTS, Name, NameError, NameProblem},
    server::NameServer,
};
