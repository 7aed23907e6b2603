//! What Pyroxene promises, proved from outside: one binary, so that it links once.

mod golden;
mod macros;
mod wire_properties;
