//! What can go wrong when a daemon is bound or an object spawned.

use crate::uri::UriError;

/// Why a daemon could not be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The configuration from outside cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// The address is not one.
    #[error("cannot bind: {0}")]
    Address(#[from] UriError),
    /// The system refuses to listen there.
    #[error("cannot listen at {endpoint}: {problem}{}", advice(problem))]
    Listen {
        /// The address.
        endpoint: String,
        /// What the system said.
        problem: std::io::Error,
    },
    /// Anybody on the network could call its objects.
    #[error(
        "{endpoint} can be reached from other machines, and there is neither TLS nor a key yet that says who may call; \
         bind to 127.0.0.1, or say --insecure (`DaemonConfig::insecure`) if the network is trusted"
    )]
    Insecure {
        /// The address.
        endpoint: String,
    },
    /// Others would not know where it is.
    #[error(
        "{endpoint} is no address that others can connect to; say by which host name they reach this machine (`public_host`)"
    )]
    NoHost {
        /// The address.
        endpoint: String,
    },
    /// A panic would end the process.
    #[error(
        "this program is built with panic = \"abort\": the first panic of an object would end all of them; build with panic = \"unwind\""
    )]
    PanicAborts,
}

fn advice(problem: &std::io::Error) -> &'static str {
    match problem.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; another program has the port: choose another one, or port 0 for any free one"
        }
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 are for root",
        std::io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        _ => "",
    }
}

/// Why an object could not be spawned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no daemon that could host it, and none could be made.
    #[error("there is no daemon for it: {problem}")]
    NoDaemon {
        /// Why none could be made.
        problem: String,
    },
    /// It is to belong to an object that is not there, or has ended.
    #[error("there is no object {owner:?} here that it could belong to; host that one first")]
    NoOwner {
        /// The owner asked for.
        owner: String,
    },
    /// The daemon has an object by that name or id.
    #[error("the daemon already has an object {name:?}; choose another name, or stop that one first")]
    Taken {
        /// The name or id.
        name: String,
    },
    /// The name or id cannot be written in a URI.
    #[error("{name:?} cannot name an object: {problem}")]
    BadName {
        /// The name or id.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The factory panicked the first time.
    #[error("the factory of {name:?} panicked: {problem}")]
    Factory {
        /// The name.
        name: String,
        /// What the panic said.
        problem: String,
    },
    /// The daemon takes no new objects.
    #[error("the daemon is draining and takes no new objects")]
    Draining,
}
