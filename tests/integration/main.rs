//! The operator on a real API server: the real binary, kube-apiserver and etcd, and a stand-in for Onetime Secret.
//!
//! One control plane and one operator serve all tests, which run at the same time: each has its own namespace, its own
//! stand-in and its own provider. They start with the first test that needs them, and end with this program, whatever
//! the tests say. Options and filters are those of `cargo test`; `ONETIMESHARE_ECHO_LOGS=1` shows the operator's log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "with its own main clippy does not see that these are tests"
)]

mod admission;
mod answer;
mod burst;
mod bytes;
mod costs;
mod deletion;
mod env;
mod examples;
mod generate;
mod gitops;
mod kubectl;
mod leaks;
mod ledger;
mod lifecycle;
mod metrics;
mod outcomes;
mod own;
mod polling;
mod problems;
mod providers;
mod requests;
mod search;
mod shutdown;
mod space;
mod starting;
mod watch;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};

use env::{Env, Stage};

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // They wait most of the time, for the operator and for each other's load.
    args.test_threads.get_or_insert(64);
    let stage = Arc::new(Stage::new());
    if args.list {
        let all = [concurrent(&stage), last(&stage)].into_iter().flatten().collect();
        return libtest_mimic::run(&args, all).exit_code();
    }
    let first = libtest_mimic::run(&args, concurrent(&stage));
    args.test_threads = Some(1);
    let second = libtest_mimic::run(&args, last(&stage));
    let failed = first.has_failed() || second.has_failed();
    let cleared = Arc::into_inner(stage)
        .expect("every test has ended")
        .tear_down(failed);
    if let Err(error) = &cleared {
        println!("tearing down: {error:#}");
    }
    ExitCode::from(if failed || cleared.is_err() { 101 } else { 0 })
}

/// The tests that run at the same time.
fn concurrent(stage: &Arc<Stage>) -> Vec<Trial> {
    let mut trials = vec![
        trial(stage, "shares_before_secrets", burst::shares_before_secrets),
        trial(stage, "examples_work_as_they_say", examples::work_as_they_say),
        trial(stage, "clamped_ttl", outcomes::clamped_ttl),
        trial(stage, "not_mailed", outcomes::not_mailed),
        trial(stage, "provider_status_tells", outcomes::provider_status_tells),
        trial(stage, "kubectl_reads_well", kubectl::reads_well),
        trial(
            stage,
            "kubectl_explains_every_field",
            kubectl::explains_every_field,
        ),
        trial(stage, "admission_rejects_bad_specs", admission::rejects_bad_specs),
        trial(
            stage,
            "request_id_makes_a_new_link",
            requests::request_id_makes_a_new_link,
        ),
        trial(stage, "suspend_holds_back", requests::suspend_holds_back),
        trial(stage, "deleted_and_reapplied", requests::deleted_and_reapplied),
        trial(stage, "burned_when_asked", requests::burned_when_asked),
        trial(stage, "deleted_and_burned", requests::deleted_and_burned),
        trial(stage, "status_is_a_projection", ledger::status_is_a_projection),
        trial(
            stage,
            "lost_ledger_sends_nothing",
            ledger::lost_ledger_sends_nothing,
        ),
        trial(stage, "lost_answer_is_adopted", ledger::lost_answer_is_adopted),
        trial(
            stage,
            "lost_answer_is_sent_again",
            ledger::lost_answer_is_sent_again,
        ),
        trial(
            stage,
            "generated_value_is_written",
            ledger::generated_value_is_written,
        ),
        trial(
            stage,
            "changed_value_is_shared_again",
            ledger::changed_value_is_shared_again,
        ),
        trial(stage, "answer_with_an_account", answer::with_an_account),
        trial(stage, "answer_without_an_account", answer::without_an_account),
        trial(stage, "bytes_arrive_unchanged", bytes::arrive_unchanged),
        trial(stage, "burned_with_passphrase", deletion::burned_with_passphrase),
        trial(stage, "retained_link_lives", deletion::retained_link_lives),
        trial(stage, "provider_gone", deletion::provider_gone),
        trial(stage, "generate_both_versions", generate::both_versions),
        trial(
            stage,
            "generate_target_of_somebody_else",
            generate::target_of_somebody_else,
        ),
        trial(stage, "generate_too_long", generate::too_long),
    ];
    trials.extend([
        trial(
            stage,
            "provider_edit_moves_later_requests",
            providers::provider_edit_moves_later_requests,
        ),
        trial(
            stage,
            "ca_bundle_is_needed_and_used",
            providers::ca_bundle_is_needed_and_used,
        ),
        trial(
            stage,
            "requests_per_minute_are_kept",
            providers::requests_per_minute_are_kept,
        ),
        trial(
            stage,
            "concurrent_requests_are_kept",
            providers::concurrent_requests_are_kept,
        ),
        trial(stage, "stopped_while_starting", starting::stopped_while_starting),
        trial(stage, "gitops_shares_are_judged", gitops::shares_are_judged),
        trial(stage, "gitops_providers_are_judged", gitops::providers_are_judged),
        trial(stage, "gitops_actions_are_accepted", gitops::actions_are_accepted),
        trial(
            stage,
            "gitops_declared_requests_are_left_alone",
            gitops::declared_requests_are_left_alone,
        ),
        trial(
            stage,
            "server_version_is_shown",
            providers::server_version_is_shown,
        ),
    ]);
    for case in problems::cases() {
        let name = format!("problem_{}", case.name);
        trials.push(trial(stage, &name, async move |env: &Env| {
            problems::run(env, case).await
        }));
    }
    for case in lifecycle::CASES {
        let name = format!("lifecycle_{}", case.name);
        trials.push(trial(stage, &name, async move |env: &Env| {
            lifecycle::run(env, case).await
        }));
    }
    trials
}

/// One after the other: a test that needs the machine for itself, and those that look back at all others.
fn last(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![
        // Alone, because work of over two seconds shows itself, which costs a write.
        trial(stage, "plain_share_costs", costs::plain_share_costs),
        // Alone, because its figures are those of one operator on an idle machine.
        trial(stage, "one_list_for_500_shares", polling::one_list_for_500_shares),
        trial(stage, "no_secret_leaks", leaks::no_secret_leaks),
        trial(stage, "metrics_tell_a_life", metrics::metrics_tell_a_life),
        trial(stage, "unwatched_secrets", watch::unwatched_secrets),
        trial(stage, "graceful_shutdown", shutdown::graceful_shutdown),
        // From here on the operator of all tests has ended.
        trial(stage, "watched_secrets_wake", watch::watched_secrets_wake),
        trial(
            stage,
            "tenants_cannot_reach_inside",
            providers::tenants_cannot_reach_inside,
        ),
    ]
}

fn trial(
    stage: &Arc<Stage>,
    name: &str,
    test: impl AsyncFnOnce(&Env) -> Result<()> + Send + 'static,
) -> Trial {
    let stage = Arc::clone(stage);
    Trial::test(name, move || stage.run(test))
}
