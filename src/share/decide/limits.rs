//! Time limits of `decide`.

use std::time::Duration;

/// How long a changed request waits for an earlier attempt to be resolved before it goes on without.
pub const RESOLVE_LIMIT: Duration = Duration::from_secs(900);

/// Two POSTs of one share are at least so far apart, unless the first one gave a link.
pub const MOMENT: Duration = Duration::from_secs(10);

/// How often what was tried with is compared with what is there now, while a pause lasts longer.
pub const COMPARED_EVERY: Duration = Duration::from_secs(60);
