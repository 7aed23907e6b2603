//! The guests that Pyroxene ships with, and the program `pyroxene`. They use nothing but what `pyroxene` exports, as anybody's would.

pub mod discovery;
pub mod echo;
pub mod name_server;

#[cfg(feature = "cli")]
pub mod cli;
