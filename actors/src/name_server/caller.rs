//! Who changes names, and what they may change: [`Caller`].

use pyroxene::naming::{Name, NamingError};

/// Who names belong to: one incarnation of a daemon, or one principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(pub u128);

impl OwnerId {
    /// What runs in the name server's own process.
    pub const THIS_PROCESS: OwnerId = OwnerId(0);
    /// Whoever calls without a session, as Pyro 5 does: they cannot be told apart, and share what they register.
    pub const ANYBODY: OwnerId = OwnerId(u128::MAX);

    /// The client that keeps this session.
    pub(super) fn of_session(session: u128) -> OwnerId {
        if session == 0 { OwnerId::ANYBODY } else { OwnerId(session) }
    }
}

/// Who asks for a change, and what they may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Who new names will belong to.
    pub owner: OwnerId,
    /// What they may change.
    pub rights: Rights,
}

/// What a caller may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    /// Names of their own.
    Own,
    /// Everybody's names, but not those that are reserved.
    Admin,
    /// All names: the caller is Pyroxene itself.
    Pyroxene,
}

impl Caller {
    /// What is reserved is for Pyroxene itself.
    pub(super) fn check_reserved(&self, name: &Name) -> Result<(), NamingError> {
        if name.is_reserved() && self.rights < Rights::Pyroxene {
            return Err(NamingError::Reserved { name: name.clone() });
        }
        Ok(())
    }

    /// A name that `owner` has is for them and for administrators.
    pub(super) fn check_may_change(&self, name: &Name, owner: OwnerId) -> Result<(), NamingError> {
        self.check_reserved(name)?;
        if owner != self.owner && self.rights < Rights::Admin {
            return Err(NamingError::NotOwner { name: name.clone() });
        }
        Ok(())
    }
}
