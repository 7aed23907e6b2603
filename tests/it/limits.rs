//! What is too much is refused, and whoever sends what is none of the protocol pays for it alone.

mod abuse;
mod overload;
mod servers;
