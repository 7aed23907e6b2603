//! The notes that the runs share.

use std::cell::{Cell, RefCell};
use std::mem::discriminant;

use serde::de::DeserializeOwned;

use super::probe::{self, Probe, Refusal};
use crate::codec::value;
use crate::object::signature::Shape;

/// Levels of nesting that are noted.
const MAX_DEPTH: usize = 32;
/// Levels of nesting that are followed at all, to come to the end of a value.
const MAX_NESTING: usize = 64;
/// Parts of a type that are noted.
const MAX_NODES: usize = 4096;
/// Values that are invented, all runs together.
const MAX_STEPS: u32 = 1 << 20;

const ROOT: usize = 0;

/// What is known of a type so far.
pub(super) struct Survey {
    nodes: RefCell<Vec<Node>>,
    /// The types that are being deserialized right now, outermost first.
    open: RefCell<Vec<Open>>,
    /// Variants that lead back to their own enum.
    dead_ends: RefCell<Vec<(Type, usize)>>,
    steps: Cell<u32>,
    /// Whether this run has found out anything.
    progress: Cell<bool>,
}

/// A place in the type.
struct Node {
    kind: Kind,
    children: Vec<Child>,
    /// Which of the possible values is tried.
    tries: usize,
    /// Some value was accepted.
    accepted: bool,
    /// Every value was refused.
    refused: bool,
    /// There is nothing more to find out.
    complete: bool,
    /// The field shown last.
    shown: usize,
}

#[derive(Clone, Copy)]
struct Child {
    name: &'static str,
    node: usize,
    /// It is an alias of another, or superseded.
    dropped: bool,
}

/// What a node is.
#[derive(Clone)]
pub(super) enum Kind {
    Unvisited,
    /// A scalar, or something that is not looked into.
    Leaf(Shape),
    Option,
    List,
    Map,
    Tuple,
    Newtype(&'static str),
    TupleStruct(&'static str),
    Struct(&'static str),
    Enum(&'static str),
}

/// Tells types apart within this process: the name of the visitor's type has the type's parameters in it, serde's name has not.
/// Never part of a shape, as the compiler is free to change it.
pub(super) type Type = (&'static str, &'static str);

struct Open {
    kind: Option<Type>,
    variant: Option<usize>,
}

/// One thing to show to a visitor: its name and its node, if notes are taken.
pub(super) type Part = (&'static str, Option<usize>);

impl Survey {
    pub(super) fn new() -> Survey {
        Survey {
            nodes: RefCell::new(vec![Node::new()]),
            open: RefCell::default(),
            dead_ends: RefCell::default(),
            steps: Cell::new(0),
            progress: Cell::new(false),
        }
    }

    /// Deserializes a `T` once; says whether doing so again can tell more.
    pub(super) fn run<T: DeserializeOwned>(&self) -> bool {
        self.open.borrow_mut().clear();
        self.progress.set(false);
        let result = T::deserialize(Probe::new(self, Some(ROOT)));
        self.judge(Some(ROOT), result.as_ref().err());
        self.progress.get() && self.steps.get() < MAX_STEPS && !self.complete()
    }

    /// What the notes say.
    pub(super) fn shape(&self) -> Shape {
        shape(&self.nodes.borrow(), ROOT)
    }

    /// Counts one invented value.
    pub(super) fn step(&self) -> Result<(), Refusal> {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() < MAX_STEPS { Ok(()) } else { Err(Refusal::Other) }
    }

    /// Notes a leaf; says which of its values to give.
    pub(super) fn leaf(&self, at: Option<usize>, shape: &Shape) -> usize {
        let Some(at) = at else { return 0 };
        let node = &mut self.nodes.borrow_mut()[at];
        match &node.kind {
            Kind::Unvisited => {
                node.kind = Kind::Leaf(shape.clone());
                self.progress.set(true);
                0
            }
            Kind::Leaf(known) if known == shape => node.tries,
            _ => 0,
        }
    }

    /// Notes something with parts and goes into it. Where it is inside itself, or too deep or too large to look into, no more notes are
    /// taken: `inside` gets no node then, and makes up the smallest value there is.
    pub(super) fn enter<R>(
        &self,
        at: Option<usize>,
        kind: &Kind,
        of: Option<Type>,
        names: &[&'static str],
        inside: impl FnOnce(Option<usize>) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        self.step()?;
        let depth = self.open.borrow().len();
        if depth >= MAX_NESTING {
            return Err(Refusal::Other);
        }
        let recursive = self.is_open(of);
        let at = at.filter(|&at| match kind {
            _ if recursive => self.cut(at, Shape::Recursive(name_of(kind).to_owned())),
            _ if depth >= MAX_DEPTH => self.cut(at, Shape::Opaque("deep".to_owned())),
            kind => self.note(at, kind, names),
        });
        self.open.borrow_mut().push(Open { kind: of, variant: None });
        let result = inside(at);
        self.open.borrow_mut().truncate(depth);
        result
    }

    /// What came of the value at a node. A refusal is blamed on the innermost node that is not known to refuse, if the run found out
    /// nothing else; otherwise the next run will tell.
    pub(super) fn judge(&self, at: Option<usize>, refusal: Option<&Refusal>) {
        let Some(at) = at else { return };
        let mut nodes = self.nodes.borrow_mut();
        let count = nodes.len();
        match refusal {
            None if nodes[at].accepted => return,
            None => nodes[at].accepted = true,
            Some(_) if self.progress.get() || nodes[at].refused => return,
            Some(Refusal::Missing(field)) if nodes[at].kind.has_fields() && count < MAX_NODES => {
                let node = &mut nodes[at];
                if node.children.iter().any(|child| child.name == *field) {
                    node.refused = true;
                } else {
                    // A struct that did not say so: its key and value were those of no field.
                    if matches!(node.kind, Kind::Map) {
                        node.children
                            .iter_mut()
                            .filter(|child| child.name.is_empty())
                            .for_each(|child| child.dropped = true);
                    }
                    node.children.push(Child { name: field, node: count, dropped: false });
                    nodes.push(Node::new());
                }
            }
            Some(Refusal::Duplicate) if nodes[at].kind.has_fields() => {
                let node = &mut nodes[at];
                match node.children.get_mut(node.shown) {
                    Some(child) if !child.dropped => child.dropped = true,
                    _ => node.refused = true,
                }
            }
            Some(_) => {
                let at = blamed(&nodes, at);
                let values = values(&nodes, at);
                let node = &mut nodes[at];
                if node.tries + 1 < values { node.tries += 1 } else { node.refused = true }
            }
        }
        self.progress.set(true);
    }

    /// The fields to show, those that are refused last, and whether by name.
    pub(super) fn fields(&self, at: Option<usize>, names: &[&'static str]) -> (Vec<Part>, bool) {
        let Some(at) = at else { return (names.iter().map(|name| (*name, None)).collect(), true) };
        let nodes = self.nodes.borrow();
        let by_name = nodes[at].tries == 0;
        let mut fields: Vec<&Child> = nodes[at].children.iter().filter(|child| !child.dropped).collect();
        if by_name {
            fields.sort_by_key(|child| {
                (nodes[child.node].refused, nodes[child.node].refused && nodes[child.node].complete)
            });
        }
        (fields.into_iter().map(|child| (child.name, Some(child.node))).collect(), by_name)
    }

    /// All parts, in order.
    pub(super) fn parts(&self, at: Option<usize>, count: usize) -> Vec<Option<usize>> {
        match at {
            Some(at) => self.nodes.borrow()[at].children.iter().map(|child| Some(child.node)).collect(),
            // Made up one by one, so that a claimed length costs nothing.
            None => vec![None; count.min(MAX_NODES)],
        }
    }

    /// The parts of something that may also be empty; none when it should be.
    pub(super) fn optional(&self, at: Option<usize>) -> Vec<Part> {
        let Some(at) = at else { return Vec::new() };
        let nodes = self.nodes.borrow();
        let parts = || nodes[at].children.iter().filter(|child| !child.dropped);
        let hopeless =
            parts().any(|child| nodes[child.node].refused) && nodes[at].kind.explored(&nodes, &nodes[at].children);
        if hopeless { Vec::new() } else { parts().map(|child| (child.name, Some(child.node))).collect() }
    }

    /// The variant to take and its node.
    pub(super) fn variant(&self, at: Option<usize>, of: Type, count: usize) -> Option<(usize, Option<usize>)> {
        let chosen = match at {
            Some(at) => {
                let nodes = self.nodes.borrow();
                let variants = &nodes[at].children;
                let index = variants
                    .iter()
                    .position(|child| !nodes[child.node].complete)
                    .or_else(|| variants.iter().position(|child| !nodes[child.node].refused))
                    .unwrap_or(0);
                variants.get(index).map(|child| (index, Some(child.node)))
            }
            None => {
                let dead_ends = self.dead_ends.borrow();
                (0..count).find(|variant| !dead_ends.contains(&(of, *variant))).map(|variant| (variant, None))
            }
        };
        if let Some(open) = self.open.borrow_mut().last_mut() {
            open.variant = chosen.map(|(index, _)| index);
        }
        chosen
    }

    /// Notes which field is shown.
    pub(super) fn show(&self, at: Option<usize>, name: &'static str) {
        let Some(at) = at else { return };
        let node = &mut self.nodes.borrow_mut()[at];
        node.shown = node.children.iter().position(|child| child.name == name).unwrap_or(0);
    }

    /// Whether a type is inside itself; if by way of a variant, that variant is one to avoid.
    fn is_open(&self, of: Option<Type>) -> bool {
        let (Some(of), open) = (of, self.open.borrow()) else { return false };
        let Some(outer) = open.iter().rev().find(|open| open.kind == Some(of)) else { return false };
        if let Some(variant) = outer.variant {
            let mut dead_ends = self.dead_ends.borrow_mut();
            if !dead_ends.contains(&(of, variant)) {
                dead_ends.push((of, variant));
            }
        }
        true
    }

    /// Notes that a node is not looked into.
    fn cut(&self, at: usize, shape: Shape) -> bool {
        let node = &mut self.nodes.borrow_mut()[at];
        if matches!(node.kind, Kind::Unvisited) {
            node.kind = Kind::Leaf(shape);
            self.progress.set(true);
        }
        false
    }

    /// Notes a node with parts; says whether it is looked into.
    fn note(&self, at: usize, kind: &Kind, names: &[&'static str]) -> bool {
        let mut nodes = self.nodes.borrow_mut();
        if !matches!(nodes[at].kind, Kind::Unvisited) {
            return discriminant(&nodes[at].kind) == discriminant(kind);
        }
        self.progress.set(true);
        let first = nodes.len();
        if first.saturating_add(names.len()) > MAX_NODES {
            nodes[at].kind = Kind::Leaf(Shape::Opaque("large".to_owned()));
            return false;
        }
        let children = names.iter().zip(first..).map(|(name, node)| Child { name, node, dropped: false });
        nodes[at].children = children.collect();
        nodes[at].kind = kind.clone();
        nodes.resize_with(first + names.len(), Node::new);
        true
    }

    /// Whether there is nothing more to find out. Children come after their parents, so one pass from the end sees them first.
    fn complete(&self) -> bool {
        let mut nodes = self.nodes.borrow_mut();
        for at in (0..nodes.len()).rev() {
            let node = &nodes[at];
            let settled = node.accepted || node.refused;
            let complete = settled && node.kind.explored(&nodes, &node.children);
            nodes[at].complete = complete;
        }
        nodes[ROOT].complete
    }
}

impl Node {
    fn new() -> Node {
        Node {
            kind: Kind::Unvisited,
            children: Vec::new(),
            tries: 0,
            accepted: false,
            refused: false,
            complete: false,
            shown: 0,
        }
    }
}

impl Kind {
    /// Whether its parts go by fixed names.
    fn has_fields(&self) -> bool {
        matches!(self, Kind::Struct(_) | Kind::Map)
    }

    /// Whether all parts that can be reached are complete. Of parts in a fixed order, none behind a refused one can.
    fn explored(&self, nodes: &[Node], children: &[Child]) -> bool {
        for child in children.iter().filter(|child| !child.dropped) {
            let node = &nodes[child.node];
            if !node.complete {
                return false;
            }
            if node.refused && !matches!(self, Kind::Struct(_) | Kind::Enum(_)) && child.name.is_empty() {
                return true;
            }
        }
        true
    }
}

/// How many values there are to try at a node.
fn values(nodes: &[Node], at: usize) -> usize {
    match &nodes[at].kind {
        Kind::Leaf(shape) => probe::values(shape),
        // By name, then by place.
        Kind::Struct(_) if !nodes[at].children.iter().any(|child| nodes[child.node].refused) => 2,
        _ => 1,
    }
}

/// The node to try another value at. The fields of a flattened struct take anything at first and are judged, in their order, once all
/// are there; so the last that was asked for is the one that displeased.
fn blamed(nodes: &[Node], at: usize) -> usize {
    match (&nodes[at].kind, nodes[at].children.last()) {
        (Kind::Map, Some(last)) if nodes[last.node].tries + 1 < flattened(&nodes[last.node]) => last.node,
        _ => at,
    }
}

fn flattened(node: &Node) -> usize {
    match &node.kind {
        Kind::Leaf(shape @ Shape::Opaque(_)) => probe::values(shape),
        _ => 0,
    }
}

fn name_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Newtype(name) | Kind::TupleStruct(name) | Kind::Struct(name) | Kind::Enum(name) => name,
        Kind::Option => "option",
        Kind::List => "list",
        Kind::Map => "map",
        Kind::Tuple => "tuple",
        Kind::Unvisited | Kind::Leaf(_) => "value",
    }
}

fn shape(nodes: &[Node], at: usize) -> Shape {
    let node = &nodes[at];
    let parts = || node.children.iter().filter(|child| !child.dropped);
    let shapes = || parts().map(|child| shape(nodes, child.node));
    let part = |i: usize| Box::new(node.children.get(i).map_or(Shape::Unit, |child| shape(nodes, child.node)));
    let named = || parts().map(|child| (child.name.to_owned(), shape(nodes, child.node))).collect();
    match &node.kind {
        Kind::Unvisited => Shape::Opaque("unknown".to_owned()),
        Kind::Leaf(shape) => shape.clone(),
        Kind::Option => Shape::Option(part(0)),
        Kind::List => Shape::List(part(0)),
        Kind::Map if node.children.len() > 2 => Shape::Struct { name: String::new(), fields: named() },
        Kind::Map => Shape::Map(part(0), part(1)),
        Kind::Tuple => Shape::Tuple(shapes().collect()),
        Kind::Newtype(name) | Kind::TupleStruct(name) => {
            let fields = (0..).map(|i: usize| i.to_string()).zip(shapes()).collect();
            Shape::Struct { name: (*name).to_owned(), fields }
        }
        Kind::Struct(name) => Shape::Struct { name: (*name).to_owned(), fields: named() },
        Kind::Enum(value::NAME) => Shape::Opaque("any".to_owned()),
        Kind::Enum(name) => Shape::Enum { name: (*name).to_owned(), variants: named() },
    }
}
