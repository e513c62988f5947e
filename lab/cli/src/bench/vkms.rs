// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Compares the cost of showing pictures with our vkms and with C's, in instructions of the guest.
//!
//! Both drivers have the same DRM name, so one boot loads and measures them in turn. Each has one output with a primary
//! plane and a cursor. Both have a console, which does nothing while the measuring program is the display's master.
//!
//! Source: `guest/bench/src/vkms.rs` for how a row is measured; `drivers/gpu/drm/vkms/vkms_drv.c` for C's parameters.

use drydock_base::error::Result;
use drydock_base::events::Events;
use drydock_base::{exit, repo};
use drydock_machine::error::Error as VmError;
use drydock_machine::scenario::{Boot, Content, Plan, Program, Scene, Stage};

use super::table::{Side, Table};
use super::{LIMIT, parse};

/// The modules, with the parameters that give them the same objects.
const MODULES: [(&str, &str, Side); 2] = [("vkms_rust", "", Side::Rust), ("vkms", "enable_writeback=0", Side::C)];

/// The line below the table, without which the columns mislead. C's `vkms_prepare_fb()` and `vkms_crtc_atomic_check()` do this for
/// checksums and writeback, whether a client uses them or not.
const NOTE: &str = "sleep does not count; C's vkms maps each framebuffer into the kernel, and adds all planes of the \
                    display to each commit";

/// Runs `drydock bench vkms`.
pub(super) fn main(kernel: Option<String>, events: &Events) -> Result<u8> {
    let repo = repo::root()?;
    let content = Content::of_driver(&repo, "vkms")?.and(Content::of_driver(&repo, "c-vkms")?);
    let stage = Stage::prepare(&Plan { kernel, content: content.with(Program::BENCH) }, events)?;
    super::has_program(&stage)?;
    let boot = Boot { counting: true, ..Boot::default() };
    let (table, _) = stage.play(&boot, events, |scene| {
        let mut table = Table::default();
        for (module, parameters, side) in MODULES {
            let step = events.step(format!("measuring {module}"));
            measure(scene, (module, parameters), side, &mut table)?;
            step.done();
        }
        Ok(table)
    })?;
    events.result(&table, text);
    Ok(exit::OK)
}

fn text(table: &Table) -> String {
    format!("{}\n{NOTE}", table.text())
}

/// Loads a module, measures all rows, and unloads it.
fn measure(
    scene: &mut Scene<'_>,
    (module, parameters): (&str, &str),
    side: Side,
    table: &mut Table,
) -> Result<(), VmError> {
    scene.insmod_with(module, parameters)?;
    let rows = scene.guest().check(&[Program::BENCH.name, "rows", "vkms"], LIMIT)?;
    parse(&rows.out)?.iter().for_each(|line| table.put(&line.row, side, line.instructions));
    scene.rmmod(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_module_is_one_side_of_the_table() {
        let mut table = Table::default();
        for (at, (_, _, side)) in MODULES.into_iter().enumerate() {
            table.put("page flip, the call", side, 2000.0 * (at + 1) as f64);
        }
        insta::assert_snapshot!(text(&table), @r"
        per call                    Rust            C   ratio
        page flip, the call        2,000        4,000    0.50
        instructions of a translated processor, the median of many batches; sizes in bytes
        sleep does not count; C's vkms maps each framebuffer into the kernel, and adds all planes of the display to each commit
        ");
    }
}
