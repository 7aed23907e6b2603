//! What a name server says no with: [`NamingError`].

use serde::{Deserialize, Serialize};

use crate::{
    naming::name::{Name, NameError},
    uri::{Uri, UriError},
};

/// Why the name server did not do what it was asked. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum NamingError {
    /// Nothing is registered under the name.
    #[error("nothing is registered as {name}{}", did_you_mean(nearest.as_ref()))]
    UnknownName {
        /// The name that was asked for.
        name: Name,
        /// A name in the same group that is nearly the same.
        nearest: Option<Name>,
    },
    /// The name belongs to an object already.
    #[error("{name} is taken by {by}; choose another name, or replace it if it is yours")]
    NameTaken {
        /// The name.
        name: Name,
        /// The object that has it.
        by: Uri,
    },
    /// A group was named where an object is needed.
    #[error("{name} is a group, not an object; name an object in it")]
    IsGroup {
        /// The group.
        name: Name,
    },
    /// An object was named where a group is needed.
    #[error("{name} is an object, not a group; nothing can be in it")]
    NotAGroup {
        /// The object.
        name: Name,
    },
    /// The group does not exist.
    #[error("there is no group {name}; create it, or list the group it should be in")]
    NoSuchGroup {
        /// The group.
        name: Name,
    },
    /// The group exists already.
    #[error("the group {name} exists already")]
    GroupExists {
        /// The group.
        name: Name,
    },
    /// A group that still holds something was to be deleted, but not with all it holds.
    #[error("the group {name} is not empty; delete what is in it first, or delete it recursively")]
    GroupNotEmpty {
        /// The group.
        name: Name,
    },
    /// The root, `:Pyro` and what is below it are nobody's to change.
    #[error(
        "{name} is reserved: the root itself and everything at or below :Pyro belong to Pyroxene; choose another name"
    )]
    Reserved {
        /// The name or group.
        name: Name,
    },
    /// The name belongs to somebody else.
    #[error("{name} belongs to somebody else; only its owner or an administrator may change it")]
    NotOwner {
        /// The name.
        name: Name,
    },
    /// The registration that was meant is over: the name has been registered anew since.
    #[error("generation {given} of {name} is over, {current} is current; resolve the name again")]
    StaleGeneration {
        /// The name.
        name: Name,
        /// The generation that was meant.
        given: u64,
        /// The generation the name has now.
        current: u64,
    },
    /// The text is no name.
    #[error(transparent)]
    BadName(#[from] NameError),
    /// A piece of metadata is no tag.
    #[error("{reason}")]
    BadTag {
        /// Which, what is wrong in it, and how it is written.
        reason: String,
    },
    /// More metadata than one name may carry.
    #[error("one name may carry {limit} tags")]
    TooManyTags {
        /// How many tags a name may carry.
        limit: u32,
    },
    /// This owner has as many names as one may have.
    #[error("one owner may have {limit} names; unregister some that are not needed")]
    TooMany {
        /// How many names and groups one owner may have.
        limit: u32,
    },
    /// The name server holds as much as it may.
    #[error("the name server is full: it holds {limit} names and groups; ask its operator to raise the limit")]
    Full {
        /// How many names and groups it may hold.
        limit: u32,
    },
}

/// For a piece of metadata that is no [`Tag`](crate::uri::Tag).
impl From<UriError> for NamingError {
    fn from(error: UriError) -> Self {
        Self::BadTag { reason: error.to_string() }
    }
}

fn did_you_mean(nearest: Option<&Name>) -> String {
    nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_may_have_been_meant() {
        let name: Name = ":bank.alcie".parse().unwrap();
        let unknown = NamingError::UnknownName { name: name.clone(), nearest: Some(":bank.alice".parse().unwrap()) };
        assert_eq!(unknown.to_string(), "nothing is registered as :bank.alcie; did you mean :bank.alice?");
        let unknown = NamingError::UnknownName { name, nearest: None };
        assert_eq!(unknown.to_string(), "nothing is registered as :bank.alcie");
    }

    #[test]
    fn crosses_the_wire() {
        let name: Name = ":bank.alice".parse().unwrap();
        for error in [
            NamingError::NameTaken { name: name.clone(), by: "PYRO://host:1/a".parse().unwrap() },
            NamingError::StaleGeneration { name, given: 1, current: u64::MAX },
            "a..b".parse::<Name>().unwrap_err().into(),
            "a,b".parse::<crate::uri::Tag>().unwrap_err().into(),
        ] {
            let bytes = postcard::to_stdvec(&error).unwrap();
            assert_eq!(postcard::from_bytes::<NamingError>(&bytes).unwrap(), error);
            let text = serde_json::to_string(&error).unwrap();
            assert_eq!(serde_json::from_str::<NamingError>(&text).unwrap(), error);
        }
    }
}
