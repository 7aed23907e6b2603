//! What the tests stand on.

pub(crate) mod broken;
pub(crate) mod bystander;
pub(crate) mod claim;
pub(crate) mod flaky;
pub(crate) mod memory;
pub(crate) mod pair;
pub(crate) mod raw_peer;
pub(crate) mod relay;
pub(crate) mod worker;
