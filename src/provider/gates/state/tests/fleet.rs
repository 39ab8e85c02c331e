//! Fleets of shares against the limits of the service: how long the last link takes, what that is for small tenants, and
//! how many requests are wasted. `make fleet` prints the table of docs/scale.md.

mod fleets;
mod pauses_kept;
mod service;
mod simulation;

use fleets::{AT_ONCE, Fleet, all, is_small};
use service::WINDOW;
use simulation::Simulation;
use std::time::Duration;

/// A window that is over is noticed within this time: the longest pause before the operator doubts that it is one.
const NOTICED: Duration = Duration::from_secs(300);

/// So many pauses end in one window.
const PAUSES: u32 = 7;

/// What a fleet took.
struct Figures {
    name: &'static str,
    last: Duration,
    small: Option<Duration>,
    refused: u32,
    most_refused: u32,
}

impl Figures {
    /// A row of the table.
    fn row(&self) -> String {
        let small = self.small.map_or("-".to_owned(), text);
        format!(
            "| {} | {} | {small} | {} | {} |",
            self.name,
            text(self.last),
            self.refused,
            self.most_refused
        )
    }
}

/// As people write it.
fn text(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}

/// Plays a fleet, and checks what must hold for each.
fn play(fleet: Fleet) -> (Figures, Vec<String>) {
    let name = fleet.name;
    // What is under way when the limit is met, and one after each pause.
    let most_wasted = fleet.gates * AT_ONCE + fleet.operators * PAUSES;
    let (full_windows, small_within) = (fleet.full_windows, fleet.small_within);
    let count = u64::try_from(fleet.links.len()).expect("a few");
    let mut played = Simulation::new(fleet.service, fleet.links);
    played.run();
    let figures = Figures {
        name,
        last: played
            .last()
            .unwrap_or_else(|| panic!("{name}: not all were sent")),
        small: small_within.and_then(|_| played.longest(is_small)),
        refused: played.service.refused,
        most_refused: played.service.most_refused,
    };
    let Figures { last, small, .. } = &figures;
    let kept = &played.kept;
    let held = [
        (
            *last <= full_windows * (WINDOW + NOTICED) + WINDOW,
            "the last link comes late",
        ),
        (*small <= small_within, "the small tenants wait too long"),
        (
            figures.most_refused <= most_wasted,
            "too many are refused in one window",
        ),
        (kept.too_soon == 0, "a request during a pause"),
        (kept.most_at_once <= 1, "several requests try after one pause"),
        // A share comes, is called, comes again, and has its answer; those that are refused take a few more.
        (played.count <= 5 * count + 5000, "too many events"),
        (played.nothing_is_left(), "something is kept for ever"),
    ];
    let broken = held.iter().filter(|(held, _)| !held);
    let broken = broken
        .map(|(_, what)| format!("{what}: {}", figures.row()))
        .collect();
    (figures, broken)
}

#[test]
#[allow(clippy::print_stdout, reason = "`make fleet` shows the table")]
fn fleets_get_their_links_as_fast_as_the_service_allows() {
    let mut rows = vec![
        "| Fleet | Last link | Last link of the small tenants | Refused | Most in one window |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    let mut broken = Vec::new();
    for fleet in all() {
        let (figures, wrong) = play(fleet);
        rows.push(figures.row());
        broken.extend(wrong);
    }
    let table = rows.join("\n");
    println!("\n{table}\n");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scale.md");
    let docs = std::fs::read_to_string(docs).expect("docs/scale.md");
    assert!(
        docs.contains(&table),
        "docs/scale.md has another table: `make fleet` prints this one"
    );
}
