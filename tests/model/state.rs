//! What the model consists of: the API server, the service, two operators with their memories, and the truth about
//! what happened, which no operator sees. Plain data; everything is small and copied.
//!
//! Attempts, receipts, uids and versions are small numbers. `real.rs` turns them into what production code takes.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// How many attempts can be told apart at one time. A number is used again when nothing speaks of it any more.
pub const NONCES: usize = 8;
/// How many receipts the service can hold.
pub const RECEIPTS: usize = 6;
/// The ledgers, with an entry for each of two shares.
pub const LEDGERS: usize = 2;

pub type Nonce = u8;
pub type Version = u8;
/// A set of attempts or receipts.
pub type Set = u8;

/// A request of a share: which of the specs (requestID A, B, …), and its epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    pub spec: u8,
    pub epoch: u8,
}

/// A link in the ledger: which attempt it is booked under, and which receipt it is. Not keyed after a rebuild.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    pub nonce: Nonce,
    pub receipt: u8,
    pub keyed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    Replaced,
    Deleted,
    Asked,
}

/// How a link's life ended. `Alive` only at the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Life {
    Alive,
    Received,
    Burned,
    Expired,
}

/// `Phase` of the production entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    Idle,
    Intent {
        nonce: Nonce,
        held: bool,
    },
    Shared(Link),
    Burning(Link, Why),
    Finished {
        nonce: Nonce,
        how: Life,
        why: Option<Why>,
        receipt: Option<u8>,
    },
}

/// `Entry` of the production ledger, as far as decisions depend on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    pub uid: u8,
    pub generation: u8,
    pub request: Request,
    pub phase: Phase,
    pub superseded: Set,
    /// The attempts that the entry no longer tells of.
    pub resolved: Set,
    /// Those of them that two looks did not find: kept only to burn what turns up late.
    pub found_none: Set,
    /// The receipts of this share's earlier links.
    pub past: Set,
}

impl Entry {
    /// The attempts that the phase and the list of superseded ones tell of.
    pub fn attempts(&self) -> Set {
        let current = match self.phase {
            Phase::Idle => 0,
            Phase::Intent { nonce, .. } | Phase::Finished { nonce, .. } => bit(nonce),
            Phase::Shared(link) | Phase::Burning(link, _) => bit(link.nonce),
        };
        current | self.superseded
    }
}

/// An entry with the resourceVersion that it was read with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Held {
    pub version: Version,
    pub entry: Entry,
}

/// `status.state`; `Nothing` before the first status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shown {
    Nothing,
    Pending,
    Shared,
    Received,
    Burned,
    Expired,
    Failed,
    /// Another operator sends here.
    Other,
}

impl Shown {
    pub fn is_over(self) -> bool {
        matches!(self, Self::Received | Self::Burned | Self::Expired)
    }
}

/// A share's status.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status {
    pub generation: u8,
    pub told: Option<(Request, Nonce)>,
    pub link: Option<u8>,
    pub shown: Shown,
}

impl Status {
    pub const EMPTY: Self = Self {
        generation: 0,
        told: None,
        link: None,
        shown: Shown::Nothing,
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share {
    pub uid: u8,
    pub generation: u8,
    pub spec: u8,
    /// The attempt whose link a user wants burned.
    pub burn: Option<Nonce>,
    pub status: Status,
}

/// A share as an operator read it, and after which version of the entry when that was from the API server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seen {
    pub share: Share,
    pub after: Option<Option<Version>>,
}

/// How the service tells of itself: the same throughout one exploration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// Its clock minus the operators', in seconds.
    pub clock_offset: i64,
    /// Whether its lists tell its clock.
    pub tells_clock: bool,
    /// Whether it grants longer lifetimes than the ones asked for.
    pub raises_ttl: bool,
}

impl Service {
    pub const PLAIN: Self = Self {
        clock_offset: 0,
        tells_clock: true,
        raises_ttl: false,
    };
}

/// What an operator sees of the service's list of receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sight {
    /// All of it.
    List,
    /// All of it, without the recipients.
    Hidden,
    /// A list from before the first receipt.
    Old,
    /// It cannot be had now.
    NotYet,
    /// It cannot be read.
    Never,
}

/// The service's list of receipts as it was read, and whether a settling time had passed then since an earlier look
/// found none: what passes after the list was read says nothing about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct List {
    pub receipts: Set,
    pub sight: Sight,
    /// The receipts that the operator knew before it asked.
    pub expected: Set,
    pub settled: bool,
}

/// What follows a write to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Then {
    Again,
    Send,
    Burn,
    Done,
}

/// The effect that a task is about to have. The computation between two effects is one step with the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pc {
    /// Create the Lease of the namespace, or read it.
    Occupy(Seen),
    /// GET the share, after this version of the entry.
    ReadShare(Option<Version>),
    /// Create (None) or replace the entry.
    Write(Option<Seen>, Option<Version>, Entry, Then),
    /// List the lane.
    Lane(Seen, Held),
    /// POST.
    Post(Seen, Held),
    /// Write an outcome for as long as the entry is in the first phase: `attempt::record`.
    Record(Option<Seen>, Phase, Phase),
    /// GET the service's list of receipts.
    List(Option<Seen>, Held),
    /// With that list, list the ledger.
    Listed(Option<Seen>, Held, List),
    /// Claim this receipt, and GET it.
    Claim(Option<Seen>, Held, u8),
    /// Ask the service to burn.
    Burn(Option<Seen>, Held),
    /// PATCH the status.
    Show(Seen, Status),
    /// The poll: GET the share that seems to be gone.
    Gone(Held),
    /// The poll: DELETE the entry.
    Remove(Version),
    /// The poll: GET the service's list of receipts for a lost attempt of an earlier request.
    Seek(Held, Nonce),
    /// With that list, list the ledger.
    Sought(Held, Nonce, List),
    /// Claim this receipt, and ask the service to burn it.
    Quench(Held, Nonce, u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Task {
    pub share: u8,
    pub pc: Pc,
}

/// The operator's name in printed paths. It plays no part in comparisons: the two run the same program.
#[derive(Clone, Copy, Debug)]
pub struct Tag(pub char);

impl PartialEq for Tag {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Tag {}
impl PartialOrd for Tag {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Tag {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}
impl Hash for Tag {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Workers of one operator: one or two that reconcile, and last the poll.
pub const SLOTS: usize = 3;
pub const POLLER: usize = SLOTS - 1;

/// What an operator knows of whose the namespace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Namespace {
    Unknown,
    Ours,
    Others,
}

/// One operator. A crash leaves nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operator {
    pub tag: Tag,
    /// Which ledger is its own.
    pub ledger: u8,
    pub namespace: Namespace,
    pub tasks: [Option<Task>; SLOTS],
    /// Of which attempts a look found no trace, and for which that is a settling time ago.
    pub found_none: Set,
    pub settled: Set,
    /// Of which shares it ever knew an entry. Kept only where entries can be lost.
    pub known: Set,
    /// What the caches show while their watches lag; None while they are up to date.
    pub old_ledger: Option<Box<[Option<Held>; LEDGERS * 2]>>,
    pub old_shares: Option<Box<[Option<Share>; 2]>>,
}

/// How old an attempt is, by the time that every clock agrees about.
///
/// `Over`: deadline and slack have passed since its intent was written, so its sender hands over nothing more.
/// `Stale`: so much later that waiting for a resolution ends (`RESOLVE_LIMIT`, an unreachable list).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Age {
    Young,
    Over,
    Stale,
}

/// The truth about an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Try {
    pub share: u8,
    pub request: Request,
    pub age: Age,
    /// Its intent is or was in the ledger.
    pub intended: bool,
    /// Its POST was handed over.
    pub posted: bool,
    /// Its POST is on its way, and nobody waits for the answer any more.
    pub on_wire: bool,
    /// A status told of the end of its link.
    pub ended: bool,
    /// Its request was on its way for longer than a settling time.
    pub too_late: bool,
}

/// What the service keeps of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    pub nonce: Nonce,
    pub share: u8,
    pub request: Request,
    pub life: Life,
    /// The claim in the ledger's namespace.
    pub claimed_for: Option<Nonce>,
    /// It was in a status once.
    pub published: bool,
    /// The only copy of its metadata key went with a lost entry.
    pub key_lost: bool,
    /// A user wanted it burned.
    pub revoked: bool,
    /// The request arrived when two looks had found nothing.
    pub too_late: bool,
}

/// What went wrong, noted at the moment when it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Broken {
    pub post_without_intent: bool,
    pub posted_twice: bool,
    pub not_asked_for: bool,
    pub came_back: bool,
    pub contradicted: bool,
    /// Not a fault of the protocol: the model's own numbers did not suffice.
    pub out_of_numbers: bool,
}

/// What may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Budget {
    /// All faults together, besides the limit of each kind.
    pub faults: u8,
    pub crashes: u8,
    pub pauses: u8,
    pub lost_requests: u8,
    pub lost_answers: u8,
    pub late_commits: u8,
    pub bad_looks: u8,
    /// Questions about the end of a link that the service does not answer.
    pub silences: u8,
    /// Requests that arrive later than a settling time.
    pub too_late: u8,
    pub ledger_lags: u8,
    pub share_lags: u8,
    pub long_waits: u8,
    pub lost_entries: u8,
    pub edits: u8,
    pub deletions: u8,
    pub openings: u8,
    /// Links whose time is over.
    pub expiries: u8,
    /// Wishes that a link be burned.
    pub revocations: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub shares: [Option<Share>; 2],
    pub ledger: [Option<Held>; LEDGERS * 2],
    /// The ledger that the namespace's Lease names.
    pub lease: Option<u8>,
    pub tries: [Option<Try>; NONCES],
    pub receipts: [Option<Receipt>; RECEIPTS],
    pub operators: [Operator; 2],
    /// Uids given out, and requests that users made, for each name.
    pub uids: [u8; 2],
    pub asked: [u8; 2],
    pub budget: Budget,
    pub broken: Broken,
    /// Whether entries can be lost in this exploration.
    pub loses: bool,
}

impl Operator {
    pub fn new(tag: char, ledger: u8) -> Self {
        Self {
            tag: Tag(tag),
            ledger,
            namespace: Namespace::Unknown,
            tasks: [None; SLOTS],
            found_none: 0,
            settled: 0,
            known: 0,
            old_ledger: None,
            old_shares: None,
        }
    }
}

impl State {
    /// An entry as an operator's cache shows it.
    pub fn ledger_of(&self, operator: usize, share: u8) -> Option<Held> {
        let ledger = self.operators[operator]
            .old_ledger
            .as_deref()
            .unwrap_or(&self.ledger);
        ledger[self.place(operator, share)]
    }

    /// Where an operator's ledger has the entry of a share.
    pub fn place(&self, operator: usize, share: u8) -> usize {
        usize::from(self.operators[operator].ledger) * 2 + usize::from(share)
    }

    /// The entry in the ledger that the namespace belongs to.
    pub fn entry_of(&self, share: u8) -> Option<Held> {
        self.ledger[usize::from(self.lease.unwrap_or_default()) * 2 + usize::from(share)]
    }

    /// A share as an operator's cache shows it.
    pub fn share_of(&self, operator: usize, share: u8) -> Option<Share> {
        let shares = self.operators[operator]
            .old_shares
            .as_deref()
            .unwrap_or(&self.shares);
        shares[usize::from(share)]
    }

    pub fn receipt(&self, receipt: u8) -> &Receipt {
        self.receipts[usize::from(receipt)]
            .as_ref()
            .expect("a receipt that somebody knows exists")
    }

    pub fn receipt_mut(&mut self, receipt: u8) -> &mut Receipt {
        self.receipts[usize::from(receipt)]
            .as_mut()
            .expect("a receipt that somebody knows exists")
    }

    pub fn attempt(&self, nonce: Nonce) -> &Try {
        self.tries[usize::from(nonce)]
            .as_ref()
            .expect("an attempt that somebody knows exists")
    }

    pub fn attempt_mut(&mut self, nonce: Nonce) -> &mut Try {
        self.tries[usize::from(nonce)]
            .as_mut()
            .expect("an attempt that somebody knows exists")
    }

    /// Every operator knows the entries that its cache shows.
    pub fn learn(&mut self) {
        if !self.loses {
            return;
        }
        for operator in &mut self.operators {
            let ledger = operator.old_ledger.as_deref().unwrap_or(&self.ledger);
            let own = ledger
                .chunks(2)
                .nth(usize::from(operator.ledger))
                .unwrap_or_default();
            for (share, _) in (0..).zip(own).filter(|(_, held)| held.is_some()) {
                operator.known |= bit(share);
            }
        }
    }

    /// Higher than every version that anybody holds.
    pub fn next_version(&self) -> Version {
        let mut highest = 0;
        let mut copy = self.clone();
        copy.each_version(&mut |version| highest = highest.max(*version));
        highest + 1
    }
}

impl Entry {
    pub fn intent(&self) -> Option<Nonce> {
        match self.phase {
            Phase::Intent { nonce, .. } => Some(nonce),
            _ => None,
        }
    }

    /// The receipt whose key the entry knows: `Entry::key_hash`.
    pub fn receipt(&self) -> Option<u8> {
        match self.phase {
            Phase::Shared(link) | Phase::Burning(link, _) => Some(link.receipt).filter(|_| link.keyed),
            Phase::Finished { receipt, .. } => receipt,
            Phase::Idle | Phase::Intent { .. } => None,
        }
    }
}

pub fn bit(number: u8) -> Set {
    1 << number
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(b'A' + self.spec), self.epoch)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "receipt {} of attempt {}{}",
            self.receipt,
            self.nonce,
            if self.keyed { "" } else { ", no key" }
        )
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "uid {} generation {}, {:?}, read after {:?}",
            self.share.uid, self.share.generation, self.share.status, self.after
        )
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{} {:?}", self.version, self.entry)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} {:?} link {:?} (generation {})",
            self.shown, self.told, self.link, self.generation
        )
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} {:?} (uid {} generation {}, superseded {:b}, not found {:b}, resolved {:b}, past {:b})",
            self.request,
            self.phase,
            self.uid,
            self.generation,
            self.superseded,
            self.found_none,
            self.resolved,
            self.past
        )
    }
}
