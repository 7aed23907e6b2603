//! The guests that Pyroxene ships with.

pub mod name_server;
