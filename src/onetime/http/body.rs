//! The body of a request, which is handed over at most once and never late.
//!
//! Owns: the gate between "not sent" and "may have been sent". Must not: know
//! what the body means.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use zeroize::Zeroizing;

use crate::clock::Deadline;

const OPEN: u8 = 0;
const HANDED_OVER: u8 = 1;
const CLOSED: u8 = 2;

/// The one bit that decides whether a request counts as sent. Whoever gives up closes
/// it: if that works, the body can't be handed over any more, whatever the
/// connection's task is doing at that moment.
#[derive(Clone, Default)]
pub(in crate::onetime) struct Gate(Arc<AtomicU8>);

impl Gate {
    /// Closes the gate; true when the body was not and will not be handed over.
    pub(in crate::onetime) fn close(&self) -> bool {
        self.0
            .compare_exchange(OPEN, CLOSED, Ordering::SeqCst, Ordering::SeqCst)
            != Err(HANDED_OVER)
    }

    /// Passes the gate before the deadline. The clock is read after passing: a task
    /// that was stopped in between must not send.
    fn pass(&self, deadline: &Deadline) -> bool {
        if self
            .0
            .compare_exchange(OPEN, HANDED_OVER, Ordering::SeqCst, Ordering::SeqCst)
            .is_err()
        {
            return false;
        }
        if deadline.passed() {
            self.0.store(CLOSED, Ordering::SeqCst);
            return false;
        }
        true
    }
}

/// The body came to the gate too late. hyper then drops the connection; of the
/// request nothing, or a head without its body, was sent, which no server executes.
#[derive(Debug, thiserror::Error)]
#[error("the deadline passed before the body was handed over")]
pub(in crate::onetime) struct Late;

/// A whole body of known length, so that hyper sends Content-Length and no chunks.
pub(in crate::onetime) struct GatedBody {
    bytes: Option<Bytes>,
    gate: Gate,
    deadline: Deadline,
}

impl GatedBody {
    /// The bytes are wiped once hyper has let go of them. hyper's own write buffer,
    /// which they pass through, is not.
    pub(in crate::onetime) fn new(bytes: Zeroizing<Vec<u8>>, gate: Gate, deadline: Deadline) -> Self {
        let bytes = (!bytes.is_empty()).then(|| Bytes::from_owner(bytes));
        Self {
            bytes,
            gate,
            deadline,
        }
    }
}

impl Body for GatedBody {
    type Data = Bytes;
    type Error = Late;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Late>>> {
        if self.bytes.is_none() {
            return Poll::Ready(None);
        }
        if !self.gate.pass(&self.deadline) {
            return Poll::Ready(Some(Err(Late)));
        }
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.bytes.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;

    use super::*;
    use crate::clock::Clock;

    fn body(gate: &Gate, deadline: Deadline) -> GatedBody {
        GatedBody::new(Zeroizing::new(b"secret=x".to_vec()), gate.clone(), deadline)
    }

    #[tokio::test]
    async fn handed_over_in_time() {
        let gate = Gate::default();
        let body = body(&gate, Deadline::after(Duration::from_secs(60)));
        assert_eq!(body.size_hint().exact(), Some(8));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "secret=x");
        assert!(!gate.close(), "it may have been sent");
    }

    #[tokio::test]
    async fn not_after_the_deadline() {
        let (gate, clock) = (Gate::default(), Clock::by_hand());
        let body = body(&gate, Deadline::after_on(&clock, Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        assert!(body.collect().await.is_err());
        assert!(gate.close(), "it was not sent");
    }

    #[tokio::test]
    async fn not_after_giving_up() {
        let gate = Gate::default();
        let body = body(&gate, Deadline::after(Duration::from_secs(60)));
        assert!(gate.close());
        assert!(body.collect().await.is_err());
        assert!(gate.close());
    }
}
