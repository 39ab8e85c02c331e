//! Every deliberate mistake of `src/mutant.rs`, and what must notice it: an exploration of the model, or plans and
//! scenarios of this runner. All of them are first run without any mistake: what always fails shows nothing.

use crate::catalog;
use crate::plan::Plan;
use crate::run::{self, Verdict};
use crate::scenario::Scenario;
use crate::scope::Fixture;
use anyhow::{Context as _, Result, bail, ensure};
use futures::StreamExt as _;
use onetimeshare::mutant;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[derive(Clone, Copy)]
enum Catcher {
    /// Tests of `tests/model.rs`.
    Model(&'static [&'static str]),
    /// Plans and scenarios.
    Chaos(&'static [&'static str]),
}
use Catcher::{Chaos, Model};

const CATCHERS: &[(&str, Catcher)] = &[
    ("no-deadline-wait", Model(&["one_share_one_fault"])),
    ("cached-change", Model(&["deletions"])),
    ("ignore-told", Model(&["loss"])),
    ("same-epoch", Model(&["deletions"])),
    ("forget-entry", Model(&["loss"])),
    ("revoke-any", Model(&["revocation"])),
    ("edit-resends", Chaos(&["edit-finished/v26/nothing"])),
    ("forget-uid", Chaos(&["scenario/replaced-share"])),
    ("wait-for-ever", Chaos(&["scenario/waited-too-long"])),
    ("skip-reread", Chaos(&["scenario/wait-edit"])),
    ("believe-cache", Chaos(&["scenario/wait-edit"])),
    (
        "skip-recheck",
        Chaos(&["scenario/late-edit", "scenario/late-rotate"]),
    ),
    ("begin-anyway", Chaos(&["scenario/term-over"])),
    ("mail-again", Model(&["one_share_one_fault"])),
    ("one-look", Model(&["one_share_one_fault"])),
    ("no-settling", Model(&["one_share_one_fault"])),
    ("forget-past", Model(&["edits"])),
    ("pick-first", Chaos(&["held-edit/v26/post:reset-after"])),
    ("ignore-rivals", Model(&["lane"])),
    ("clock-of-ours", Chaos(&["scenario/lost-answers-elsewhere/v26"])),
    ("ttl-fits", Chaos(&["scenario/lost-answers-elsewhere/v23"])),
    ("any-list", Chaos(&["scenario/stale-list"])),
    ("unclear-is-none", Chaos(&["scenario/hidden-recipients"])),
    ("forget-none", Chaos(&["scenario/late-duplicate"])),
    ("no-heal", Chaos(&["scenario/hold-heals"])),
    ("send-unanswered", Chaos(&["scenario/redirected"])),
    ("no-pause", Chaos(&["scenario/refused"])),
    ("forget-sent", Chaos(&["scenario/refused"])),
    ("post-first", Chaos(&["create-mailing/v26/kill@intent.before"])),
    ("late-send", Chaos(&["create-mailing/v26/coma@post.before"])),
    ("post-again", Chaos(&["lost-mailing/v26/nothing"])),
    ("status-first", Chaos(&["create-plain/v26/kill@outcome.before"])),
    ("skip-lane", Chaos(&["scenario/one-recipient"])),
    ("drop-superseded", Chaos(&["held-edit/v26/nothing"])),
    ("ignore-neighbour", Chaos(&["scenario/two-ledgers"])),
    ("lease-conflict-won", Chaos(&["scenario/two-ledgers"])),
    ("contradict-neighbour", Chaos(&["scenario/two-ledgers"])),
    ("blind-replace", Chaos(&["edit-mailing/v26/stop@intent.before"])),
    (
        "race-won",
        Chaos(&["edit-mailing/v26/twins", "edit-mailing/v26/stop@intent.before"]),
    ),
    ("take-without-cas", Chaos(&["scenario/shard-takes"])),
    ("act-on-others-entry", Chaos(&["scenario/shard-rests"])),
    ("force-outcome", Chaos(&["create-plain/v26/coma@outcome.before"])),
    ("forget-vanished", Chaos(&["scenario/entry-deleted-answer-lost"])),
    ("forget-attempt", Chaos(&["scenario/entry-lost"])),
    ("forget-resolved", Chaos(&["lost-plain/v26/nothing"])),
    ("lose-outcome", Chaos(&["scenario/entry-deleted"])),
    ("any-definition", Chaos(&["scenario/older-definition"])),
    ("burn-mass", Chaos(&["scenario/mass"])),
    (
        "burn-unmarked",
        Chaos(&["delete-return/v26/kill@burn.mark.before"]),
    ),
    ("burn-unasked", Chaos(&["delete-return/v23/nap@gone.before"])),
    ("value-first", Chaos(&["generate-plain/v26/kill@target.before"])),
    ("take-target", Chaos(&["scenario/taken-target"])),
    ("expire-by-clock", Chaos(&["scenario/clock-steps/v26"])),
    ("gone-is-burned", Chaos(&["scenario/opened-then-deleted"])),
    ("endless-pause", Chaos(&["scenario/clock-steps/v26"])),
];

/// What is run, with a mistake or without.
#[derive(Clone)]
struct Trial {
    mutant: Option<&'static str>,
    catcher: &'static str,
    work: Work,
}

#[derive(Clone)]
enum Work {
    Model,
    Plan(Box<Plan>),
    Scenario(&'static Scenario),
}

/// What it showed: the violations, or why it showed nothing.
type Shown = Result<Vec<String>>;

/// Runs everything. True when nothing fails without a mistake, and something does with each.
pub async fn all(fixture: &Fixture, filter: Option<&str>, jobs: usize) -> Result<bool> {
    check_lists()?;
    let start = Instant::now();
    let wanted = |name: &str| filter.is_none_or(|part| name.contains(part));
    let chosen: Vec<_> = CATCHERS.iter().filter(|(name, _)| wanted(name)).collect();
    let mut trials = Vec::new();
    let mut control = BTreeSet::new();
    for (name, catcher) in chosen {
        for trial in trials_of(name, *catcher)? {
            if control.insert(trial.catcher) {
                trials.push(Trial {
                    mutant: None,
                    ..trial.clone()
                });
            }
            trials.push(trial);
        }
    }
    println!(
        "{} runs without a mistake, {} with one",
        control.len(),
        trials.len() - control.len()
    );
    let (model, chaos): (Vec<_>, Vec<_>) = trials
        .into_iter()
        .partition(|trial| matches!(trial.work, Work::Model));
    let model = futures::stream::iter(model)
        .map(|trial| try_it(fixture, trial))
        .buffer_unordered(1);
    let chaos = futures::stream::iter(chaos)
        .map(|trial| try_it(fixture, trial))
        .buffer_unordered(jobs);
    // Plans mostly wait, and the model computes: side by side they take little longer than either.
    let results: Vec<(Trial, Shown)> = futures::stream::select(model, chaos).collect().await;
    Ok(report(&results, start.elapsed()))
}

/// Every mistake has its place in the code and its line here, and nothing else has.
fn check_lists() -> Result<()> {
    let known: BTreeSet<&str> = mutant::ALL.iter().map(|(name, _)| *name).collect();
    let caught: BTreeSet<&str> = CATCHERS.iter().map(|(name, _)| *name).collect();
    ensure!(
        known.len() == mutant::ALL.len() && caught.len() == CATCHERS.len(),
        "a mutant is listed twice"
    );
    ensure!(
        known == caught,
        "listed only once: {:?}",
        known.symmetric_difference(&caught)
    );
    let mut sources = String::new();
    read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources)?;
    let unused: Vec<_> = known
        .iter()
        .filter(|name| !sources.contains(&format!("mutant!(\"{name}\")")))
        .collect();
    ensure!(unused.is_empty(), "mutants that nothing in src makes: {unused:?}");
    Ok(())
}

fn read_all(folder: &Path, text: &mut String) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        if path.is_dir() {
            read_all(&path, text)?;
        } else {
            text.push_str(&std::fs::read_to_string(&path).with_context(|| path.display().to_string())?);
        }
    }
    Ok(())
}

fn trials_of(mutant: &'static str, catcher: Catcher) -> Result<Vec<Trial>> {
    let trial = |catcher, work| Trial {
        mutant: Some(mutant),
        catcher,
        work,
    };
    match catcher {
        Model(tests) => Ok(tests.iter().map(|test| trial(*test, Work::Model)).collect()),
        Chaos(names) => names
            .iter()
            .map(|name| {
                let scenario = Scenario::all()
                    .into_iter()
                    .find(|scenario| scenario.name == *name);
                let plan = catalog::named(name).map(|plan| Work::Plan(Box::new(plan)));
                let work = scenario.map(Work::Scenario).or(plan);
                Ok(trial(
                    *name,
                    work.with_context(|| format!("there is no plan {name}"))?,
                ))
            })
            .collect(),
    }
}

async fn try_it(fixture: &Fixture, trial: Trial) -> (Trial, Shown) {
    let start = Instant::now();
    let fixture = Fixture {
        mutant: trial.mutant,
        ..fixture.clone()
    };
    let shown = match &trial.work {
        Work::Model => explore(trial.mutant, trial.catcher).await,
        Work::Plan(plan) => shown(Box::pin(run::run(&fixture, plan)).await),
        Work::Scenario(scenario) => shown(scenario.play(&fixture, 20).await),
    };
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{:<18} {} [{seconds:.1} s]",
        trial.mutant.unwrap_or("-"),
        trial.catcher
    );
    (trial, shown)
}

/// A plan that did not come to the mistake shows nothing.
fn shown(verdict: Verdict) -> Shown {
    let violations = verdict.violations;
    let void = ["setting up", "preparing", "what should go wrong did not"];
    match violations
        .iter()
        .find(|text| void.iter().any(|start| text.starts_with(start)))
    {
        Some(text) => bail!("{text}"),
        None => Ok(violations),
    }
}

/// The program of the model, in a process of its own, as the mistake is made in the whole process.
async fn explore(mutant: Option<&str>, test: &str) -> Shown {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = tokio::process::Command::new(cargo);
    command.args([
        "test",
        "--quiet",
        "--locked",
        "--features",
        "failpoints,mutants",
        "--test",
        "model",
    ]);
    command.args(["--", "--exact", test]).kill_on_drop(true);
    if let Some(name) = mutant {
        command.env("ONETIMESHARE_MUTANT", name);
    }
    let limit = Duration::from_secs(300);
    let output = tokio::time::timeout(limit, command.output())
        .await
        .context("the model takes too long")??;
    let text = String::from_utf8_lossy(&output.stdout);
    let violated = text.lines().find_map(|line| line.split_once("violated: "));
    match violated {
        Some((_, property)) => Ok(vec![property.to_owned()]),
        None if output.status.success() && text.contains("1 passed") => Ok(Vec::new()),
        None => bail!("the model failed without a violation: {text}"),
    }
}

fn report(results: &[(Trial, Shown)], time: Duration) -> bool {
    let mut broken = 0;
    println!();
    for (trial, shown) in results.iter().filter(|(trial, _)| trial.mutant.is_none()) {
        let wrong = match shown {
            Ok(violations) if violations.is_empty() => continue,
            Ok(violations) => violations.join("; "),
            Err(error) => format!("{error:#}"),
        };
        println!("FAIL {} without a mistake: {wrong}", trial.catcher);
        broken += 1;
    }
    let mut caught = BTreeMap::<&str, Vec<String>>::new();
    for (trial, shown) in results {
        let Some(name) = trial.mutant else { continue };
        let lines = caught.entry(name).or_default();
        match shown {
            Ok(violations) => lines.extend(violations.first().map(|first| line(trial, first))),
            Err(error) => println!("{name}: {} showed nothing: {error:#}", trial.catcher),
        }
    }
    println!("{:<18} {:<42} violation", "mutant", "caught by");
    for (name, what) in mutant::ALL {
        match caught.get(name) {
            None => continue,
            Some(lines) if lines.is_empty() => {
                println!("{name:<18} SURVIVES: {what}");
                broken += 1;
            }
            Some(lines) => lines.iter().for_each(|line| println!("{name:<18} {line}")),
        }
    }
    println!(
        "\n{} mutants in {:.0} s, {broken} failed",
        caught.len(),
        time.as_secs_f64()
    );
    broken == 0
}

fn line(trial: &Trial, violation: &str) -> String {
    let by = match trial.work {
        Work::Model => format!("model: {}", trial.catcher),
        Work::Plan(_) | Work::Scenario(_) => trial.catcher.to_owned(),
    };
    // What a status was in the end is long, and kept with the logs.
    let short: String = violation.chars().take(100).collect();
    format!("{by:<42} {short}")
}
