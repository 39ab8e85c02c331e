//! What must hold: the invariants of DESIGN.md, section 6, over the truth that no operator sees.

use super::model::OperatorModel;
use super::operator::Worker;
use super::state::{
    Age, Life, NONCES, Nonce, POLLER, Phase, Receipt, SLOTS, Share, Shown, State, Status, bit,
};
use stateright::Property;

pub fn properties() -> Vec<Property<OperatorModel>> {
    vec![
        Property::always(
            "at most one e-mail for a request",
            |model: &OperatorModel, s: &State| {
                !twice(s, &|receipt: &Receipt| {
                    model.mails(receipt.share) && !receipt.too_late
                })
            },
        ),
        Property::always("at most one published link for a request", |_, s: &State| {
            !twice(s, &|receipt: &Receipt| receipt.published)
        }),
        Property::always("no POST without an intent in the ledger", |_, s: &State| {
            !s.broken.post_without_intent
        }),
        Property::always("no attempt is posted twice", |_, s: &State| {
            !s.broken.posted_twice
        }),
        Property::always("nothing is sent that nobody asked for", |_, s: &State| {
            !s.broken.not_asked_for
        }),
        Property::always("what ended never comes back", |_, s: &State| !s.broken.came_back),
        Property::always(
            "no status is written over by an operator that may not send",
            |_, s: &State| !s.broken.contradicted,
        ),
        Property::always("an end is one that the service told", |_, s: &State| told_ends(s)),
        Property::always("a status shows the link of its own request", |_, s: &State| {
            own_links(s)
        }),
        Property::always(
            "at rest nothing is lost and nothing is left to do",
            |model: &OperatorModel, s: &State| at_rest(model, s).is_ok(),
        ),
        Property::always("the model's numbers suffice", |_, s: &State| {
            !s.broken.out_of_numbers
        }),
    ]
}

/// Whether two receipts of one request both are of a kind.
fn twice(s: &State, is: &dyn Fn(&Receipt) -> bool) -> bool {
    let mut of_kind = s.receipts.iter().flatten().filter(|receipt| is(receipt));
    let mut seen = Vec::new();
    of_kind.any(|receipt| {
        let request = (receipt.share, receipt.request);
        let again = seen.contains(&request);
        seen.push(request);
        again
    })
}

fn told_ends(s: &State) -> bool {
    s.ledger.iter().flatten().all(|held| match held.entry.phase {
        Phase::Finished {
            how,
            receipt: Some(receipt),
            ..
        } => s.receipt(receipt).life == how,
        _ => true,
    })
}

fn own_links(s: &State) -> bool {
    (0..).zip(&s.shares).all(|(number, share)| {
        let Some(Share { status, .. }) = share else {
            return true;
        };
        let (Some(link), Some((request, _))) = (status.link, status.told) else {
            return true;
        };
        let receipt = s.receipt(link);
        receipt.share == number && receipt.request == request
    })
}

/// When nothing moves any more without a fault or a user: what is still wrong.
pub fn at_rest(model: &OperatorModel, s: &State) -> Result<(), String> {
    if !is_at_rest(model, s) {
        return Ok(());
    }
    for (number, receipt) in (0..).zip(&s.receipts) {
        if let Some(receipt) = receipt.filter(|receipt| receipt.life == Life::Alive) {
            alive(model, s, number, &receipt)?;
        }
    }
    healed(model, s)?;
    for (number, share) in (0..).zip(&s.shares) {
        if let Some(share) = share {
            served(s, number, share).map_err(|what| format!("share {number}: {what}"))?;
        }
    }
    Ok(())
}

/// A living link is in its share's status, or nobody can have it, or what became of it is an open question.
fn alive(model: &OperatorModel, s: &State, number: u8, receipt: &Receipt) -> Result<(), String> {
    let share = &s.shares[usize::from(receipt.share)];
    let shown =
        share.is_some_and(|share| share.status.link == Some(number) && share.status.shown == Shown::Shared);
    let unreachable = !model.mails(receipt.share) && !receipt.published;
    if shown || unreachable || receipt.key_lost || is_open(model, s, receipt) {
        return Ok(());
    }
    match share {
        Some(_) => Err(format!("link {number} lives and its share does not show it")),
        None => Err(format!("link {number} lives and its share is gone")),
    }
}

/// A person is asked about the attempt, or it cannot be told from another one that a person is asked about.
fn is_open(model: &OperatorModel, s: &State, receipt: &Receipt) -> bool {
    let Some(held) = s.entry_of(receipt.share) else {
        return false;
    };
    let asked = |held: &super::state::Held| matches!(held.entry.phase, Phase::Intent { held: true, .. });
    let own = asked(&held) && held.entry.intent() == Some(receipt.nonce);
    let lane = (0..2)
        .filter(|share| model.mails(*share))
        .filter_map(|share| s.entry_of(share));
    own || (held.entry.superseded & bit(receipt.nonce) != 0 && lane.into_iter().any(|held| asked(&held)))
}

/// A hold does not stay when a whole list shows the one receipt that fits: of one share without another attempt whose receipt
/// it could be.
fn healed(model: &OperatorModel, s: &State) -> Result<(), String> {
    let (Some(held), 1, true) = (s.entry_of(0), model.shares(), model.service.tells_clock) else {
        return Ok(());
    };
    let Phase::Intent { nonce, held: true } = held.entry.phase else {
        return Ok(());
    };
    let known = held.entry.past;
    let fits = (0..).zip(&s.receipts).filter_map(|(number, receipt)| {
        let receipt = receipt.as_ref().filter(|_| known & bit(number) == 0)?;
        receipt
            .claimed_for
            .is_none_or(|by| by == nonce)
            .then_some(receipt.nonce)
    });
    if fits.collect::<Vec<_>>() == [nonce] && held.entry.superseded & !held.entry.found_none == 0 {
        return Err("an attempt is on hold whose receipt is there".into());
    }
    Ok(())
}

/// A share has its link, or had it, or says what a person must do.
fn served(s: &State, number: u8, share: &Share) -> Result<(), String> {
    let phase = s.entry_of(number).map(|held| held.entry.phase);
    let status = &share.status;
    let current = status.told.is_some_and(|(request, _)| request.spec == share.spec);
    match status.shown {
        Shown::Shared if !current => Err("shows the link of another spec".into()),
        Shown::Shared if share.burn.is_some() && share.burn == status.told.map(|(_, nonce)| nonce) => {
            Err("shows a link whose burning a user asked for".into())
        }
        Shown::Shared => match status.link.map(|link| s.receipt(link).life) {
            Some(Life::Alive | Life::Received) => Ok(()),
            life => Err(format!("shows a link that is {life:?}")),
        },
        Shown::Received | Shown::Expired if current => Ok(()),
        // Also for a share that was created again since: who wants another link says so.
        Shown::Burned if current && was_revoked(s, number, status) => Ok(()),
        // Only the operator burns in this model, and nothing else that is still wanted.
        Shown::Burned => Err("its link was burned, and it gets no other".into()),
        Shown::Failed if matches!(phase, None | Some(Phase::Intent { held: true, .. })) => Ok(()),
        Shown::Pending if matches!(phase, Some(Phase::Burning(link, _)) if !link.keyed) => Ok(()),
        shown => Err(format!("stays {shown:?}")),
    }
}

/// Whether a user wanted the link burned that a status tells the end of.
fn was_revoked(s: &State, share: u8, status: &Status) -> bool {
    let told = status.told.map(|(_, nonce)| nonce);
    let mut receipts = s.receipts.iter().flatten();
    receipts.any(|receipt| receipt.share == share && Some(receipt.nonce) == told && receipt.revoked)
}

/// Whether nothing changes but by a fault or a user: every operator, asked about everything, leaves things as they
/// are, and no more time has to pass.
pub fn is_at_rest(model: &OperatorModel, s: &State) -> bool {
    let idle = s.operators.iter().all(|operator| {
        operator.tasks.iter().all(Option::is_none)
            && operator.old_ledger.is_none()
            && operator.old_shares.is_none()
            && operator.found_none & !operator.settled == 0
    });
    let waits = |nonce: Nonce| {
        s.tries[usize::from(nonce)].is_some_and(|t| t.on_wire || (t.age == Age::Young && open(s, nonce)))
    };
    if !idle || (0..NONCES as Nonce).any(waits) {
        return false;
    }
    (0..s.operators.len()).all(|operator| {
        (0..model.shares()).all(|share| {
            let still = |slot, begin: &dyn Fn(&mut State, Worker)| {
                alone(
                    model,
                    s,
                    Worker {
                        operator,
                        slot,
                        share,
                    },
                    begin,
                ) == *s
            };
            still(0, &|s, worker| model.reconcile(s, worker))
                && still(POLLER, &|s, worker| model.poll(s, worker))
                && still(POLLER, &|s, worker| model.begin_orphan(s, worker))
                && still(POLLER, &|s, worker| model.heal(s, worker))
                && (0..NONCES as Nonce).all(|nonce| {
                    s.tries[usize::from(nonce)].is_none()
                        || still(POLLER, &|s, worker| model.seek(s, worker, nonce))
                })
        })
    })
}

/// Whether an entry holds the attempt as unresolved, and nobody was asked about it.
pub fn open(s: &State, nonce: Nonce) -> bool {
    s.ledger.iter().flatten().any(|held| {
        held.entry.superseded & bit(nonce) != 0 || held.entry.phase == Phase::Intent { nonce, held: false }
    })
}

/// What one worker makes of a state when nobody disturbs it. More steps than any worker needs are never at rest.
fn alone(model: &OperatorModel, s: &State, worker: Worker, begin: &dyn Fn(&mut State, Worker)) -> State {
    debug_assert!(worker.slot < SLOTS);
    let mut s = s.clone();
    begin(&mut s, worker);
    for _ in 0..40 {
        let Some(task) = s.operators[worker.operator].tasks[worker.slot] else {
            break;
        };
        model.step(&mut s, worker, task.pc);
    }
    s.tidy();
    s
}
