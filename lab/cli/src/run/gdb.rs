// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `--gdb`: the guest waits for gdb when its modules are loaded, and goes on when gdb lets it.

use drydock_base::error::Result;
use drydock_base::events::Events;
use drydock_machine::debugger::Session;
use drydock_machine::error::Error as VmError;
use drydock_machine::scenario::{Scene, Stage, debugged};

/// Writes gdb's script, says how to start gdb, and waits until gdb continues the guest. The inner error is one of this
/// machine.
pub(super) fn wait(
    stage: &Stage,
    session: &Session,
    scene: &mut Scene<'_>,
    events: &Events,
) -> Result<Result<()>, VmError> {
    let step = events.step("reading the kernel's symbols");
    let layout = debugged::layout(scene)?;
    if let Err(error) = stage.write_debugger_script(session, layout) {
        return Ok(Err(error));
    }
    step.done();
    events
        .note(format!("the guest waits for gdb; start it in another terminal: gdb -x {}", session.script().display()));
    if !is_here("gdb") {
        events.note("this machine has no `gdb`; Debian's package `gdb` has it");
    }
    debugged::wait_for_debugger(scene, || {
        events
            .note("gdb is connected; `continue` in gdb lets the driver probe its devices, and then starts the client");
    })?;
    debugged::probe(scene)?;
    Ok(Ok(()))
}

/// Returns whether a program is in our `PATH`.
pub(crate) fn is_here(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}
