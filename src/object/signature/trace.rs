//! Finds out the structure of a type by deserializing it from a [`Probe`], which invents the values and notes what was asked for.
//!
//! One run shows one variant of each enum, and ends at the first value that a type refuses. So the type is run again and again over the
//! same tree of notes: each run takes variants that have not been seen, tries other values where one was refused, and lets what refuses
//! every value come last, until a run finds nothing new.

mod probe;
mod survey;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeOwned;

use crate::object::signature::Shape;
use survey::Survey;

/// The structure of `T`.
pub(super) fn trace<T: DeserializeOwned>() -> Shape {
    let survey = Survey::new();
    loop {
        match catch_unwind(AssertUnwindSafe(|| survey.run::<T>())) {
            Ok(true) => {}
            Ok(false) => return survey.shape(),
            Err(payload) => {
                // What a panic leaves behind may panic again when it is dropped.
                let _ = catch_unwind(AssertUnwindSafe(move || drop(payload)));
                return Shape::Opaque("panics".to_owned());
            }
        }
    }
}
