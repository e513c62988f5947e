// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock doctor`: reports what is there, what is missing, and how to fix it.

mod checks;

use clap::Args;
use serde::Serialize;

use drydock_base::cache::CacheLayout;
use drydock_base::error::Result;
use drydock_base::events::Events;
use drydock_base::exit;

/// Report what is there, what is missing, and how to fix it
///
/// Changes nothing and contacts no mirror. The exit code is 1 if something is missing that `drydock setup` cannot
/// supply.
#[derive(Debug, Args)]
pub struct Options {}

/// The state of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Ok,
    /// The item is missing. `drydock setup`, or any command that needs it, will make it.
    WillBeMade,
    /// The item is missing, and nothing depends on it.
    Optional,
    /// The item is missing, and only the user can change that.
    Missing,
}

/// One thing that Drydock needs.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    pub name: &'static str,
    pub state: State,
    /// The finding, or why it cannot be used.
    pub found: String,
    /// Advice for the user.
    pub advice: Option<String>,
}

impl Item {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), advice: None }
    }

    fn new(name: &'static str, state: State, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state, found: found.into(), advice: Some(advice.into()) }
    }
}

/// The doctor's report.
#[derive(Debug, Serialize)]
struct Report {
    healthy: bool,
    items: Vec<Item>,
}

impl Report {
    fn new(items: Vec<Item>) -> Self {
        Self { healthy: items.iter().all(|item| item.state != State::Missing), items }
    }
}

/// Runs `drydock doctor`.
pub fn main(_options: Options, events: &Events) -> Result<u8> {
    let step = events.step("looking around");
    let report = Report::new(checks::all(&CacheLayout::of_user()?));
    step.done();
    events.result(&report, text);
    Ok(if report.healthy { exit::OK } else { exit::CHECK })
}

fn text(report: &Report) -> String {
    let width = report.items.iter().map(|item| item.name.len()).max().unwrap_or(0);
    let mut shown = String::new();
    for item in &report.items {
        let word = match item.state {
            State::Ok => "ok",
            State::WillBeMade => "to make",
            State::Optional => "optional",
            State::Missing => "MISSING",
        };
        shown.push_str(&format!("{word:8}  {:width$}  {}\n", item.name, item.found));
        for line in item.advice.iter().flat_map(|advice| advice.lines()) {
            shown.push_str(&format!("{:8}  {:width$}  -> {line}\n", "", ""));
        }
    }
    shown.push_str(match report.healthy {
        true => "\nnothing is missing that `drydock setup` cannot make",
        false => "\nsomething is missing that only you can supply: see MISSING above",
    });
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report::new(vec![
            Item::ok("cargo", "1.95.0"),
            Item::new("toolchain root", State::WillBeMade, "not there yet", "run `drydock setup`"),
            Item::new("KVM", State::Optional, "no `/dev/kvm`", "guests run under TCG, a few seconds slower"),
            Item::new("namespaces", State::Missing, "refused", "either allow them\nor run as root"),
        ])
    }

    #[test]
    fn each_item_has_its_line_and_advice() {
        insta::assert_snapshot!(text(&report()));
    }

    #[test]
    fn another_program_reads_the_same() {
        insta::assert_json_snapshot!(report());
    }

    #[test]
    fn what_setup_makes_is_no_illness() {
        let items = report().items.into_iter().filter(|item| item.state != State::Missing).collect();
        assert!(Report::new(items).healthy);
        assert!(!report().healthy);
    }
}
