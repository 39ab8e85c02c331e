//! Time limits of `decide`.

use std::time::Duration;

/// How long a changed request waits for an earlier attempt to be resolved before it goes on without.
pub const RESOLVE_LIMIT: Duration = Duration::from_secs(900);
