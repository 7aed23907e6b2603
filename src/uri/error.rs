//! What can be wrong with the text of a URI or of one of its parts.

/// Text that is no URI, or no part of one: which, what is wrong in it, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}: {part} {problem}; write it like {example}")]
pub struct UriError {
    text: String,
    what: &'static str,
    part: &'static str,
    problem: UriProblem,
    example: &'static str,
}

/// What is wrong with a URI or with one of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriProblem {
    /// There is nothing where something must be.
    #[error("is missing")]
    Missing,
    /// It has more bytes than are allowed.
    #[error("has {bytes} bytes where {limit} are allowed")]
    TooLong {
        /// How many bytes it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// It holds a character that would be invisible, misleading or mean something else in a URI.
    #[error("must not have {character:?} (byte {position})")]
    Character {
        /// The first such character.
        character: char,
        /// Where it is, in bytes from the start of the part.
        position: usize,
    },
    /// The text does not begin as any URI does.
    #[error("must be PYRO, PYRONAME, PYROLOC or PYROMETA")]
    Scheme,
    /// A port that is not a number from 0 to 65535.
    #[error("must be a number from 0 to 65535")]
    Port,
    /// Something in brackets, or with several colons, that is not an IPv6 address in brackets.
    #[error("must be a host name, an IPv4 address or an IPv6 address in brackets")]
    Host,
    /// Tags, where one object has to be meant.
    #[error("means any object with its tags, and cannot have a key")]
    Keyless,
    /// A path that ends in `/`, and so cannot be a socket's.
    #[error("must not end in a slash")]
    Directory,
}

impl UriError {
    /// What is wrong.
    pub fn problem(&self) -> UriProblem {
        self.problem
    }
}

/// A problem and the part it is in, before it is known which text it came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flaw {
    pub(super) part: &'static str,
    pub(super) problem: UriProblem,
}

impl Flaw {
    /// The error for `text`, which was to be a `what`. Text from afar may be long or hostile: it is cut and escaped.
    pub(super) fn in_text(self, what: &'static str, text: &str, example: &'static str) -> UriError {
        let text = quoted(text);
        UriError { text, what, part: self.part, problem: self.problem, example }
    }
}

/// How many characters of the offending text an error repeats.
const QUOTED_CHARACTERS: usize = 80;

/// `text` as it may stand in an error or a log: one line, nothing invisible, not too long.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(QUOTED_CHARACTERS).flat_map(char::escape_debug).collect();
    if text.chars().nth(QUOTED_CHARACTERS).is_some() {
        quoted.push('…');
    }
    quoted
}
