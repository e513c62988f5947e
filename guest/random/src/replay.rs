// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Executes given programs in their order, whether or not the kernel has KCOV.
//!
//! Source: none.

use random::program::Program;

use crate::judge::{Judge, Stop};
use crate::report::{Line, say};

/// Executes all programs, and reports each when it is done.
pub(crate) fn all(programs: &[Program], judge: &mut Judge<'_>) -> Result<(), Stop> {
    for (number, program) in programs.iter().enumerate() {
        let errnos = judge.run(program)?.unwrap_or_default();
        let names = program.calls.iter().map(|call| call.spec().name.to_owned());
        say(&Line::Replayed { program: number, errnos: names.zip(errnos).collect() });
    }
    Ok(())
}
