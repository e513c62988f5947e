// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The figures of a storm: parsed from the guest's program, and formatted.
//!
//! Source: `guest/tests/src/storm/figures.rs` for the lines.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use drydock_machine::lines::Lines;

/// The figures of one storm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Figures {
    driver: String,
    seed: u64,
    seconds: u64,
    /// The calls, and how often each returned which result.
    calls: BTreeMap<String, BTreeMap<String, u64>>,
    /// The disruptions, and how often each happened.
    happened: BTreeMap<String, u64>,
}

impl Figures {
    pub(super) fn new(driver: &str, seed: u64, time: Duration) -> Self {
        let (calls, happened) = (BTreeMap::new(), BTreeMap::new());
        Self { driver: driver.into(), seed, seconds: time.as_secs(), calls, happened }
    }

    /// Sets how long the storm has taken, if that was not known before.
    pub(super) fn after(self, time: Duration) -> Self {
        Self { seconds: time.as_secs(), ..self }
    }

    /// Parses a line of figures. Returns whether it is one.
    pub(super) fn take(&mut self, line: &str) -> bool {
        self.call(line).or_else(|| self.happening(line)).is_some()
    }

    /// Parses `call NAME: ok N, EINVAL N`.
    fn call(&mut self, line: &str) -> Option<()> {
        let (name, answers) = line.strip_prefix("call ")?.split_once(':')?;
        let counts = answers.trim().split(", ").filter(|answer| !answer.is_empty());
        let counts = counts.map(counted).collect::<Option<_>>()?;
        self.calls.insert(name.to_owned(), counts);
        Some(())
    }

    /// Parses `happened NAME N`.
    fn happening(&mut self, line: &str) -> Option<()> {
        let (name, count) = counted(line.strip_prefix("happened ")?)?;
        self.happened.insert(name, count);
        Some(())
    }

    /// Returns how many calls succeeded, and how many failed.
    fn answered(&self) -> (u64, u64) {
        let sum_of = |wanted: fn(&str) -> bool| {
            let counts = self.calls.values().flatten().filter(|(answer, _)| wanted(answer));
            sum(counts.map(|(_, count)| *count))
        };
        (sum_of(|answer| answer == "ok"), sum_of(|answer| answer != "ok"))
    }

    fn happened(&self, name: &str) -> u64 {
        self.happened.get(name).copied().unwrap_or(0)
    }

    /// Returns a summary in a few words.
    pub(super) fn short(&self) -> String {
        let (ok, refused) = self.answered();
        format!("{} calls, {} unplugs", sum([ok, refused]), self.happened("unplugs"))
    }

    /// Returns a summary in a few lines: the calls, most frequent first, and the disruptions.
    fn lines(&self) -> Vec<String> {
        let (ok, refused) = self.answered();
        let calls = sum([ok, refused]);
        let mut lines = vec![format!(
            "{}: {} s, seed {}: {calls} calls, {ok} ok, {refused} refused",
            self.driver, self.seconds, self.seed
        )];
        let row = |(name, answers)| (sum(BTreeMap::values(answers).copied()), name, answers);
        let mut rows: Vec<_> = self.calls.iter().map(row).collect();
        rows.sort_by_key(|(calls, name, _)| (std::cmp::Reverse(*calls), *name));
        for (calls, name, answers) in rows {
            let mut answers: Vec<_> = answers.iter().collect();
            answers.sort_by_key(|(answer, count)| (*answer != "ok", std::cmp::Reverse(**count)));
            let told: Vec<_> = answers.iter().map(|(answer, count)| format!("{answer} {count}")).collect();
            lines.push(format!("  {name:<35} {calls:>9}  {}", told.join(", ")).trim_end().to_owned());
        }
        let happened = self.happened.iter().map(|(what, count)| format!("{} {count}", what.replace('-', " ")));
        lines.push(format!("  {}", happened.collect::<Vec<_>>().join(", ")));
        lines
    }
}

/// Parses any bytes as lines of a storm's figures, for fuzzing.
pub(crate) fn parse_any(bytes: &[u8]) {
    let mut figures = Figures::new("vgem", 7, Duration::from_secs(600));
    let mut taken = 0;
    Lines::default().take(bytes, &mut |line| taken += usize::from(figures.take(line)));
    assert!(figures.calls.len() + figures.happened.len() <= taken, "a line is one figure");
    figures.short();
    assert_eq!(figures.lines().len(), figures.calls.len() + 2, "each call has a line");
    serde_json::to_string(&figures).expect("figures are for other programs as well");
}

/// Adds counts, which a guest may choose. The sum saturates.
fn sum(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}

/// Parses `WORD N`.
fn counted(text: &str) -> Option<(String, u64)> {
    let (name, count) = text.rsplit_once(' ')?;
    Some((name.to_owned(), count.parse().ok()?))
}

/// Returns all storms, one below the other.
pub(super) fn text(storms: &[Figures]) -> String {
    storms.iter().flat_map(Figures::lines).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Figures {
        let mut figures = Figures::new("vgem", 7, Duration::from_secs(600));
        let lines = [
            "call open: ok 20, ENOENT 3",
            "call gem_close: EINVAL 2, ok 40",
            "call read:",
            "happened unplugs 12",
            "happened killed 1",
        ];
        assert!(lines.iter().all(|line| figures.take(line)));
        figures
    }

    #[test]
    fn the_lines_of_the_program_are_read() {
        let figures = figures();
        assert_eq!((figures.answered(), figures.happened("unplugs")), ((60, 5), 12));
        assert_eq!(figures.short(), "65 calls, 12 unplugs");
        assert!(!figures.clone().take("wrong: process 3 ended"));
    }

    #[test]
    fn what_was_called_most_comes_first() {
        insta::assert_snapshot!(text(&[figures()]), @r"
        vgem: 600 s, seed 7: 65 calls, 60 ok, 5 refused
          gem_close                                  42  ok 40, EINVAL 2
          open                                       23  ok 20, ENOENT 3
          read                                        0
          killed 1, unplugs 12
        ");
    }

    #[test]
    fn counts_beyond_all_numbers_are_the_largest() {
        let mut figures = Figures::new("vgem", 7, Duration::from_secs(600));
        assert!(figures.take(&format!("call a: EIO {}, EINVAL 1, ok {}", u64::MAX, u64::MAX)));
        assert_eq!(figures.answered(), (u64::MAX, u64::MAX));
        assert_eq!(figures.short(), format!("{} calls, 0 unplugs", u64::MAX));
        assert_eq!(figures.lines()[1].split_whitespace().nth(1), Some(u64::MAX.to_string().as_str()));
    }

    #[test]
    fn another_program_reads_the_same() {
        let json = serde_json::to_value(figures()).unwrap();
        assert_eq!((&json["seed"], &json["calls"]["open"]["ENOENT"]), (&7.into(), &3.into()));
    }
}
