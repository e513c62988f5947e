// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Recognises reports of KCSAN: two unordered accesses to the same memory, at least one of them a write.
//!
//! Source: kernel/kcsan/report.c of Linux 7.3 for the wording; Documentation/dev-tools/kcsan.rst.

use super::{console::Line, symbols::Frame};

/// The first line of a report, after the line of equals signs.
pub(crate) const OPENING: &str = "BUG: KCSAN: ";

/// Returns whether the race involves a module. In our kernels, modules are ours, the DRM core and the little that it
/// needs. Races of the scheduler or a terminal with itself are known to their maintainers and not the fault of a
/// driver's author.
pub(crate) fn is_of_module(report: &[Line]) -> bool {
    report.iter().filter_map(|line| Frame::parse(line.text.trim())).any(|frame| frame.module.is_some())
}
