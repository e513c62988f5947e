// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The results of a storm, in numbers.
//!
//! There is one line for each kind of call, `call NAME: ok N, EINVAL N, …`, and one for each kind of disruption,
//! `happened NAME N`. `lab/cli/src/storm/figures.rs` reads them.
//!
//! Source: none.

use std::fmt;

use rustix::io::Errno;

use crate::harness::check::name;

use super::board::{ANSWERS, Board};
use super::table::{self, Row};

/// The number of disruptions of each kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Happened {
    pub(super) unplugs: u64,
    pub(super) removals: u64,
    pub(super) rebinds: u64,
    pub(super) failed_probes: u64,
    pub(super) reloads: u64,
    pub(super) faults: u64,
    pub(super) shortages: u64,
    /// Failed allocations; `None` where memory is limited instead.
    pub(super) failed_allocations: Option<u64>,
    pub(super) killed: u64,
    pub(super) killed_for_memory: u64,
}

/// All results.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    calls: Vec<(&'static str, Vec<(String, u64)>)>,
    happened: Happened,
}

impl Figures {
    pub(super) fn read(board: &Board, rows: &[Row], happened: Happened) -> Self {
        let answers = |row| (0..ANSWERS).map(move |place| (place, board.answers(row, place)));
        let told =
            |row| answers(row).filter(|(_, count)| *count > 0).map(|(place, count)| (answer(place), count)).collect();
        Self { calls: rows.iter().enumerate().map(|(at, row)| (row.name, told(at))).collect(), happened }
    }
}

impl Figures {
    /// Returns how often the device was opened.
    pub(super) fn opened(&self) -> u64 {
        let answers = &self.calls[table::OPEN].1;
        answers.iter().find(|(answer, _)| answer == "ok").map_or(0, |(_, count)| *count)
    }

    /// Returns an event that happens in every storm of some seconds, but did not in this one.
    pub(crate) fn lacks(&self) -> Option<&'static str> {
        self.happened.lacks()
    }
}

impl Happened {
    /// Returns an event that happens in every storm of some seconds, but did not yet in this one.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        let Happened { unplugs, rebinds, shortages, failed_allocations, .. } = *self;
        let failed = failed_allocations.unwrap_or(1);
        let needed =
            [("unplugs", unplugs), ("rebinds", rebinds), ("shortages", shortages), ("failed allocations", failed)];
        needed.into_iter().find(|(_, count)| *count == 0).map(|(what, _)| what)
    }
}

fn answer(place: usize) -> String {
    match i32::try_from(place).expect("there are few") {
        0 => "ok".into(),
        number if place < ANSWERS - 1 => match name(Errno::from_raw_os_error(number)) {
            known if known.starts_with('E') && !known.contains(' ') => known,
            _ => format!("errno-{number}"),
        },
        _ => "beyond".into(),
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (call, answers) in &self.calls {
            let answers: Vec<_> = answers.iter().map(|(answer, count)| format!("{answer} {count}")).collect();
            writeln!(f, "call {call}: {}", answers.join(", "))?;
        }
        let of = &self.happened;
        let happened = [
            ("unplugs", of.unplugs),
            ("removals", of.removals),
            ("rebinds", of.rebinds),
            ("failed-probes", of.failed_probes),
            ("reloads", of.reloads),
            ("faults", of.faults),
            ("shortages", of.shortages),
            ("failed-allocations", of.failed_allocations.unwrap_or(0)),
            ("killed", of.killed),
            ("killed-for-memory", of.killed_for_memory),
        ];
        happened.iter().try_for_each(|(what, count)| writeln!(f, "happened {what} {count}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storm::board::Block;
    use crate::subjects::driver::Driver;

    #[test]
    fn a_line_tells_how_a_call_was_answered() {
        let (board, _) = Board::new().unwrap();
        for errno in [0, 0, 22, 87] {
            board.begin(Block::of(0), 1);
            board.end(Block::of(0), 1, errno);
        }
        let figures = Figures::read(&board, &table::rows(Driver::Rust), Happened { reloads: 3, ..Default::default() });
        let text = figures.to_string();
        assert!(text.contains("\ncall close: ok 2, EINVAL 1, errno-87 1\n"), "{text}");
        assert!(text.contains("\nhappened reloads 3\n"), "{text}");
    }
}
