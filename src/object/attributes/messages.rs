//! The methods that read and write attributes. Two of them have the names and arguments that Pyro's clients call.

use serde::{Deserialize, Serialize};

use crate::codec::Value;
use crate::object::attributes::AttributeError;
use crate::object::interface::{Method, MethodFlags};
use crate::object::items::{Incoming, ItemSource, Items};
use crate::object::message::RemoteMessage;

/// Reads an attribute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetAttribute {
    /// Its path.
    pub name: String,
}
/// Writes an attribute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetAttribute {
    /// Its path.
    pub name: String,
    /// Its new value.
    pub value: Value,
}
/// Reads several attributes at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetAttributes {
    /// Their paths.
    pub names: Vec<String>,
}
/// Writes an attribute if it has an expected value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompareAndSet {
    /// Its path.
    pub name: String,
    /// The value it is to have.
    pub expected: Value,
    /// Its new value.
    pub value: Value,
}
/// Watches an attribute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WatchAttribute {
    /// Its path.
    pub name: String,
}

/// The methods that every object with attributes has, in this order.
pub const METHODS: &[Method] = &[
    Method::of::<GetAttribute>(),
    Method::of::<SetAttribute>(),
    Method::of::<GetAttributes>(),
    Method::of::<CompareAndSet>(),
    Method::of::<WatchAttribute>(),
];

/// Whether no other method may have this name.
pub fn is_reserved(name: &str) -> bool {
    METHODS.iter().any(|method| method.name == name)
}

macro_rules! messages {
    ($($message:ident $name:literal $reply:ty, $flags:expr, $doc:literal;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl RemoteMessage for $message {
            type Output = Result<$reply, AttributeError>;
            type Reply = $reply;
            type Error = AttributeError;
            const METHOD: &'static str = $name;
            const FLAGS: MethodFlags = $flags;
            const DOC: &'static str = $doc;

            fn outcome(output: Self::Output) -> Self::Output {
                output
            }
        }
    )*};
}

messages! {
    GetAttribute "__getattr__" Value, MethodFlags::IDEMPOTENT, "Reads an attribute.";
    SetAttribute "__setattr__" (), MethodFlags::IDEMPOTENT, "Writes an attribute.";
    GetAttributes "__getattrs__" Vec<Value>, MethodFlags::IDEMPOTENT, "Reads several attributes at one moment.";
    CompareAndSet "__casattr__" (), MethodFlags::NONE, "Writes an attribute if it has an expected value.";
}

#[diagnostic::do_not_recommend]
impl RemoteMessage for WatchAttribute {
    type Output = Result<Items<Value>, AttributeError>;
    type Reply = Items<Value>;
    type Error = AttributeError;
    const METHOD: &'static str = "__watchattr__";
    const FLAGS: MethodFlags = MethodFlags::IDEMPOTENT.with(MethodFlags::STREAM);
    const DOC: &'static str = "Watches an attribute.";

    fn outcome(output: Self::Output) -> Self::Output {
        output
    }

    fn into_items(reply: Items<Value>) -> Result<Box<dyn ItemSource>, Items<Value>> {
        Ok(Box::new(reply))
    }

    fn from_items(incoming: Box<dyn Incoming>) -> Option<Items<Value>> {
        Some(Items::incoming(incoming))
    }
}
