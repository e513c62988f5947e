// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests the logs in the documentation: each is made again and compared, line by line.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use drydock_base::error::{Context as _, Kind, Result};
use drydock_machine::model::Choices;
use drydock_machine::scenario::{Boot, Content, gpu_of};
use drydock_toolchain::firmware::Choice;

use super::suite::{Case, Context, Filter, Need, Suite, Verdict};

/// The pages with logs.
pub(super) struct Docs;

/// The log of a probe of tyr, as `docs/explain/tyr.md` shows it.
const TYR: &str = "docs::tyr_probe";
const PAGE: &str = "docs/explain/tyr.md";

/// A generous time limit for `dmesg`.
const LIMIT: Duration = Duration::from_secs(60);

impl Suite for Docs {
    fn name(&self) -> &'static str {
        "docs"
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    fn content(&self, repo: &Path, _filter: &Filter) -> Result<Content> {
        Content::of_driver(repo, "tyr")
    }

    fn tests_the_kernel(&self) -> bool {
        false
    }

    fn names(&self, _repo: &Path) -> Result<BTreeSet<String>> {
        Ok(BTreeSet::from([TYR.to_owned()]))
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        if context.filter.selects(TYR) {
            tell(Case { name: TYR.to_owned(), verdict: tyr(context)? });
        }
        Ok(())
    }
}

/// Loads the driver with the published firmware, whose version the page shows.
fn tyr(context: &Context<'_>) -> Result<Verdict> {
    let page = context.repo.join(PAGE);
    let text = std::fs::read_to_string(&page).with_context(|| format!("failed to read `{}`", page.display()))?;
    let gpu = match gpu_of("tyr", &Choices::default(), Some(&Choice::Real), context.events) {
        Err(error) if error.kind() != Kind::Interrupted => return Ok(Verdict::Skipped { why: error.chain() }),
        other => other?,
    };
    let boot = Boot { gpu, ..Boot::default() };
    let (log, _) = context.stage().play(&boot, context.events, |scene| {
        scene.insmod("tyr")?;
        Ok(scene.guest().run(&["dmesg"], LIMIT)?.out)
    })?;
    Ok(compare(&shown(&text, "tyr 0000"), &told(&log)))
}

/// Returns the lines of the block whose first line begins with `beginning`.
fn shown<'t>(page: &'t str, beginning: &str) -> Vec<&'t str> {
    let blocks = page.split("```").skip(1).step_by(2);
    let block = blocks.map(|block| block.trim_start_matches(|letter| letter != '\n').trim());
    block.filter(|block| block.starts_with(beginning)).flat_map(str::lines).collect()
}

/// Returns the lines of the driver and the DRM core about the GPU, without the time.
fn told(log: &str) -> Vec<&str> {
    let lines = log.lines().map(|line| line.split_once("] ").map_or(line, |(_, line)| line));
    lines.filter(|line| line.starts_with("tyr 0000") || line.starts_with("[drm] Initialized panthor")).collect()
}

fn compare(shown: &[&str], told: &[&str]) -> Verdict {
    if !shown.is_empty() && shown == told {
        return Verdict::Passed;
    }
    let details = told.iter().map(|line| (*line).to_owned()).collect();
    Verdict::Failed { why: format!("the log in {PAGE} differs from this probe's; copy the new log"), details }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_by_its_beginning_and_lines_lose_their_times() {
        let page = "Text\n```sh\nls\n```\nmore\n```\ntyr 0000:1: a\n[drm] b\n```\n";
        assert_eq!(shown(page, "tyr 0000"), ["tyr 0000:1: a", "[drm] b"]);
        let log = "[    1.5] tyr 0000:1: a\n[    1.6] usb: c\n[    2.0] [drm] Initialized panthor 1.9.0\n";
        assert_eq!(told(log), ["tyr 0000:1: a", "[drm] Initialized panthor 1.9.0"]);
    }

    #[test]
    fn another_log_fails_and_so_does_none() {
        assert_eq!(compare(&["a"], &["a"]), Verdict::Passed);
        assert!(matches!(compare(&["a"], &["b"]), Verdict::Failed { details, .. } if details == ["b"]));
        assert!(matches!(compare(&[], &[]), Verdict::Failed { .. }));
    }

    #[test]
    fn the_page_of_tyr_shows_a_log() {
        let page = include_str!("../../../../docs/explain/tyr.md");
        assert!(shown(page, "tyr 0000").len() > 3);
    }
}
