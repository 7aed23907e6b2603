//! stub
use serde::{Serialize, Deserialize, de::DeserializeOwned};
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signature { pub method: String }
impl Signature { pub fn of<M: DeserializeOwned, R: DeserializeOwned, E: DeserializeOwned>(method: &str, raises: bool) -> Signature { loop {} }
 pub fn fingerprint(&self) -> u64 { 0 } }
impl std::fmt::Display for Signature { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { Ok(()) } }
