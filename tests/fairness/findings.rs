//! Everything that one test found wrong. It goes on after the first: what else holds tells where to look.

use anyhow::{Result, bail};

#[derive(Default)]
pub struct Findings(Vec<String>);

impl Findings {
    /// Notes a text unless the condition holds.
    pub fn unless(&mut self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.0.push(text());
        }
    }

    /// Notes what went wrong.
    pub fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.0.push(format!("{error:#}"))).ok()
    }

    /// Notes what another one has, each with these words before it.
    pub fn append(&mut self, words: &str, other: Self) {
        let texts = other.0.into_iter().map(|text| format!("{words}: {text}"));
        self.0.extend(texts);
    }

    /// Fails when there is any.
    pub fn end(self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        bail!("{} wrong:\n- {}", self.0.len(), self.0.join("\n- "))
    }
}
