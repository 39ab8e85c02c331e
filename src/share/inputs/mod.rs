//! What the user asked for: the spec, parsed, and what it names, read.

pub mod fields;
pub mod read;
pub mod recipient;
pub mod request;
pub mod template;
mod value;
pub mod versions;
