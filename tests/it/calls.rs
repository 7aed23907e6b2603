//! How calls end, who hears what, and the ways to an object.

mod context;
mod deadlines;
mod deadlock;
mod endings;
mod explosive;
mod names;
mod reentrance;
mod shapes;
mod versions;
mod ways;
