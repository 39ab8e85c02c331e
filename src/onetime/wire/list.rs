//! A list of receipts, taken apart while it arrives: PURE. It holds one entry at a time and the few fields that are kept
//! of the others, never the whole text.
//!
//! Owns: where an entry begins and ends, the limits, and that a list is believed only after its closing bracket.

use super::json::{WireClockV2, WireReceipt, WireRecentV2, WireRecordV2};
use crate::onetime::error::{CallError, Flaw};
use crate::onetime::receipt::{CLOCKS_AGREE, Recent, RecentReceipt, Via};
use jiff::Timestamp;
use std::time::Duration;
use zeroize::{Zeroize, Zeroizing};

/// The largest entry that is read, in bytes: v2 takes 1.8 kB for each (v2-basics.json, v0.26).
const ENTRY_LIMIT: usize = 64 * 1024;

/// The largest part of the answer beside its entries that is kept, in bytes.
const ENVELOPE_LIMIT: usize = 64 * 1024;

/// How deep the answer is kept beside its entries: `details.now` is at depth 2. v2 tells every record once more in lists
/// further down (v2-basics.json), which are passed over.
const ENVELOPE_DEPTH: usize = 2;

/// The longest answer that is read, in bytes: v2 on v0.26 takes 1.8 kB for each receipt (2.5 MB for 1392).
const LIST_LIMIT: usize = 128 * 1024 * 1024;

/// The most receipts that a list may have.
const RECEIPTS_LIMIT: usize = 50_000;

/// Reads one list.
pub(in crate::onetime) struct ListReader {
    via: Via,
    taken: usize,
    /// Open braces and brackets.
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The text in quotes that is being read or was read last.
    string: Vec<u8>,
    /// Inside the list itself: the depth of its entries.
    inside: Option<usize>,
    /// The list was there.
    seen: bool,
    entry: Zeroizing<Vec<u8>>,
    envelope: Zeroizing<Vec<u8>>,
    receipts: Vec<RecentReceipt>,
    /// The earliest and the latest of what v1's entries tell of the service's clock.
    clocks: Option<(Timestamp, Timestamp)>,
}

impl ListReader {
    pub(in crate::onetime) fn new(via: Via) -> Self {
        Self {
            via,
            taken: 0,
            depth: 0,
            in_string: false,
            escaped: false,
            string: Vec::new(),
            inside: None,
            seen: false,
            // Never grown: what it grew out of would not be wiped.
            entry: Zeroizing::new(Vec::with_capacity(ENTRY_LIMIT)),
            envelope: Zeroizing::default(),
            receipts: Vec::new(),
            clocks: None,
        }
    }

    /// Takes what arrived.
    ///
    /// # Errors
    /// [`Flaw`] when an entry cannot be read (it could be the one that is looked for) or a limit is exceeded.
    pub(in crate::onetime) fn take(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        self.taken += bytes.len();
        if self.taken > LIST_LIMIT {
            return Err(Flaw::TooLarge);
        }
        bytes.iter().try_for_each(|byte| self.byte(*byte))
    }

    /// The whole list.
    ///
    /// # Errors
    /// [`CallError::Malformed`] when it was cut short, is not the list of this version, or says that it has another
    /// number of entries.
    pub(in crate::onetime) fn finish(self) -> Result<Recent, CallError> {
        let shape = CallError::Malformed(Flaw::Shape);
        if !self.seen || self.inside.is_some() || self.depth > 0 {
            return Err(shape);
        }
        let now = match self.via {
            Via::V1 if self.envelope.trim_ascii() == b"[]" => self.agreed_clock(),
            Via::V1 => return Err(shape),
            Via::V2 => {
                let envelope: WireRecentV2 =
                    serde_json::from_slice(&self.envelope).map_err(|_| shape.clone())?;
                if envelope.success.flag() != Some(true) {
                    return Err(shape);
                }
                if envelope.count.whole() != u64::try_from(self.receipts.len()).ok() {
                    return Err(CallError::Malformed(Flaw::Count));
                }
                let clock: Option<WireClockV2> = serde_json::from_slice(&self.envelope).ok();
                clock.and_then(|clock| clock.clock())
            }
        };
        Ok(Recent {
            receipts: self.receipts,
            via: self.via,
            now,
            bytes: self.taken,
        })
    }

    fn agreed_clock(&self) -> Option<Timestamp> {
        let (earliest, latest) = self.clocks?;
        let apart = Duration::try_from(earliest.duration_until(latest)).unwrap_or_default();
        (apart <= CLOCKS_AGREE).then_some(latest)
    }

    fn note_clock(&mut self, clock: Timestamp) {
        let (earliest, latest) = self.clocks.unwrap_or((clock, clock));
        self.clocks = Some((earliest.min(clock), latest.max(clock)));
    }

    fn byte(&mut self, byte: u8) -> Result<(), Flaw> {
        if self.in_string {
            self.in_text(byte);
            return self.keep(byte);
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.string.clear();
            }
            b'{' | b'[' => return self.open(byte),
            b'}' | b']' => return self.close(byte),
            b',' if self.inside == Some(self.depth) => return self.end_of_entry(),
            _ => {}
        }
        self.keep(byte)
    }

    fn in_text(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.in_string = false,
            // Only compared with a short word.
            _ if self.string.len() < 16 => self.string.push(byte),
            _ => {}
        }
    }

    fn open(&mut self, byte: u8) -> Result<(), Flaw> {
        let begins = byte == b'['
            && match self.via {
                Via::V1 => self.depth == 0,
                Via::V2 => self.depth == 1 && self.string == b"records",
            };
        if begins && std::mem::replace(&mut self.seen, true) {
            return Err(Flaw::Shape);
        }
        self.keep(byte)?;
        self.depth += 1;
        if begins {
            self.inside = Some(self.depth);
        }
        Ok(())
    }

    fn close(&mut self, byte: u8) -> Result<(), Flaw> {
        if self.inside == Some(self.depth) {
            // An empty list has no entry; a comma before the bracket has none either, and is refused.
            if !(self.receipts.is_empty() && self.entry.trim_ascii().is_empty()) {
                self.end_of_entry()?;
            }
            self.inside = None;
        }
        self.depth = self.depth.checked_sub(1).ok_or(Flaw::Shape)?;
        self.keep(byte)
    }

    fn end_of_entry(&mut self) -> Result<(), Flaw> {
        let receipt = match self.via {
            Via::V1 => serde_json::from_slice::<WireReceipt>(&self.entry).map(|wire| {
                wire.clock().into_iter().for_each(|clock| self.note_clock(clock));
                wire.recent()
            }),
            Via::V2 => serde_json::from_slice::<WireRecordV2>(&self.entry).map(|wire| wire.recent()),
        };
        self.entry[..].zeroize();
        self.entry.clear();
        if self.receipts.len() >= RECEIPTS_LIMIT {
            return Err(Flaw::TooLarge);
        }
        self.receipts.push(receipt.ok().flatten().ok_or(Flaw::Shape)?);
        Ok(())
    }

    fn keep(&mut self, byte: u8) -> Result<(), Flaw> {
        let (part, limit) = match self.inside {
            Some(_) => (&mut self.entry, ENTRY_LIMIT),
            None if self.depth > ENVELOPE_DEPTH => return Ok(()),
            None => (&mut self.envelope, ENVELOPE_LIMIT),
        };
        if part.len() >= limit {
            return Err(Flaw::TooLarge);
        }
        part.push(byte);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
