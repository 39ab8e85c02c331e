//! What the service says: its JSON, and what an answer means. Pure; reads both versions.

pub mod answer;
mod error_reply;
mod json;
mod lenient;
pub(super) mod list;
pub(super) mod words;
