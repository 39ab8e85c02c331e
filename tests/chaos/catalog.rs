//! Every plan, made from the operations and what can go wrong with each; the same ones for the same seed.

use crate::api_faults::{self, Place};
use crate::faults::{self, Target};
use crate::plan::{Crash, Fault, Flavor, Operation, Plan};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The points that every creation passes, in their order.
const CREATE: [&str; 10] = [
    "prepare.before",
    "prepare.after",
    "intent.before",
    "intent.after",
    "post.before",
    "post.after",
    "outcome.before",
    "outcome.after",
    "status.before",
    "status.after",
];
const LANE: [&str; 2] = ["lane.before", "lane.after"];
const TARGET: [&str; 4] = [
    "target.before",
    "target.after",
    "delivered.before",
    "delivered.after",
];
const LIVE: [&str; 2] = ["live.before", "live.after"];
const BURN: [&str; 6] = [
    "burn.mark.before",
    "burn.mark.after",
    "burn.before",
    "burn.after",
    "burned.before",
    "burned.after",
];
const GONE: [&str; 2] = ["gone.before", "gone.after"];
const RESOLVED: [&str; 2] = ["resolved.before", "resolved.after"];
const ADOPT: [&str; 8] = [
    "look.before",
    "look.after",
    "known.before",
    "known.after",
    "claim.before",
    "claim.after",
    "receipt.before",
    "receipt.after",
];
const SUPERSEDED: [&str; 4] = [
    "superseded.burn.before",
    "superseded.burn.after",
    "superseded.forget.before",
    "superseded.forget.after",
];

/// The points that an operation passes, each with the time that matters.
fn points(operation: Operation, flavor: Flavor) -> Vec<(&'static str, u32)> {
    let first = |names: &[&'static str]| names.iter().map(|name| (*name, 1)).collect::<Vec<_>>();
    let status = [("status.before", 1), ("status.after", 1)];
    let mut points = match operation {
        Operation::CreatePlain | Operation::CreateMailing => first(&CREATE),
        Operation::GeneratePlain | Operation::GenerateMailing => first(&[&CREATE[..], &TARGET].concat()),
        Operation::EditPlain | Operation::EditMailing => {
            let mut all = first(&[&LIVE[..], &BURN, &CREATE].concat());
            all.extend([("prepare.before", 2), ("prepare.after", 2)]);
            all
        }
        Operation::EditFinished => status.to_vec(),
        Operation::EditGenerate => first(&[&BURN[..], &CREATE[2..], &TARGET].concat()),
        Operation::Recreate => first(&[&LIVE[..], &CREATE].concat()),
        Operation::DeleteReturn => first(&[&GONE[..], &BURN].concat()),
        Operation::HeldEdit => first(&[&CREATE[2..], &SUPERSEDED].concat()),
        Operation::DeletePlain | Operation::DeleteMailing => first(&[&GONE[..], &BURN].concat()),
        Operation::LostDelete => first(&[&GONE[..], &ADOPT, &RESOLVED, &BURN].concat()),
        Operation::LostPlain => {
            let mut all = first(&RESOLVED);
            all.extend([("intent.before", 2), ("intent.after", 2), ("post.before", 2)]);
            all.extend([("post.after", 2), ("outcome.before", 1), ("outcome.after", 1)]);
            all
        }
        Operation::LostGenerate => {
            let mut all = first(&[&RESOLVED[..], &TARGET].concat());
            all.extend([("intent.after", 2), ("post.before", 2), ("post.after", 2)]);
            all
        }
        Operation::LostMailing => [first(&[&ADOPT[..], &RESOLVED].concat()), status.into()].concat(),
        // v0.23 does not tell a generated value again, so there is none to write.
        Operation::LostGenerateMailing if flavor == Flavor::Account23 => {
            first(&[&ADOPT[..], &RESOLVED].concat())
        }
        Operation::LostGenerateMailing => first(&[&ADOPT[..], &RESOLVED, &TARGET].concat()),
        Operation::PollOpened | Operation::PollExpired => {
            let asked = if flavor.has_account() {
                [("list.before", 1), ("list.after", 1)]
            } else {
                [("state.before", 1), ("state.after", 1)]
            };
            let mut all = asked.to_vec();
            all.extend([("finish.before", 1), ("finish.after", 1)]);
            all.extend([("status.before", 2), ("status.after", 2)]);
            all
        }
    };
    if operation.mails() && points.iter().any(|(name, _)| *name == "intent.after") {
        points.extend(first(&LANE));
    }
    points
}

/// The calls of the service that an operation makes.
fn targets(operation: Operation) -> &'static [Target] {
    match operation {
        Operation::CreatePlain
        | Operation::CreateMailing
        | Operation::GeneratePlain
        | Operation::GenerateMailing
        | Operation::Recreate => &[Target::Post],
        Operation::EditPlain | Operation::EditMailing | Operation::EditGenerate => {
            &[Target::Post, Target::Burn]
        }
        Operation::EditFinished => &[],
        Operation::DeletePlain | Operation::DeleteMailing | Operation::DeleteReturn => &[Target::Burn],
        Operation::LostDelete => &[Target::Recent, Target::Look, Target::Burn],
        Operation::LostMailing | Operation::LostGenerateMailing => &[Target::Recent, Target::Look],
        Operation::HeldEdit => &[Target::Post, Target::Burn],
        Operation::PollOpened | Operation::PollExpired => &[Target::Recent, Target::Look],
        Operation::LostPlain | Operation::LostGenerate => &[Target::Post],
    }
}

/// The requests to the API server that matter to an operation.
fn places(operation: Operation) -> Vec<Place> {
    let mut all = match operation {
        Operation::CreatePlain => vec![
            Place::LedgerCreate(0),
            Place::LedgerUpdate(0),
            Place::Status,
            Place::Source,
        ],
        Operation::CreateMailing => vec![Place::LedgerList, Place::LedgerUpdate(0)],
        Operation::EditMailing => vec![
            Place::LiveRead,
            Place::Source,
            Place::LedgerUpdate(0),
            Place::LedgerUpdate(1),
            Place::LedgerUpdate(2),
            Place::LedgerUpdate(3),
            Place::Status,
        ],
        Operation::GeneratePlain => vec![
            Place::TargetRead,
            Place::TargetWrite,
            Place::LedgerUpdate(0),
            Place::LedgerUpdate(1),
        ],
        Operation::DeleteMailing => vec![
            Place::LiveRead,
            Place::Kind,
            Place::LedgerUpdate(0),
            Place::LedgerUpdate(1),
        ],
        Operation::LostMailing => vec![
            Place::LedgerCreate(1),
            Place::LedgerList,
            Place::LedgerUpdate(0),
            Place::Status,
        ],
        Operation::PollOpened => vec![Place::LedgerUpdate(0), Place::Status],
        Operation::EditFinished => vec![Place::Status],
        Operation::Recreate => vec![Place::LiveRead, Place::LedgerUpdate(0)],
        _ => Vec::new(),
    };
    all.push(Place::Watch);
    all
}

/// Whether a plan's account asks for this call at all.
fn is_asked(operation: Operation, flavor: Flavor, target: Target) -> bool {
    match (operation, target) {
        (Operation::PollOpened | Operation::PollExpired, Target::Recent) => flavor.has_account(),
        (Operation::PollOpened | Operation::PollExpired, Target::Look) => !flavor.has_account(),
        _ => true,
    }
}

/// Every plan of a seed.
pub fn all(seed: u64) -> Vec<Plan> {
    let mut plans = Vec::new();
    for operation in Operation::ALL {
        let mut add = |fault: Fault| plans.push(plan(seed, operation, fault));
        add(Fault::Nothing);
        add(Fault::Twins);
        for crash in Crash::ALL {
            for (point, nth) in every_point(operation) {
                add(Fault::Crash(point, nth, crash));
            }
        }
        for place in places(operation) {
            for fault in api_faults::at(place) {
                add(Fault::Api(fault));
            }
        }
        for target in targets(operation) {
            for fault in faults::at(*target) {
                add(Fault::Service(fault));
            }
        }
    }
    let mut names = BTreeSet::new();
    plans.retain(|plan| is_possible(plan) && names.insert(plan.name()));
    plans
}

fn every_point(operation: Operation) -> Vec<(&'static str, u32)> {
    let mut all = Vec::new();
    for flavor in operation.flavors() {
        for point in points(operation, *flavor) {
            if !all.contains(&point) {
                all.push(point);
            }
        }
    }
    all
}

fn is_possible(plan: &Plan) -> bool {
    match plan.fault {
        Fault::Crash(point, nth, _) => points(plan.operation, plan.flavor).contains(&(point, nth)),
        Fault::Service(fault) => is_asked(plan.operation, plan.flavor, fault.target),
        Fault::Nothing | Fault::Api(_) | Fault::Twins => true,
    }
}

/// The seed decides about what makes no difference to the promise: server, account, passphrase.
fn plan(seed: u64, operation: Operation, fault: Fault) -> Plan {
    let dice = dice(seed, &format!("{}/{fault}", operation.name()));
    let flavors: Vec<Flavor> = operation.flavors().to_vec();
    let possible: Vec<Flavor> = flavors
        .iter()
        .copied()
        .filter(|flavor| {
            is_possible(&Plan {
                operation,
                flavor: *flavor,
                fault,
                passphrase: false,
            })
        })
        .collect();
    let among = if possible.is_empty() { flavors } else { possible };
    let flavor = among[usize::try_from(dice % among.len() as u64).unwrap_or_default()];
    Plan {
        operation,
        flavor,
        fault,
        passphrase: (dice >> 32).is_multiple_of(4) && !needs_the_value(operation, fault),
    }
}

/// A value behind a passphrase is told to nobody again, so after a lost answer there is none to write.
fn needs_the_value(operation: Operation, fault: Fault) -> bool {
    match (operation, fault) {
        (Operation::LostGenerateMailing, Fault::Crash(point, _, _)) => TARGET.contains(&point),
        _ => false,
    }
}

/// The plan of this name, whatever a seed says of its server and account. None when nothing is called so.
pub fn named(name: &str) -> Option<Plan> {
    let mut found = all(0).into_iter().flat_map(|plan| {
        let flavors = plan.operation.flavors().iter();
        flavors.map(move |flavor| Plan {
            flavor: *flavor,
            passphrase: false,
            ..plan.clone()
        })
    });
    found.find(|plan| plan.name() == name && is_possible(plan))
}

/// A number that depends on the seed and a name.
pub fn dice(seed: u64, name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, name).hash(&mut hasher);
    hasher.finish()
}

/// A part of them that still has every operation with every kind of fault.
pub fn quick(seed: u64) -> Vec<Plan> {
    let mut plans = all(seed);
    plans.retain(|plan| !matches!(plan.fault, Fault::Service(fault) if fault.is_slow()));
    plans.sort_by_key(|plan| dice(seed, &plan.name()));
    let mut cells = BTreeSet::new();
    plans.retain(|plan| match plan.fault {
        Fault::Nothing => true,
        // Frozen operators take long: one kind for each operation, and not always the same.
        Fault::Crash(_, _, Crash::Nap | Crash::Stop | Crash::Coma) => {
            cells.insert((plan.operation, "frozen"))
        }
        _ => cells.insert((plan.operation, plan.fault.class())),
    });
    plans
}
