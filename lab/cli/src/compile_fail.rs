// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The cases that must not compile, and their twins that must.
//!
//! A case is `tests/compile-fail/AREA/MISTAKE.rs` with the compiler's message beside it, `MISTAKE.stderr`. One file
//! contains both the mistake and its correction, see [`case`]. Both are compiled as a module is, with the command that
//! Kbuild recorded for the driver `vgem`. [`page`] shows them to readers, and a suite of `drydock test` judges them.

pub(crate) mod case;
pub(crate) mod compiler;
mod message;
pub(crate) mod page;

use serde::Serialize;

use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::Events;
use drydock_toolchain::modules::BuiltModules;
use drydock_toolchain::setup::Toolchain;

use case::{Case, Side};
use compiler::{Compiled, Compiler, Depth};

/// A mistake, and the compiler's current message for it.
#[derive(Debug, Serialize)]
pub(crate) struct Demonstration {
    /// The mistake in one sentence.
    pub(crate) title: String,
    /// Why it is a mistake.
    pub(crate) reason: String,
    /// The mistake and its correction, as a diff.
    pub(crate) difference: String,
    /// The compiler's message.
    pub(crate) message: String,
}

/// Compiles the cases `names` and returns the compiler's messages. Fails if one compiles, or its twin does not.
pub(crate) fn demonstrate(
    toolchain: &Toolchain,
    modules: &BuiltModules,
    names: &[&str],
    events: &Events,
) -> Result<Vec<Demonstration>> {
    let mut cases = case::all(&toolchain.repo)?;
    cases.retain(|case| names.contains(&case.name.as_str()));
    let compiler = Compiler::prepare(toolchain, modules, &cases)?;
    let step = events.step("compiling the cases that must fail");
    let shown = cases.iter().map(|case| demonstration(&compiler, case)).collect::<Result<Vec<_>>>()?;
    step.done_with(format!("{} cases, none compiles", shown.len()));
    Ok(shown)
}

fn demonstration(compiler: &Compiler<'_>, case: &Case) -> Result<Demonstration> {
    let wrong = compiler.compile(case, Side::Wrong, Depth::Check)?;
    let right = compiler.compile(case, Side::Right, Depth::Check)?;
    let message = match (wrong, right) {
        (Compiled::No(message), Compiled::Yes) => message,
        (Compiled::Yes, _) => return Err(Error::new(Kind::Check, format!("`{}` compiles", case.name))),
        (_, Compiled::No(message)) => {
            let error = Error::new(Kind::Check, format!("the twin of `{}` does not compile", case.name));
            return Err(error.details(message.lines()));
        }
    };
    Ok(Demonstration { title: case.title().to_owned(), reason: case.reason(), difference: case.difference(), message })
}
