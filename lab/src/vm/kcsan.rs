// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A report of KCSAN: two accesses to the same memory that nothing orders, one of them a write.
//!
//! Source: kernel/kcsan/report.c of Linux 7.3 for the wording; Documentation/dev-tools/kcsan.rst.

use super::{console::Line, symbols::Frame};

/// What opens a report, behind the line of equals signs.
pub(crate) const OPENING: &str = "BUG: KCSAN: ";

/// Whether the race has to do with a module. In the kernels that are built here those are ours, the DRM core and the little that it
/// needs; that the scheduler or a terminal races with itself is known to their maintainers, and no fault of who runs a driver.
pub(crate) fn is_of_module(report: &[Line]) -> bool {
    report.iter().filter_map(|line| Frame::parse(line.text.trim())).any(|frame| frame.module.is_some())
}
