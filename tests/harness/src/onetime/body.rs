//! Bodies of answers: whole, slow, cut off, or far too large.
//!
//! It must not know what the bytes mean.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::Sleep;

/// One step of a body.
enum Step {
    Bytes(Bytes),
    Pause(Duration),
    /// These bytes again, so many times.
    Repeat(Bytes, u64),
}

/// A body played step by step.
#[derive(Default)]
pub(super) struct ScriptedBody {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl ScriptedBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self {
            steps: VecDeque::from([Step::Bytes(bytes)]),
            sleep: None,
        }
    }

    pub(super) fn slow(bytes: &Bytes, chunk: usize, pause: Duration) -> Self {
        let mut steps = VecDeque::new();
        for start in (0..bytes.len()).step_by(chunk.max(1)) {
            let end = bytes.len().min(start + chunk.max(1));
            steps.push_back(Step::Pause(pause));
            steps.push_back(Step::Bytes(bytes.slice(start..end)));
        }
        Self { steps, sleep: None }
    }

    /// A JSON array with one string of at least so many bytes.
    pub(super) fn huge(bytes: u64) -> Self {
        let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
        let times = bytes.div_ceil(64 * 1024);
        let steps = VecDeque::from([
            Step::Bytes(Bytes::from_static(b"[\"")),
            Step::Repeat(chunk, times),
            Step::Bytes(Bytes::from_static(b"\"]")),
        ]);
        Self { steps, sleep: None }
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.sleep = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Pause(time)) => self.sleep = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Bytes(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Repeat(bytes, times)) => {
                    if times > 1 {
                        self.steps.push_front(Step::Repeat(bytes.clone(), times - 1));
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.sleep.is_none()
    }
}
