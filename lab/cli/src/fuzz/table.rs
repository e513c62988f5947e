// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The result for the terminal: the outcome for each driver, and the lines of each file.

use super::coverage::Row;
use super::output::Replayed;
use super::{Figures, KERNEL, Outcome};

/// Returns the table.
pub(super) fn text(figures: &Figures) -> String {
    let mut lines = Vec::new();
    let rows = figures.coverage.rows();
    if !rows.is_empty() {
        lines.extend(files(&rows));
        lines.push(String::new());
    }
    for outcome in &figures.outcomes {
        let ended = outcome.failed.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        lines.push(format!("{}{ended}", of_driver(outcome)));
    }
    lines.join("\n")
}

/// Returns the result in one line, with the lines of all files of [`KERNEL`] together.
pub(super) fn short(figures: &Figures) -> String {
    let (reached, all) = figures.coverage.below(KERNEL);
    let drivers: Vec<_> = figures.outcomes.iter().map(of_driver).collect();
    format!("{}; {reached} of {all} lines of `{KERNEL}` were reached", drivers.join("; "))
}

fn of_driver(outcome: &Outcome) -> String {
    let Outcome { driver, seed, executions, corpus, places, .. } = outcome;
    format!("{}: {executions} executions, {corpus} sequences that reach {places} places (seed {seed})", driver.name())
}

/// Returns a line for each file, and one for all.
fn files(rows: &[Row]) -> Vec<String> {
    let width = rows.iter().map(|row| row.file.len()).max().unwrap_or_default();
    let line = |name: &str, lines: usize, covered: usize| {
        let percent = (100 * covered).checked_div(lines).unwrap_or(100);
        format!("{name:<width$} {lines:>7} {covered:>8} {percent:>4} %")
    };
    let mut out = vec![format!("{:<width$} {:>7} {:>8}", "file", "lines", "reached")];
    out.extend(rows.iter().map(|row| line(&row.file, row.lines, row.covered)));
    let sum = |count: fn(&Row) -> usize| rows.iter().map(count).sum();
    out.push(line("all", sum(|row| row.lines), sum(|row| row.covered)));
    out
}

/// Returns the calls of each sequence with their errnos.
pub(super) fn replayed(replayed: &[Replayed]) -> String {
    let call = |(name, errno): &(String, i32)| match errno {
        0 => name.clone(),
        errno => format!("{name} ({})", rustix::io::Errno::from_raw_os_error(*errno)),
    };
    let line = |one: &Replayed| one.errnos.iter().map(call).collect::<Vec<_>>().join(", ");
    let mut lines: Vec<_> = replayed.iter().map(line).collect();
    lines.push(format!("{} sequences, and nothing was reported", replayed.len()));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::{Subject, coverage::Coverage};
    use super::*;

    #[test]
    fn a_search_fits_a_line() {
        let outcome =
            Outcome { driver: Subject::Vgem, seed: 1, executions: 900, corpus: 40, places: 700, failed: None };
        let figures = Figures { outcomes: vec![outcome], coverage: Coverage::default() };
        insta::assert_snapshot!(
            short(&figures),
            @"vgem: 900 executions, 40 sequences that reach 700 places (seed 1); 0 of 0 lines of `kernel/` were reached"
        );
    }

    #[test]
    fn files_stand_under_each_other_with_their_sum() {
        let row = |file: &str, lines, covered| Row { file: file.into(), lines, covered, uncovered: Vec::new() };
        let rows = [row("kernel/drm/device.rs", 120, 80), row("kernel/drm/gem.rs", 30, 30)];
        insta::assert_snapshot!(files(&rows).join("\n"), @r"
        file                   lines  reached
        kernel/drm/device.rs     120       80   66 %
        kernel/drm/gem.rs         30       30  100 %
        all                      150      110   73 %
        ");
    }
}
