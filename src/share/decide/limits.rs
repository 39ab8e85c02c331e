//! How long is waited, and for what.

use std::time::Duration;

/// How long after an attempt's deadline nobody may act on it: covers the difference of two boot-time clocks over one
/// deadline, and a request that is still in a socket's buffer when the sender resets it.
pub const SLACK: Duration = Duration::from_secs(5);

/// How long a changed request waits for an earlier attempt to be resolved before it goes on without.
pub const RESOLVE_LIMIT: Duration = Duration::from_secs(900);
