//! Deliberate mistakes, to show that the tests notice them. Only with the feature `mutants`; without it each is a
//! constant false and nothing of this is compiled.
//!
//! `ONETIMESHARE_MUTANT` names the one that is made. `make mutants` tries them all. This file names them; each is made where
//! its effect is, and those of the pure rules in a file `mutated.rs` beside them.

use std::sync::LazyLock;

/// Every mistake: its name, and what it does.
pub const ALL: &[(&str, &str)] = &[
    // What is decided.
    (
        "no-deadline-wait",
        "a lost answer is acted on while its sender may still send",
    ),
    (
        "cached-change",
        "a change is acted on without reading the share from the API server",
    ),
    (
        "ignore-told",
        "what the status tells is ignored when the entry is missing",
    ),
    (
        "same-epoch",
        "a link that was burned is made anew within the same epoch",
    ),
    (
        "forget-entry",
        "that there was an entry is forgotten when it is lost",
    ),
    (
        "forget-vanished",
        "that a lost entry held an attempt without an outcome is forgotten",
    ),
    ("revoke-any", "a wish to burn one link burns the next one, too"),
    // What an edit asks for.
    (
        "edit-resends",
        "any edit of a finished link's spec makes a new link",
    ),
    (
        "forget-uid",
        "a share that was created again does not take over its entry",
    ),
    ("wait-for-ever", "a share is sent however long it waited"),
    (
        "skip-reread",
        "what was read before a wait is sent, whatever changed since",
    ),
    (
        "believe-cache",
        "the cache of shares counts as fresh, whatever its watch has brought",
    ),
    (
        "skip-recheck",
        "what changed after the intent was written is sent all the same",
    ),
    (
        "begin-anyway",
        "a leader that cannot renew its lease begins something all the same",
    ),
    // What is made of a lost answer.
    (
        "mail-again",
        "with a recipient, too, it is sent again without a look",
    ),
    ("one-look", "one look that finds nothing is enough to send again"),
    ("no-settling", "the second look may follow the first at once"),
    ("pick-first", "of several receipts that fit the first is taken"),
    (
        "ignore-rivals",
        "a receipt is adopted although another lost attempt could have made it",
    ),
    (
        "forget-past",
        "the links of earlier requests are not recognised in the service's list",
    ),
    (
        "clock-of-ours",
        "the age of a receipt is measured with our clock instead of the list's",
    ),
    (
        "ttl-fits",
        "a receipt is not recognised when the service granted more than was asked for",
    ),
    ("any-list", "a list that lacks what the ledger knows is believed"),
    ("unclear-is-none", "a receipt that may be ours counts as none"),
    (
        "forget-none",
        "an attempt that was not found is forgotten, so that its late link lives on",
    ),
    ("no-heal", "an attempt on hold is never looked for again"),
    // What an answer leads to.
    (
        "send-unanswered",
        "a value is sent to a server that never answered as the API",
    ),
    ("no-pause", "after a no it is sent again at once"),
    ("forget-sent", "that something was sent a moment ago is forgotten"),
    // The order of a try.
    ("post-first", "the POST goes before the intent"),
    (
        "late-send",
        "the deadline runs from the POST instead of from before the intent",
    ),
    ("post-again", "the POST is repeated when its answer is lost"),
    (
        "status-first",
        "the status is written before the outcome is in the ledger",
    ),
    (
        "skip-lane",
        "attempts that the list cannot tell apart are sent at the same time",
    ),
    (
        "drop-superseded",
        "a lost attempt of an earlier request is forgotten",
    ),
    // The ledger and the status.
    ("blind-replace", "an entry is replaced whatever its version is"),
    ("race-won", "a lost race for an entry is taken for a won one"),
    (
        "take-without-cas",
        "an entry is taken from another shard as it was read, whatever became of it since",
    ),
    (
        "act-on-others-entry",
        "a shard leaves the entries of its shares with the shard that wrote them",
    ),
    (
        "force-outcome",
        "an outcome is written over whatever the entry became meanwhile",
    ),
    (
        "lose-outcome",
        "an outcome is thrown away when somebody deleted or replaced the entry meanwhile",
    ),
    (
        "forget-attempt",
        "the status does not name an attempt whose outcome is not known",
    ),
    (
        "forget-resolved",
        "an entry forgets the attempts that it no longer tells of",
    ),
    // Another operator for the same namespace.
    (
        "ignore-neighbour",
        "nobody asks whether another operator sends for the namespace",
    ),
    (
        "lease-conflict-won",
        "the Lease of another operator's ledger is taken for our own",
    ),
    (
        "contradict-neighbour",
        "the status that another operator wrote is written over",
    ),
    // How links end.
    (
        "expire-by-clock",
        "a link whose time is over by our clock is taken for expired",
    ),
    (
        "gone-is-burned",
        "a link that cannot be burned any more is taken for burned, unasked",
    ),
    (
        "endless-pause",
        "a pause that was written before the clock was set back lasts until that time comes again",
    ),
    // Burning and generated values.
    ("burn-unmarked", "a link is burned before the ledger says so"),
    (
        "burn-unasked",
        "a share that the cache does not show is believed to be gone",
    ),
    (
        "any-definition",
        "a share that went with its definition is believed to be deleted",
    ),
    (
        "burn-mass",
        "shares that are missing in large numbers are believed to be deleted",
    ),
    (
        "value-first",
        "a generated value leaves the ledger before its Secret has it",
    ),
    (
        "take-target",
        "somebody else's Secret is overwritten with a generated value",
    ),
];

static CHOSEN: LazyLock<Option<&str>> = LazyLock::new(|| {
    let name = std::env::var("ONETIMESHARE_MUTANT").ok()?;
    let known = ALL.iter().find(|(known, _)| *known == name);
    if known.is_none() {
        // A mistake that is not made must not pass for one that is noticed.
        eprintln!("ONETIMESHARE_MUTANT: there is no mutant {name:?}");
        std::process::exit(2);
    }
    known.map(|(name, _)| *name)
});

/// Reads the environment now, so that an unknown name ends the program at its start.
pub fn arm() {
    if let Some(name) = *CHOSEN {
        tracing::warn!(name, "a deliberate mistake is made");
    }
}

/// Whether this mistake is made.
#[must_use]
pub fn is(name: &str) -> bool {
    *CHOSEN == Some(name)
}

/// Whether there is such a mistake: asked by the compiler for every place that makes one.
pub(crate) const fn is_known(name: &str) -> bool {
    let mut at = 0;
    while at < ALL.len() {
        if same(ALL[at].0.as_bytes(), name.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}
