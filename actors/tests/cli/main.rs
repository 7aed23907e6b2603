//! The program `pyroxene`, as its users run it: real processes on free ports.

mod calls;
mod demo;
mod figures;
mod mistakes;
mod names;
mod program;
