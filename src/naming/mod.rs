//! Names and who knows them: [`Name`], the name server's interface and its errors.
//! May use `client` and everything below it, and [`crate::uri`].
//! Must never know the daemon.

mod error;
mod name;
pub mod name_server;

pub use self::{
    error::NamingError,
    name::{MAX_NAME_BYTES, MAX_NAME_PARTS, Name, NameError, NameProblem},
};
