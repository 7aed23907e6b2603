//! Proxies as values: passed on, called back, called by third parties, and home again.

mod callbacks;
mod exported;
mod factories;
mod own;
mod third_parties;
mod values;
mod world;
