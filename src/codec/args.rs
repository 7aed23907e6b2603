//! Arguments by position and by name, and the messages they become.

mod read;
#[cfg(test)]
mod tests;
mod write;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::args::read::MessageReader;
use crate::codec::budget::{Budget, Budgeted, Meter};
use crate::codec::error::EncodeError;
use crate::codec::value::Value;

/// What a method is called with by somebody who does not have its message.
///
/// ```
/// use pyroxene::args;
/// use pyroxene::codec::budget::Budget;
///
/// #[derive(serde::Deserialize, Debug, PartialEq)]
/// struct Transfer { amount: u64, to: String }
///
/// let wanted = Ok(Transfer { amount: 30, to: "bob".into() });
/// let budget = Budget::default();
/// assert_eq!(args! { amount: 30, to: "bob" }.into_message("transfer", &budget), wanted);
/// assert_eq!(args![30, "bob"].into_message("transfer", &budget), wanted);
/// assert_eq!(args![30; to: "bob"].into_message("transfer", &budget), wanted);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Args {
    /// Those without a name: they are the message's fields in order.
    pub positional: Vec<Value>,
    /// Those with the name of a field.
    pub named: Vec<(String, Value)>,
}

impl Args {
    /// None yet.
    pub fn new() -> Args {
        Args::default()
    }

    /// Adds the next one by position.
    pub fn push(&mut self, value: impl Into<Value>) -> &mut Args {
        self.positional.push(value.into());
        self
    }

    /// Gives the one with a name its value, in place of an earlier one.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) -> &mut Args {
        let (name, value) = (name.into(), value.into());
        match self.named.iter_mut().find(|(earlier, _)| *earlier == name) {
            Some((_, earlier)) => *earlier = value,
            None => self.named.push((name, value)),
        }
        self
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        self.positional.is_empty() && self.named.is_empty()
    }

    /// The arguments that a message is: its fields by name, those of a tuple struct by position, nothing for a unit, and any other
    /// type as the only argument.
    ///
    /// # Errors
    /// It does not serialize, or holds a whole number beyond 64 bits.
    pub fn from_message<M: Serialize>(message: &M) -> Result<Args, EncodeError> {
        message.serialize(write::MessageWriter).map_err(|problem| EncodeError::Unwritable {
            kind: std::any::type_name::<M>(),
            problem: problem.to_string(),
        })
    }

    /// The message that the arguments of `method` are. Fields that are optional or have a serde default may be missing; names that the
    /// message does not have are taken if their value is null, as a newer caller's optional arguments are.
    ///
    /// # Errors
    /// They do not fit the message, or cost more than the budget.
    pub fn into_message<M: DeserializeOwned>(self, method: &str, budget: &Budget) -> Result<M, ArgsError> {
        let meter = Meter::new(budget);
        let misfit = match M::deserialize(Budgeted::new(MessageReader::new(&self), &meter)) {
            Ok(message) => return Ok(message),
            Err(misfit) => misfit,
        };
        if let Some(exceeded) = meter.exceeded() {
            return Err(ArgsError::Other { method: method.to_owned(), problem: exceeded.to_string() });
        }
        // Serde says which field it misses, but not of which type.
        if let Some(field) = misfit.missed()
            && let Err(told) = M::deserialize(Budgeted::new(MessageReader::without(field), &meter))
            && told.is_missing()
        {
            return Err(told.of(method));
        }
        Err(misfit.of(method))
    }
}

/// Why arguments are not those that a method takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgsError {
    /// One is not there.
    #[error("{method}() is missing its argument {field:?}{}", type_of(expected))]
    MissingArgument {
        /// The method.
        method: String,
        /// The argument; those without a name are `#1`, `#2` and so on.
        field: String,
        /// What was expected there; empty where that cannot be told.
        expected: String,
    },
    /// There are too many by position.
    #[error("{method}() takes {}, {given} {} given", counted(takes), if *given == 1 { "was" } else { "were" })]
    Surplus {
        /// The method.
        method: String,
        /// How many there are.
        given: usize,
        /// Those it takes.
        takes: Vec<String>,
    },
    /// One has a name that the method does not know.
    #[error("{method}() has no argument {name:?}; it takes {}", listed(takes))]
    Unknown {
        /// The method.
        method: String,
        /// The name.
        name: String,
        /// Those it takes.
        takes: Vec<String>,
    },
    /// One is there twice.
    #[error("{method}() was given its argument {name:?} twice")]
    Duplicate {
        /// The method.
        method: String,
        /// The argument.
        name: String,
    },
    /// One is of another type.
    #[error("{method}() argument {field:?}: {problem}")]
    WrongType {
        /// The method.
        method: String,
        /// The argument, and where in it, such as `to.street`.
        field: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// Together they are no such message.
    #[error("{method}(): {problem}")]
    Other {
        /// The method.
        method: String,
        /// What is wrong.
        problem: String,
    },
}

fn type_of(expected: &str) -> String {
    if expected.is_empty() { String::new() } else { format!(": expected {expected}") }
}

fn listed(takes: &[String]) -> String {
    if takes.is_empty() { "none".to_owned() } else { takes.join(", ") }
}

fn counted(takes: &[String]) -> String {
    match takes.len() {
        0 => "no arguments".to_owned(),
        1 => format!("1 argument ({})", takes[0]),
        count => format!("{count} arguments ({})", takes.join(", ")),
    }
}

/// [`Args`](crate::codec::args::Args) as they would be written in a call: by position, by name, or by position and then, after a
/// semicolon, by name.
///
/// ```
/// use pyroxene::args;
///
/// assert!(args![].is_empty());
/// assert_eq!(args![1, "two"].positional.len(), 2);
/// assert_eq!(args! { amount: 30 }.named[0].0, "amount");
/// assert_eq!(args![30; to: "bob"].named[0].0, "to");
/// ```
#[macro_export]
macro_rules! args {
    () => { $crate::codec::args::Args::new() };
    ($($name:ident: $value:expr),+ $(,)?) => {{
        let mut args = $crate::codec::args::Args::new();
        $( args.set(stringify!($name).trim_start_matches("r#"), $value); )+
        args
    }};
    ($($positional:expr),+ $(,)? $(; $($name:ident: $value:expr),+ $(,)?)?) => {{
        let mut args = $crate::codec::args::Args::new();
        $( args.push($positional); )+
        $($( args.set(stringify!($name).trim_start_matches("r#"), $value); )+)?
        args
    }};
}
