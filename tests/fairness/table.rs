//! How long links took, as a small table.

use std::time::Duration;

use crate::findings::Findings;

/// The times of some shares that were applied together.
pub struct Row {
    /// How many shares waited meanwhile.
    pub waiting: usize,
    pub when: &'static str,
    pub place: &'static str,
    /// From apply to link; none for a share that had none in time.
    pub times: Vec<Option<Duration>>,
}

#[derive(Default)]
pub struct Table(Vec<Row>);

impl Table {
    pub fn push(&mut self, row: Row) {
        self.0.push(row);
    }

    pub fn print(&self) {
        println!("| waiting | applied | namespace | shares | min | median | max |");
        println!("|---:|---|---|---:|---:|---:|---:|");
        for row in &self.0 {
            let [min, median, max] = row.figures();
            let (count, waiting, when, place) = (row.times.len(), row.waiting, row.when, row.place);
            println!("| {waiting} | {when} | {place} | {count} | {min} | {median} | {max} |");
        }
    }

    /// Notes each row with a share that had no link within the limit.
    pub fn check(&self, limit: Duration, findings: &mut Findings) {
        for row in &self.0 {
            let late = row
                .times
                .iter()
                .filter(|time| time.is_none_or(|time| time > limit));
            let late = late.count();
            findings.unless(late == 0, || {
                format!(
                    "{late} of {} shares had no link at a healthy provider {limit:?} after they were applied, {}, in the \
                     {} namespace, with {} shares waiting at a provider of 2 requests a minute",
                    row.times.len(),
                    row.when,
                    row.place,
                    row.waiting
                )
            });
        }
    }
}

impl Row {
    fn figures(&self) -> [String; 3] {
        let mut times = self.times.clone();
        // Those without a link are the slowest.
        times.sort_by_key(|time| time.unwrap_or(Duration::MAX));
        let text = |time: Option<&Option<Duration>>| match time {
            Some(Some(time)) => format!("{:.1} s", time.as_secs_f64()),
            Some(None) => "none".to_owned(),
            None => "-".to_owned(),
        };
        [
            text(times.first()),
            text(times.get(times.len() / 2)),
            text(times.last()),
        ]
    }
}
