//! What is known of an object: asked of the daemon that has it, by whoever has a proxy.

use serde::{Deserialize, Serialize};

use crate::object::interface::MethodFlags;
use crate::object::message::RemoteMessage;
use crate::object::signature::{Schemas, Shape, Signature};

/// The id of the object of each daemon that tells about the others.
pub const DAEMON_ID: &str = "Pyro.Daemon";

/// Asks for all that is known of one of a daemon's objects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Describe {
    /// Its id, or the name it was given.
    pub object: String,
}

/// All that is known of an object; what [`DynProxy::describe`](crate::DynProxy::describe) ends with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Its id.
    pub id: String,
    /// The name it was given.
    pub name: Option<String>,
    /// Its type.
    pub kind: String,
    /// The version of the package that its type is from; empty where that is not known.
    #[serde(default)]
    pub version: String,
    /// The object that it belongs to, by its name, or else by its id.
    #[serde(default)]
    pub owner: Option<String>,
    /// What it is doing.
    pub state: String,
    /// How often its state was built.
    pub generation: u64,
    /// Calls that wait in its queue.
    pub waiting: u64,
    /// Calls that its queue holds at most.
    pub mailbox: u64,
    /// Its methods.
    pub methods: Vec<MethodDescription>,
    /// Its attributes, and below each one that is nested what that has.
    #[serde(default)]
    pub attributes: Vec<AttributeDescription>,
    /// Where each session or each call has an instance: those that there are.
    #[serde(default)]
    pub instances: Vec<InstanceDescription>,
}

/// One attribute of a [`Description`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttributeDescription {
    /// Its path.
    pub name: String,
    /// The first paragraph of its documentation.
    pub doc: String,
    /// It can be written.
    pub writable: bool,
    /// Its type, as a person reads it.
    pub text: String,
    /// The same, taken apart.
    #[serde(rename = "type")]
    pub shape: Shape,
}

/// One method of a [`Description`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodDescription {
    /// Its name.
    pub name: String,
    /// The first paragraph of its documentation.
    pub doc: String,
    /// The caller does not wait.
    pub oneway: bool,
    /// It may be repeated.
    pub idempotent: bool,
    /// It is stopped when its caller gives it up.
    #[serde(default)]
    pub cancellable: bool,
    /// It may run while the object waits for what calls it.
    #[serde(default)]
    pub reentrant: bool,
    /// It replies with a stream of items.
    pub stream: bool,
    /// Arguments, reply and error, as a person reads them.
    pub text: String,
    /// The same, taken apart.
    pub signature: Signature,
}

/// One instance of a [`Description`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceDescription {
    /// Its own id, by which it is logged and not called.
    pub id: String,
    /// What it is doing.
    pub state: String,
    /// How often its state was built.
    pub generation: u64,
    /// Calls that wait in its queue.
    pub waiting: u64,
}

/// There is no such object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("unknown object {object:?}")]
pub struct UnknownObject {
    /// The id or name asked for.
    pub object: String,
}

impl Description {
    /// The method of this name.
    pub fn method(&self, name: &str) -> Option<&MethodDescription> {
        self.methods.iter().find(|method| method.name == name)
    }
}

impl MethodDescription {
    /// What it takes, replies and raises, as JSON Schema.
    pub fn schemas(&self) -> Schemas {
        self.signature.schemas()
    }
}

impl AttributeDescription {
    /// Its type as JSON Schema.
    pub fn schema(&self) -> serde_json::Value {
        self.shape.schema()
    }
}

#[diagnostic::do_not_recommend]
impl RemoteMessage for Describe {
    type Output = Result<Description, UnknownObject>;
    type Reply = Description;
    type Error = UnknownObject;
    const METHOD: &'static str = "describe";
    const FLAGS: MethodFlags = MethodFlags::IDEMPOTENT;
    const DOC: &'static str = "All that is known of an object.";

    fn outcome(output: Self::Output) -> Result<Description, UnknownObject> {
        output
    }
}
