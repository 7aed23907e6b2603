//! What a proxy knows of its object once it is connected.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::codec::args::Args;
use crate::object::attributes;
use crate::object::description::Description;
use crate::object::interface::{Method, MethodFlags};
use crate::object::invocation::nearest;
use crate::object::local::LocalObject;
use crate::object::outcome::NotStarted;
use crate::peer::connection::Connection;
use crate::peer::hold::Hold;
use crate::wire::{BindingTable, BoundMethod};

/// The object at the other end of a proxy: the way there, and what can be called.
pub(crate) struct Binding {
    pub(crate) route: Route,
    pub(crate) object: Arc<str>,
    /// What refusals call it: what the caller calls it.
    label: String,
    methods: Vec<BoundMethod>,
    /// For each method of the proxy's interface, where the object has it.
    known: Vec<Option<Choice>>,
    /// The same for messages of which only the name is known before they are sent.
    learned: Mutex<Vec<(&'static str, Choice)>>,
    /// What can be called, once that was asked for.
    described: OnceLock<Arc<Description>>,
    /// Keeps the object open on the connection.
    _hold: Option<Hold>,
}

pub(crate) enum Route {
    /// Over a connection, by this handle.
    Remote(Connection, u32),
    /// In this process.
    Local(Arc<dyn LocalObject>),
}

/// One method, as the object has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) index: u32,
    pub(crate) flags: MethodFlags,
    /// Both sides agree on the signature, so that messages may travel without field names.
    pub(crate) same: bool,
}

impl Binding {
    pub(crate) fn remote(connection: Connection, table: BindingTable, interface: &[Method], label: String) -> Binding {
        let known = interface.iter().map(|method| choose(&table.methods, method)).collect();
        let hold = Some(Hold::new(connection.clone(), table.handle));
        Binding {
            _hold: hold,
            route: Route::Remote(connection, table.handle),
            object: table.object.into(),
            label,
            methods: table.methods,
            known,
            learned: Mutex::default(),
            described: OnceLock::new(),
        }
    }

    pub(crate) fn local(object: Arc<dyn LocalObject>, interface: &[Method]) -> Binding {
        // In one process a signature cannot differ.
        let methods: Vec<BoundMethod> = object
            .methods()
            .iter()
            .map(|method| BoundMethod { name: method.name.to_owned(), flags: method.flags.bits(), fingerprint: 0 })
            .collect();
        let find = |method: &Method| {
            let index = methods.iter().position(|bound| bound.name == method.name)?;
            Some(Choice { index: index as u32, flags: MethodFlags::from_bits(methods[index].flags), same: true })
        };
        let known = interface.iter().map(find).collect();
        Binding {
            object: Arc::clone(object.id()),
            label: object.label().to_string(),
            route: Route::Local(object),
            methods,
            known,
            learned: Mutex::default(),
            described: OnceLock::new(),
            _hold: None,
        }
    }

    /// Whether calls can be started.
    pub(crate) fn is_open(&self) -> bool {
        match &self.route {
            Route::Remote(connection, _) => connection.is_open(),
            Route::Local(_) => true,
        }
    }

    /// Whether the object has every method of the interface.
    ///
    /// # Errors
    /// The first that it has not.
    pub(crate) fn check(&self, interface: &[Method]) -> Result<(), NotStarted> {
        match self.known.iter().position(Option::is_none) {
            Some(at) => Err(self.no_such(interface[at].name)),
            None => Ok(()),
        }
    }

    /// The method at `index` of the proxy's interface.
    #[inline]
    pub(crate) fn method(&self, index: usize, method: &Method) -> Result<Choice, NotStarted> {
        match self.known.get(index) {
            Some(Some(choice)) => Ok(*choice),
            Some(None) => Err(self.no_such(method.name)),
            None => self.learn(method),
        }
    }

    /// The method of this name, without knowing its signature.
    pub(crate) fn named(&self, name: &str) -> Result<Choice, NotStarted> {
        let index = self.methods.iter().position(|bound| bound.name == name).ok_or_else(|| self.no_such(name))?;
        Ok(Choice { index: index as u32, flags: MethodFlags::from_bits(self.methods[index].flags), same: false })
    }

    /// This is what can be called; the first word counts, as long as this binding does.
    pub(crate) fn describe(&self, description: Arc<Description>) {
        let _ = self.described.set(description);
    }

    /// Whether the arguments may fit the method, as far as is known.
    ///
    /// # Errors
    /// They surely do not.
    pub(crate) fn check_args(&self, method: &str, args: &Args) -> Result<(), NotStarted> {
        let Some(known) = self.described.get().and_then(|description| description.method(method)) else {
            return Ok(());
        };
        known.signature.check(args).map_err(|problem| NotStarted::WrongArguments {
            object: self.label.clone(),
            method: method.to_owned(),
            problem: problem.to_string(),
            signature: known.text.clone(),
            caller: None,
        })
    }

    fn learn(&self, method: &Method) -> Result<Choice, NotStarted> {
        let learned = || self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, choice)) = learned().iter().find(|(name, _)| *name == method.name) {
            return Ok(*choice);
        }
        let choice = match &self.route {
            Route::Local(_) => Choice { same: true, ..self.named(method.name)? },
            Route::Remote(..) => choose(&self.methods, method).ok_or_else(|| self.no_such(method.name))?,
        };
        learned().push((method.name, choice));
        Ok(choice)
    }

    fn no_such(&self, method: &str) -> NotStarted {
        if attributes::messages::is_reserved(method) {
            let problem = format!("{} has no attributes", self.label);
            return NotStarted::Unsupported { method: method.to_owned(), problem };
        }
        NotStarted::NoSuchMethod {
            object: self.label.clone(),
            method: method.to_owned(),
            nearest: nearest(method, self.methods.iter().map(|bound| bound.name.as_str())),
        }
    }
}

fn choose(methods: &[BoundMethod], method: &Method) -> Option<Choice> {
    let index = methods.iter().position(|bound| bound.name == method.name)?;
    let bound = &methods[index];
    let same = bound.fingerprint == method.fingerprint();
    Some(Choice { index: index as u32, flags: MethodFlags::from_bits(bound.flags), same })
}
