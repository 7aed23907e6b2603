//! Absolute names in the tree of groups: [`Name`].

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};

use crate::uri::{misleads, quoted};

/// The longest absolute name, in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// How many parts a name may have, its groups included.
pub const MAX_NAME_PARTS: usize = 16;

/// The group nobody but Pyroxene itself registers in.
const RESERVED: &str = ":Pyro";

/// The absolute name of an object or a group: `:bank.alice` is `alice` in the group `:bank`, and `:` is the root.
///
/// A part has no whitespace, `.`, `:`, `/`, `@`, backslash, control or invisible characters. Users write names absolute or
/// relative; a relative one starts in the client's default group, which is the root unless it is configured.
///
/// ```
/// use pyroxene::naming::Name;
///
/// let bank: Name = ":bank".parse()?;
/// let alice = Name::absolute("alice", &bank)?;
/// assert_eq!(alice.to_string(), ":bank.alice");
/// assert_eq!(alice, "bank.alice".parse()?);
/// assert!(alice.is_within(&bank));
/// # Ok::<(), pyroxene::naming::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(Arc<str>);

/// Text that is no name, and what is wrong in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("`{text}` is no name: {problem}; write it like :bank.alice, a part for each group and one for the object")]
pub struct NameError {
    /// The beginning of the text, escaped.
    pub text: String,
    /// What is wrong.
    pub problem: NameProblem,
}

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum NameProblem {
    /// There is no text.
    #[error("it is empty")]
    Empty,
    /// The absolute name has more bytes than are allowed.
    #[error("it has {bytes} bytes where {limit} are allowed")]
    TooLong {
        /// How many bytes it has.
        bytes: u32,
        /// How many it may have.
        limit: u32,
    },
    /// The absolute name has more parts than are allowed.
    #[error("it has {parts} parts where {limit} are allowed")]
    TooDeep {
        /// How many parts it has.
        parts: u32,
        /// How many it may have.
        limit: u32,
    },
    /// Two dots in a row, or one at an end.
    #[error("a part of it is empty")]
    EmptyPart,
    /// A character that is invisible, misleading or means something else in a URI.
    #[error("it must not have {character:?} (byte {position})")]
    Character {
        /// The first such character.
        character: char,
        /// Where it is, in bytes from the start of the text.
        position: u32,
    },
}

impl Name {
    /// The root group, `:`.
    pub fn root() -> Self {
        Self(":".into())
    }

    /// The name in `text`: as it is if it begins with `:`, else in `default_group`.
    ///
    /// # Errors
    /// The text is empty, too long or too deep, or has an empty part or a character that is not allowed.
    pub fn absolute(text: &str, default_group: &Self) -> Result<Self, NameError> {
        let refused = |problem| NameError { text: quoted(text), problem };
        check_text(text).map_err(refused)?;
        let absolute = match text {
            _ if text.starts_with(':') => text.to_owned(),
            _ if default_group.is_root() => format!(":{text}"),
            _ => format!("{default_group}.{text}"),
        };
        check_parts(&absolute).map_err(refused)?;
        Ok(Self(absolute.into()))
    }

    /// The group this name is in; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        match self.0.rsplit_once('.') {
            Some((group, _)) => Some(Self(group.into())),
            None if self.is_root() => None,
            None => Some(Self::root()),
        }
    }

    /// The last part: what the object or group is called within its group. Empty for the root.
    pub fn last(&self) -> &str {
        match self.0.rsplit_once('.') {
            Some((_, last)) => last,
            None => &self.0[1..],
        }
    }

    /// Whether this is the root group.
    pub fn is_root(&self) -> bool {
        &*self.0 == ":"
    }

    /// Whether this is `group` itself or anywhere below it.
    pub fn is_within(&self, group: &Self) -> bool {
        group.is_root() || self.has_prefix(&group.0)
    }

    /// Whether this is `:Pyro` or below it, where nobody but Pyroxene itself registers.
    pub fn is_reserved(&self) -> bool {
        self.has_prefix(RESERVED)
    }

    /// The absolute name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn has_prefix(&self, group: &str) -> bool {
        self.0.strip_prefix(group).is_some_and(|below| below.is_empty() || below.starts_with('.'))
    }
}

/// Length and characters of a name as it was written.
fn check_text(text: &str) -> Result<(), NameProblem> {
    if text.is_empty() {
        return Err(NameProblem::Empty);
    }
    check_length(text)?;
    let refused = |&(position, character): &(usize, char)| match character {
        ':' => position > 0,
        '/' | '@' | '\\' => true,
        _ => misleads(character),
    };
    match text.char_indices().find(refused) {
        Some((position, character)) => Err(NameProblem::Character { character, position: saturated(position) }),
        None => Ok(()),
    }
}

/// Length and parts of a name that begins with `:`.
fn check_parts(absolute: &str) -> Result<(), NameProblem> {
    check_length(absolute)?;
    let parts = absolute[1..].split('.');
    if absolute != ":" && parts.clone().any(str::is_empty) {
        return Err(NameProblem::EmptyPart);
    }
    match parts.count() {
        parts if parts > MAX_NAME_PARTS => {
            Err(NameProblem::TooDeep { parts: saturated(parts), limit: saturated(MAX_NAME_PARTS) })
        }
        _ => Ok(()),
    }
}

fn check_length(text: &str) -> Result<(), NameProblem> {
    match text.len() {
        bytes if bytes > MAX_NAME_BYTES => {
            Err(NameProblem::TooLong { bytes: saturated(bytes), limit: saturated(MAX_NAME_BYTES) })
        }
        _ => Ok(()),
    }
}

fn saturated(amount: usize) -> u32 {
    u32::try_from(amount).unwrap_or(u32::MAX)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Relative names start at the root.
impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::absolute(text, &Self::root())
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
