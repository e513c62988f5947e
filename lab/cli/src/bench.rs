// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock bench`: compares the cost of the Rust driver with the C one, in instructions. A driver without a C
//! counterpart for the same bus is measured alone.
//!
//! One boot with QEMU's counting clock measures both drivers in turn with the same program, so the kernel around them
//! is the same. Sizes come from the module files. Source: qemu-system-x86_64(1), `-icount`; `guest/bench` for how a
//! row is measured.

mod sizes;
mod table;
mod tyr;
mod vkms;

use std::time::Duration;

use clap::{Args, ValueEnum};
use drydock_agent::protocol::MODULE_DIR;
use serde::Deserialize;

use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::exit;
use drydock_machine::error::Error as VmError;
use drydock_machine::scenario::{Boot, Content, Plan, Program, Scene, Stage};
use drydock_toolchain::firmware::Choice;

use table::{Side, Table};

/// The longest time for one run of the measuring program; QEMU runs on one host thread when it counts.
const LIMIT: Duration = Duration::from_secs(600);

/// Count instructions per operation, for the Rust driver and the C one side by side
///
/// Boots the stock kernel once on a machine whose clock counts instructions, and measures the Rust vgem and the C one
/// with the same program. For vkms, does the same with C's vkms, built from the kernel's source package. For tyr, which
/// has no C counterpart here, measures mapping memory on an emulated GPU and the size of its page tables. The numbers do
/// not depend on the host.
#[derive(Debug, Args)]
pub struct Options {
    /// The driver to measure
    #[arg(value_enum, default_value_t = Subject::Vgem)]
    driver: Subject,
    /// The kernel to boot, by its release or series
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Firmware for a GPU's driver: the published file, one built here, or your own file [default: the published one if
    /// it is available]
    #[arg(long, value_name = "real|built|PATH", value_parser = Choice::parse)]
    firmware: Option<Choice>,
}

/// The driver to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// Buffers, compared with the stock kernel's own driver
    Vgem,
    /// An Arm Mali GPU
    Tyr,
    /// A virtual display, compared with the one in the kernel's source
    Vkms,
}

/// The limit in bytes that a row's name must stay below. The table's first column is padded to the longest name.
const LONGEST_NAME: usize = 200;

/// A Rust module and the C module that does the same.
struct Pair {
    /// Our module, the modules it needs, and the name by which the program finds its node.
    rust: Module,
    /// The C module.
    c: Module,
}

struct Module {
    name: &'static str,
    /// Modules loaded first, so that the measurement of loading covers only the module itself.
    needs: &'static str,
    node: &'static str,
}

const PAIRS: &[Pair] = &[
    Pair {
        rust: Module { name: "noop_rust", needs: "drm_rust", node: "noop_rust" },
        c: Module { name: "noop_c", needs: "drm_shmem_helper", node: "noop_c" },
    },
    Pair {
        rust: Module { name: "vgem_rust", needs: "drm_rust", node: "vgem" },
        c: Module { name: "vgem", needs: "drm_shmem_helper", node: "vgem" },
    },
];

/// One line of the program's output.
#[derive(Debug, Deserialize, PartialEq)]
struct Line {
    row: String,
    instructions: f64,
}

/// Runs `drydock bench`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    if options.firmware.is_some() && options.driver != Subject::Tyr {
        return Err(Error::new(Kind::Usage, "only `tyr` loads firmware, so `--firmware` has no effect"));
    }
    let all = |kernel| Plan { kernel, content: Content::all_modules().with(Program::BENCH) };
    match options.driver {
        Subject::Tyr => tyr::main(&all(options.kernel), options.firmware.as_ref(), events),
        Subject::Vgem => vgem(&all(options.kernel), events),
        Subject::Vkms => vkms::main(options.kernel, events),
    }
}

/// Fails early if the measuring program is missing.
fn has_program(stage: &Stage) -> Result<()> {
    match Program::BENCH.exists(&stage.toolchain().repo) {
        true => Ok(()),
        false => Err(Error::new(Kind::Usage, "this checkout has no `guest/bench`")),
    }
}

fn vgem(plan: &Plan, events: &Events) -> Result<u8> {
    let stage = Stage::prepare(plan, events)?;
    has_program(&stage)?;
    let boot = Boot { counting: true, ..Boot::default() };
    let (mut table, _) = stage.play(&boot, events, |scene| {
        let mut table = Table::default();
        for pair in PAIRS {
            measure(scene, &pair.rust, Side::Rust, &mut table, events)?;
            measure(scene, &pair.c, Side::C, &mut table, events)?;
        }
        Ok(table)
    })?;
    for pair in PAIRS {
        sizes::add(&stage, (pair.rust.name, pair.c.name), &mut table)?;
    }
    events.result(&table, Table::text);
    Ok(exit::OK)
}

/// Loads one module, measures all its rows, and unloads it, so that the next driver's node is again the only one.
fn measure(
    scene: &mut Scene<'_>,
    module: &Module,
    side: Side,
    table: &mut Table,
    events: &Events,
) -> Result<(), VmError> {
    let step = events.step(format!("measuring {}", module.name));
    scene.require(module.needs)?;
    let file = format!("{MODULE_DIR}/{}.ko", module.name);
    let loaded = scene.guest().check(&[Program::BENCH.name, "load", &file], LIMIT)?;
    let rows = scene.guest().check(&[Program::BENCH.name, "rows", module.node], LIMIT)?;
    for line in parse(&loaded.out)?.into_iter().chain(parse(&rows.out)?) {
        // Loading is a row of each pair too.
        let row = match line.row.starts_with("load") {
            true => format!("{}, {}", line.row, pair_name(module)),
            false => line.row,
        };
        table.put(&row, side, line.instructions);
    }
    scene.rmmod(module.name)?;
    step.done();
    Ok(())
}

fn pair_name(module: &Module) -> &'static str {
    module.name.split('_').next().unwrap_or(module.name)
}

fn parse(out: &str) -> Result<Vec<Line>, VmError> {
    let unexpected = |said| VmError::Unexpected { program: Program::BENCH.name.into(), said };
    let lines = out.lines().map(|text| {
        let line: Line = serde_json::from_str(text).map_err(|error| unexpected(format!("{text}: {error}")))?;
        match line.row.len() < LONGEST_NAME {
            true => Ok(line),
            false => Err(unexpected(format!("a row whose name has {} bytes", line.row.len()))),
        }
    });
    lines.collect()
}

/// Parses any bytes as rows of the benchmark, for fuzzing.
/// Takes rows alternately as ours and as the C driver's.
pub(crate) fn parse_any(bytes: &[u8]) {
    let Ok(lines) = parse(&String::from_utf8_lossy(bytes)) else { return };
    let mut table = Table::default();
    let sides = [Side::Rust, Side::C].into_iter().cycle();
    lines.iter().zip(sides).for_each(|(line, side)| table.put(&line.row, side, line.instructions));
    assert!(table.text().lines().count() > 1, "a table has a beginning and an end");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_program_is_a_row() {
        let lines = parse("{\"row\":\"GET_CAP\",\"driver\":\"vgem\",\"instructions\":1207.5}\n").unwrap();
        assert_eq!(lines, [Line { row: "GET_CAP".into(), instructions: 1207.5 }]);
        assert!(parse("oops\n").is_err());
    }

    #[test]
    fn a_name_that_no_table_has_room_for_is_refused() {
        let row = |name: &str| format!("{{\"row\":\"{name}\",\"instructions\":1}}\n");
        let error = parse(&row(&"x".repeat(70_000))).unwrap_err();
        assert!(error.to_string().contains("70000 bytes"), "{error}");
        assert!(parse(&row(&"x".repeat(LONGEST_NAME))).is_err());
        assert_eq!(parse(&row("GET_CAP")).unwrap().len(), 1);
    }
}
