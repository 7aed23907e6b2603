//! stub
use bytes::Bytes;
use serde::de::DeserializeOwned;
use crate::codec::{budget::Budget, DecodeError, EncodeError, Value};
use crate::wire::SerializerId;
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault { pub class: String, pub message: String, pub detail: Detail, pub traceback: Vec<String>, pub object: String, pub method: String }
#[derive(Clone, Debug, PartialEq)]
pub enum Detail { None, Encoded(SerializerId, Bytes), Value(Value) }
impl Eq for Detail {}
impl Detail { pub fn decode<E: DeserializeOwned>(&self, budget: &Budget) -> Result<E, DecodeError> { loop {} } }
impl Fault { pub fn encode(&self, id: SerializerId, out: &mut Vec<u8>) -> Result<(), EncodeError> { loop {} }
pub fn decode(id: SerializerId, b: &[u8], budget: &Budget) -> Result<Fault, DecodeError> { loop {} } }
impl std::fmt::Display for Fault { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { Ok(()) } }
impl std::error::Error for Fault {}
