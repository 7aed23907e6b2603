//! What users can do with Pyroxene, done as they do it: through its public items only.

mod macros;
