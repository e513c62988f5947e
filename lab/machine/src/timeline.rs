// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Merges the kernel's log and a GPU's trace into one timeline, on the guest's clock.
//!
//! The kernel stamps a line with the time since its boot, the model stamps an event with the host's clock. A line
//! arrives here a moment after its stamp, never before, and some of many lines arrive almost at once. So the smallest
//! difference between arrival and stamp is the difference between the clocks. It is taken near each event, since the
//! clocks run at slightly different speeds: the guest has measured its clock at boot.
//!
//! Source: our own formats; Documentation/core-api/timekeeping.rst for the kernel's clock.

use drydock_models::{Event, What};

use super::console::Line;

/// How near to an event a line must arrive to show the clocks' difference, in seconds.
const NEAR: f64 = 2.0;

/// The resolution of the kernel's stamps, in seconds.
const STAMP: f64 = 1e-6;

/// A line or an event, with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The guest's clock, in seconds.
    pub time: f64,
    /// The report of the kernel or the GPU.
    pub told: Told,
}

/// The content of an entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A line of the kernel's log.
    Kernel(String),
    /// An event of a GPU.
    Gpu(What),
}

impl Entry {
    /// Returns the text, if it is a line of the kernel's log.
    pub fn line(&self) -> Option<&str> {
        match &self.told {
            Told::Kernel(text) => Some(text),
            Told::Gpu(_) => None,
        }
    }

    /// Returns whether it is a line of the kernel's log that contains `needle`.
    pub fn is_line_with(&self, needle: &str) -> bool {
        self.line().is_some_and(|text| text.contains(needle))
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{:>12.6}] {}", self.time, self.told)
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Told::Kernel(text) => f.write_str(text),
            Told::Gpu(what) => write!(f, "gpu: {what}"),
        }
    }
}

/// Merges lines and events. `clock` contains all lines that can show the clocks' difference.
pub fn merge(lines: &[Line], events: &[Event], clock: &[Line]) -> Vec<Entry> {
    let kernel =
        lines.iter().filter_map(|line| Some(Entry { time: line.time?, told: Told::Kernel(line.text.clone()) }));
    let gpu = events.iter().filter_map(|event| {
        let time = event.time - difference(clock, event.time)?;
        Some(Entry { time, told: Told::Gpu(event.what.clone()) })
    });
    let mut all: Vec<Entry> = kernel.chain(gpu).collect();
    all.sort_by(|one, other| one.time.total_cmp(&other.time));
    all
}

/// Shifts the GPU's events against the kernel's lines by the smallest amount that puts the first entries of these kinds
/// into this order. The clocks' difference is only as exact as the lines' arrival, and a busy host delays all lines.
pub fn put_in_order(entries: &mut [Entry], kinds: &[&dyn Fn(&Entry) -> bool]) {
    let found: Vec<&Entry> = kinds.iter().filter_map(|is| entries.iter().find(|entry| is(entry))).collect();
    let (mut least, mut most) = (f64::NEG_INFINITY, f64::INFINITY);
    for (at, before) in found.iter().enumerate() {
        for after in &found[at + 1..] {
            match (&before.told, &after.told) {
                (Told::Kernel(_), Told::Gpu(_)) => least = least.max(before.time - after.time + STAMP),
                (Told::Gpu(_), Told::Kernel(_)) => most = most.min(after.time - before.time - STAMP),
                _ => {}
            }
        }
    }
    let by = 0_f64.max(least).min(most);
    for entry in entries.iter_mut().filter(|entry| matches!(entry.told, Told::Gpu(_))) {
        entry.time += by;
    }
    entries.sort_by(|one, other| one.time.total_cmp(&other.time));
}

/// Returns the events from host time `from` on that are worth a line beside the kernel's.
pub fn since(events: &[Event], from: f64) -> Vec<Event> {
    let worth = |event: &&Event| event.time >= from && !matches!(event.what, What::FaultUnused { .. });
    events.iter().filter(worth).cloned().collect()
}

/// Returns how far the host's clock is ahead of the guest's at the host's `time`. Uses the nearest line if none is
/// near.
fn difference(clock: &[Line], time: f64) -> Option<f64> {
    let stamped = || clock.iter().filter_map(|line| Some((line.heard, line.heard - line.time?)));
    let near = stamped().filter(|(heard, _)| (heard - time).abs() <= NEAR).map(|(_, ahead)| ahead);
    let nearest = || stamped().min_by(|one, other| (one.0 - time).abs().total_cmp(&(other.0 - time).abs()));
    near.min_by(f64::total_cmp).or_else(|| nearest().map(|(_, ahead)| ahead))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(heard: f64, time: f64, text: &str) -> Line {
        Line { time: Some(time), text: text.into(), heard }
    }

    fn reset(time: f64) -> Event {
        Event { time, what: What::Reset }
    }

    #[test]
    fn an_event_stands_between_the_lines_that_were_stamped_around_it() {
        // The guest's clock is 100 s behind. The first line was delayed by 30 ms, more than the time between the lines.
        let lines = [line(101.030, 1.0, "before"), line(101.0201, 1.02, "after"), line(101.021, 1.0209, "later")];
        let merged = merge(&lines, &[reset(101.010)], &lines);
        let texts: Vec<String> = merged.iter().map(|entry| entry.told.to_string()).collect();
        assert_eq!(texts, ["before", "gpu: reset", "after", "later"]);
        assert!((merged[1].time - 1.01).abs() < 0.001);
    }

    #[test]
    fn clocks_that_drift_are_compared_where_the_event_is() {
        // The guest's clock is 1 % slow: after 100 s the difference has grown by a second.
        let lines = [line(100.0, 0.0, "boot"), line(200.0, 99.0, "late")];
        let merged = merge(&lines, &[reset(100.5), reset(199.5), reset(150.0)], &lines);
        let resets = merged.iter().filter(|entry| entry.told == Told::Gpu(What::Reset));
        let times: Vec<f64> = resets.map(|entry| entry.time).collect();
        assert_eq!(times, [0.5, 50.0, 98.5]);
    }

    /// Returns whether an entry is the GPU's.
    fn is_gpu(entry: &Entry) -> bool {
        matches!(entry.told, Told::Gpu(_))
    }

    /// Returns the entries' texts in order.
    fn texts(entries: &[Entry]) -> Vec<String> {
        entries.iter().map(|entry| entry.told.to_string()).collect()
    }

    #[test]
    fn what_is_known_to_come_later_is_moved_there() {
        let kernel = |time, text: &str| Entry { time, told: Told::Kernel(text.into()) };
        let gpu = |time| Entry { time, told: Told::Gpu(What::Reset) };
        let (is_a, is_b) = (|entry: &Entry| entry.is_line_with("a"), |entry: &Entry| entry.is_line_with("b"));
        for (early, late) in [(0.5, 0.6), (2.5, 2.6)] {
            let mut entries = vec![gpu(early), gpu(late), kernel(1.0, "a"), kernel(2.0, "b")];
            entries.sort_by(|one, other| one.time.total_cmp(&other.time));
            put_in_order(&mut entries, &[&is_a, &is_gpu, &is_b]);
            let first = entries.iter().position(is_gpu).unwrap();
            assert!(first > 0 && texts(&entries[..first]) == ["a"], "{entries:?}");
            assert!(entries.iter().position(is_b) > Some(first), "{entries:?}");
            let both: Vec<f64> = entries.iter().filter(|entry| is_gpu(entry)).map(|entry| entry.time).collect();
            assert!((both[1] - both[0] - 0.1).abs() < 1e-9, "both are moved alike: {entries:?}");
        }
    }

    #[test]
    fn what_is_in_order_stays_as_it_is() {
        let lines = [line(101.0, 1.0, "a"), line(102.0, 2.0, "b")];
        let before = merge(&lines, &[reset(101.5)], &lines);
        let mut after = before.clone();
        put_in_order(&mut after, &[&|entry| entry.is_line_with("a"), &is_gpu, &|entry| entry.is_line_with("b")]);
        assert_eq!(after, before);
        put_in_order(&mut after, &[&|entry| entry.is_line_with("not there"), &is_gpu]);
        assert_eq!(after, before);
    }

    #[test]
    fn without_a_stamp_nothing_can_be_said() {
        assert_eq!(merge(&[], &[reset(1.0)], &[]), []);
    }
}
