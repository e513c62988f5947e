// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The benchmark's results: rows with both sides, their ratio, and the reason where ours is larger.

use serde::Serialize;

/// Why a row is above 1.00, by the beginning of its name. A row above 1.00 without a reason here is a bug to fix.
const REASONS: &[(&str, &str)] = &[
    ("dumb create", "each buffer holds its device (L11), and Rust's allocator goes through krealloc()"),
    ("first-touch fault", "the handler is C's for both; which side is ahead changes from boot to boot"),
    ("fd to handle", "the import is ours, to give the driver's own class (L12)"),
    ("AddFB2", "Rust's allocator goes through krealloc()"),
    ("vblank event, delivery", "the timer has a lock of its own, so that nothing waits for its callback (K32)"),
    ("open + close", "the file's data is initialised in place and dropped, where C's is zeroed and freed"),
    ("load the module, noop", "a larger module has more to relocate"),
    ("bytes of code", "the layer's checks and teardown are compiled into each driver; C's lie in the driver's helpers"),
    ("bytes of data", "the tables of the bus adapter, and symbol names that carry types"),
];

/// The largest ratio that is shown as 1.00 and needs no reason.
const ROUNDS_TO_ONE: f64 = 1.005;

/// The driver that a number belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Our driver.
    Rust,
    /// The C driver.
    C,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Row {
    /// The operation that was measured.
    name: String,
    /// Instructions, or bytes for the rows that say so.
    rust: Option<f64>,
    /// The C driver's number, in the same unit.
    c: Option<f64>,
    /// Our number divided by the C driver's.
    ratio: Option<f64>,
    /// Why the ratio is above one.
    reason: Option<&'static str>,
}

/// All rows, in the order of their first measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// Records a number.
    pub(super) fn put(&mut self, name: &str, side: Side, number: f64) {
        let at = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            self.rows.push(Row { name: name.to_owned(), ..Row::default() });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        match side {
            Side::Rust => row.rust = Some(number),
            Side::C => row.c = Some(number),
        }
        row.ratio = row.rust.zip(row.c).map(|(rust, c)| rust / c);
        row.reason = row.ratio.filter(|ratio| *ratio >= ROUNDS_TO_ONE).and_then(|_| reason(name));
    }

    /// Returns the table for the terminal.
    pub(super) fn text(&self) -> String {
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(10);
        let mut lines = vec![format!("{:<width$} {:>12} {:>12} {:>7}", "per call", "Rust", "C", "ratio")];
        for row in &self.rows {
            let mut line = format!("{:<width$} {:>12} {:>12}", row.name, number(row.rust), number(row.c));
            if let Some(ratio) = row.ratio {
                line.push_str(&format!(" {ratio:>7.2}"));
            }
            if row.ratio.is_some_and(|ratio| ratio >= ROUNDS_TO_ONE) {
                line.push_str(&format!("  {}", row.reason.unwrap_or("no reason is recorded")));
            }
            lines.push(line);
        }
        lines.push("instructions of a translated processor, the median of many batches; sizes in bytes".to_owned());
        lines.join("\n")
    }
}

fn reason(name: &str) -> Option<&'static str> {
    REASONS.iter().find(|(row, _)| name.starts_with(row)).map(|(_, reason)| *reason)
}

/// Formats a number with its thousands separated.
pub(super) fn number(number: Option<f64>) -> String {
    let Some(number) = number else { return "-".to_owned() };
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_meet_in_a_row_with_their_ratio() {
        let mut table = Table::default();
        table.put("GET_CAP", Side::Rust, 1210.0);
        table.put("GET_CAP", Side::C, 1207.0);
        table.put("only ours", Side::Rust, 1_234_567.0);
        let text = table.text();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].ends_with("1,210        1,207    1.00"), "{}", lines[1]);
        assert!(lines[2].ends_with("1,234,567            -"), "{}", lines[2]);
    }

    #[test]
    fn a_larger_number_asks_for_its_reason() {
        let mut table = Table::default();
        table.put("unheard of", Side::Rust, 2.0);
        table.put("unheard of", Side::C, 1.0);
        assert!(table.text().contains("2.00  no reason is recorded"));
    }
}
