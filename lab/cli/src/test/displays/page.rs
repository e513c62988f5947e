// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Takes pictures with `drydock run --screenshot`, as docs/how-to/show-a-screen.md does.

use std::fs;
use std::path::Path;

use drydock_base::error::{Context as _, Result};
use drydock_machine::pace;

use super::clients::Check;
use super::facts::Picture;
use crate::test::programs::drydock;
use crate::test::suite::Verdict;

/// The factor on the seconds of a line in its last attempt.
const LATEST: u32 = 8;

/// A line of the page.
pub(super) struct Line {
    /// The name of its case.
    pub(super) name: &'static str,
    /// The driver of its suite.
    pub(super) driver: &'static str,
    /// The words after `drydock`.
    line: &'static str,
    /// Its words that are seconds, which a slow machine needs more of.
    seconds: &'static [&'static str],
    /// The file with the picture.
    file: &'static str,
    shows: Check,
}

pub(super) const LINES: &[Line] = &[
    Line {
        name: "screenshot_of_the_console",
        driver: "c-vkms",
        line: "run c-vkms --screenshot console.png -- sh -c 'echo hello >/dev/tty1'",
        seconds: &[],
        file: "console.png",
        shows: console,
    },
    Line {
        name: "screenshot_of_registers",
        driver: "bochs",
        line: "run bochs --screenshot bochs.png -- sh -c 'echo hello >/dev/tty1'",
        seconds: &[],
        file: "bochs.png",
        shows: console,
    },
    Line {
        name: "screenshot_of_another_device",
        driver: "c-vkms",
        line: "run vgem --device bochs --screenshot beside.png -- sh -c 'echo hello >/dev/tty1'",
        seconds: &[],
        file: "beside.png",
        shows: console,
    },
    Line {
        name: "screenshot_of_weston",
        driver: "vkms",
        line: "run vkms --packages weston --screenshot weston.png --at 15 -- \
               timeout --preserve-status 20 weston -B drm --renderer=pixman --continue-without-input",
        seconds: &["15", "20"],
        file: "weston.png",
        shows: |picture| picture.is_of_size(1024, 768).and(picture.has_colours(200)),
    },
];

/// Checks a black screen with a word on it.
fn console(picture: &Picture) -> Result<(), String> {
    picture.has_some(40, "grey", |colour| colour == [170, 170, 170])?;
    picture.has([0, 0, 0], 90..=99)
}

impl Line {
    /// Runs the line in `directory` and judges its picture. No event tells that a client has drawn, so a picture that came too early
    /// is taken again, later.
    pub(super) fn verdict(&self, directory: &Path) -> Result<Verdict> {
        let mut factor = pace::patience();
        loop {
            let verdict = self.attempt(directory, factor)?;
            let is_last = self.seconds.is_empty() || factor >= LATEST * pace::patience();
            if verdict == Verdict::Passed || is_last {
                return Ok(verdict);
            }
            factor *= 2;
        }
    }

    fn attempt(&self, directory: &Path, factor: u32) -> Result<Verdict> {
        let scaled = |word: String| match word.parse::<u32>() {
            Ok(seconds) if self.seconds.contains(&word.as_str()) => (seconds * factor).to_string(),
            _ => word,
        };
        let words: Vec<_> = shlex::split(self.line).expect("its quotes are closed").into_iter().map(scaled).collect();
        let file = directory.join(self.file);
        let _ = fs::remove_file(&file);
        let output = drydock(directory, &words.iter().map(String::as_str).collect::<Vec<_>>())?;
        let judged = if output.status.success() {
            let png = fs::read(&file).with_context(|| format!("failed to read `{}`", file.display()))?;
            Picture::decode(&png).and_then(|picture| (self.shows)(&picture))
        } else {
            Err(format!("it ended with {}", output.status))
        };
        Ok(judged.map_or_else(
            |why| {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                Verdict::Failed { why, details: said.lines().map(str::to_owned).collect() }
            },
            |()| Verdict::Passed,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_stands_on_the_page_and_is_refused_for_a_black_picture() {
        let page = include_str!("../../../../../docs/how-to/show-a-screen.md");
        for Line { name, line, shows, .. } in LINES {
            assert!(page.contains(&format!("./drydock {line}\n")), "{line}");
            assert!(shows(&Picture::plain(1024, 768, [0, 0, 0])).is_err(), "{name}");
        }
        assert_eq!(page.matches("./drydock run").count(), LINES.len());
    }
}
