//! The pieces of text a URI is made of, each checked once when it is made: [`ObjectId`], [`NameText`], [`Tag`].

use super::error::UriProblem;

/// Declares a piece of text that is checked when it is made, shared when it is cloned, and travels as a string.
macro_rules! checked_text {
    ($(#[$attribute:meta])* $name:ident, $what:literal, $example:literal, $check:path) => {
        $(#[$attribute])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            #[doc = concat!("Checks `text` and makes it a `", stringify!($name), "`.")]
            ///
            /// # Errors
            /// The text is empty, too long, or has a character that is not allowed.
            pub fn new(text: &str) -> Result<Self, $crate::uri::UriError> {
                Self::checked(text, "it").map_err(|flaw| flaw.in_text($what, text, $example))
            }

            pub(super) fn checked(text: &str, part: &'static str) -> Result<Self, $crate::uri::error::Flaw> {
                match $check(text) {
                    Ok(text) => Ok(Self(text.into())),
                    Err(problem) => Err($crate::uri::error::Flaw { part, problem }),
                }
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::uri::UriError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::uri::UriError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(&text)
            }
        }

        /// The text itself, which is shared already.
        impl From<$name> for std::sync::Arc<str> {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}
pub(super) use checked_text;

checked_text! {
    /// What a daemon calls one of its objects: 1 to 256 bytes without whitespace, `/`, `@`, control or invisible
    /// characters. Opaque to everybody else.
    ObjectId, "object id", "bank.alice", check_object_id
}

checked_text! {
    /// A name as it stands in a URI, absolute (`:bank.alice`) or relative (`alice`): 1 to 256 bytes without whitespace,
    /// `/`, `@`, backslash, control or invisible characters, and `:` at most at its beginning.
    NameText, "name", "bank.alice", check_name
}

checked_text! {
    /// One piece of metadata that objects are found by: 1 to 128 bytes without whitespace, `,`, `@`, control or invisible
    /// characters.
    Tag, "tag", "teller", check_tag
}

/// How an id begins that nobody chose, as in Pyro 5.
const GENERATED: &str = "obj_";
/// How the id of an object begins that a daemon does not host itself.
const RELAYED: &str = "via_";

impl ObjectId {
    /// An id that nobody else has: `obj_` and 32 random hex digits.
    pub fn generate() -> ObjectId {
        let random: u128 = rand::random();
        ObjectId(format!("{GENERATED}{random:032x}").into())
    }

    /// Whether nobody chose this id, so that it belongs to one incarnation of its daemon.
    pub fn is_generated(text: &str) -> bool {
        text.strip_prefix(GENERATED).is_some_and(is_random) || ObjectId::relayed(text).is_some()
    }

    /// What a daemon calls the object `own` that is not its own, but that of a client which it knows by the number `relay`: `via_`, 32 hex
    /// digits, `~` and the client's id.
    ///
    /// # Errors
    /// The client's id is too long for that.
    pub fn via(relay: u128, own: &ObjectId) -> Result<ObjectId, crate::uri::UriError> {
        ObjectId::new(&format!("{RELAYED}{relay:032x}~{own}"))
    }

    /// The number of the client and its own id of the object, if this id was made by [`via`](ObjectId::via).
    pub fn relayed(text: &str) -> Option<(u128, &str)> {
        let (relay, own) = text.strip_prefix(RELAYED)?.split_once('~')?;
        let relay = if is_random(relay) { u128::from_str_radix(relay, 16).ok()? } else { return None };
        (!own.is_empty()).then_some((relay, own))
    }
}

fn is_random(digits: &str) -> bool {
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

const MAX_OBJECT_ID_BYTES: usize = 256;
const MAX_NAME_BYTES: usize = 256;
const MAX_TAG_BYTES: usize = 128;

fn check_object_id(text: &str) -> Result<&str, UriProblem> {
    check(text, MAX_OBJECT_ID_BYTES, |_, character| matches!(character, '/' | '@'))
}

fn check_name(text: &str) -> Result<&str, UriProblem> {
    check(text, MAX_NAME_BYTES, |position, character| match character {
        ':' => position > 0,
        '/' | '@' | '\\' => true,
        _ => false,
    })
}

fn check_tag(text: &str) -> Result<&str, UriProblem> {
    check(text, MAX_TAG_BYTES, |_, character| matches!(character, ',' | '@'))
}

/// `text` if it is there, has at most `limit` bytes, and nothing in it is misleading or `refused`.
fn check(text: &str, limit: usize, refused: impl Fn(usize, char) -> bool) -> Result<&str, UriProblem> {
    check_size(text, limit)?;
    match text.char_indices().find(|&(position, character)| misleads(character) || refused(position, character)) {
        Some((position, character)) => Err(UriProblem::Character { character, position }),
        None => Ok(text),
    }
}

/// `text` if it is there and has at most `limit` bytes.
pub(super) fn check_size(text: &str, limit: usize) -> Result<&str, UriProblem> {
    match text.len() {
        0 => Err(UriProblem::Missing),
        bytes if bytes > limit => Err(UriProblem::TooLong { bytes, limit }),
        _ => Ok(text),
    }
}

/// Whether a character makes two texts look alike that are not, or one look like what it is not: whitespace, control
/// characters, what is invisible or changes the direction of writing, and accents that stand apart from their letter.
pub(crate) fn misleads(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}'
            | '\u{e0000}'..='\u{e0fff}')
}
