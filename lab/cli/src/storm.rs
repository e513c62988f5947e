// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock storm`: makes random calls from several processes while the device comes and goes, on a kernel that checks
//! memory and locks.
//!
//! The storm itself is a mode of the guest's test program (`guest/tests/src/storm.rs`). This module boots its machine
//! and judges the run.

pub(crate) mod figures;

use std::time::{Duration, Instant};

use clap::Args;
use drydock_agent::protocol::{MODULE_DIR, Status, Stream};

use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::{Events, Step};
use drydock_base::exit;
use drydock_machine::error::Error as VmError;
use drydock_machine::lines::Lines;
use drydock_machine::model::Choices;
use drydock_machine::pace::{self, patient};
use drydock_machine::scenario::{Boot, Content, Plan, Program, Scene, Stage, driver_modules, gpu_of, has_firmware};
use drydock_toolchain::debug_kernel;
use drydock_toolchain::firmware::Choice;

use figures::Figures;

/// Drivers whose devices a storm can disrupt.
const DRIVERS: [&str; 4] = ["vgem", "nova", "tyr", "vkms"];
/// The time limit for everything before and after a storm, on the stock kernel.
const AROUND: Duration = Duration::from_secs(120);
/// The time limit for one unplug, with everything that happens between it and the next one.
const UNPLUG: Duration = Duration::from_secs(5);
/// The exit code of the guest's program for a process that is stuck in the kernel.
const HANGS: i32 = 3;

/// The end of its help.
const EXAMPLES: &str = "\
Examples:\n\
\x20   drydock storm\n\
\x20   drydock storm vgem --minutes 60\n\
\x20   drydock storm vkms --unplugs 10000 --seed 1\n\
\x20   drydock storm tyr --seed 7 --kernel 7.3";

/// Make random calls while the device is unbound, unplugged and starved of memory
///
/// In a guest, several processes make random system calls on a driver's nodes and everything reached through them:
/// opening, closing, sharing, every ioctl of the driver and of the DRM core with right and wrong arguments, mapping and
/// faulting, waiting. Meanwhile the device is unbound, pulled out and plugged in, its module is unloaded and loaded, an
/// emulated GPU loses interrupts or disappears, allocations fail, and processes are interrupted and killed.
///
/// The storm passes if the kernel reports nothing, no process hangs, no module or memory is leaked, and the GPU was not
/// misused. At the end it prints how often each call was made, and how often each disruption happened. The debug
/// kernel, which is built first if it is missing, also reports accesses to freed memory and locks taken in a wrong
/// order.
///
/// `--seed` repeats the random sequence of every process, and that of the disruptions. It does not repeat their timing:
/// a fault that depends on timing may need several runs, and a process may take another path when a call returns
/// another result.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Drivers of the devices: vgem, nova, tyr or vkms [default: all, one after the other]
    drivers: Vec<String>,
    /// Minutes for each driver; fractions are allowed
    #[arg(long, value_name = "N", default_value = "10", value_parser = minutes)]
    minutes: Duration,
    /// End each storm after this many unplugs, however long they take
    #[arg(long, value_name = "N", conflicts_with = "minutes", value_parser = clap::value_parser!(u32).range(1..))]
    unplugs: Option<u32>,
    /// Seed of the random sequences, as an earlier run printed it; it does not fix the timing of processes [default: a
    /// new one]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Number of processes that make calls
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    processes: u8,
    /// Kernel to boot: `debug`, which checks memory and locks, or a stock one by its release or series
    #[arg(long, value_name = "NAME", default_value = debug_kernel::NAME)]
    kernel: String,
    /// Number of processors of the guest
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    cpus: u32,
    /// Firmware for a GPU's driver: the published file, one built here, or your own file [default: the published one if
    /// it is available]
    #[arg(long, value_name = "real|built|PATH", value_parser = Choice::parse)]
    firmware: Option<Choice>,
    /// Show the kernel's log on stderr as it is printed
    #[arg(long)]
    log: bool,
}

/// Parses a time of more than a second and less than a week.
fn minutes(text: &str) -> Result<Duration, String> {
    let minutes: f64 = text.parse().map_err(|_| format!("`{text}` is not a number of minutes"))?;
    match (1.0 / 60.0..10_000.0).contains(&minutes) {
        true => Ok(Duration::from_secs_f64((minutes * 60.0).round())),
        false => Err(format!("`{text}` is not between a second and a week")),
    }
}

/// Runs `drydock storm`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let drivers = chosen(&options)?;
    let seed = options.seed.unwrap_or_else(new_seed);
    let content = Content::all_modules().with(Program::TESTS);
    let stage = Stage::prepare(&Plan { kernel: Some(options.kernel.clone()), content }, events)?;
    let (mut passed, mut failed) = (Vec::new(), None);
    for driver in drivers {
        match over(driver, seed, &options, &stage, events) {
            Ok(figures) => passed.push(figures),
            Err(error) if error.kind() == Kind::Interrupted || failed.is_some() => return Err(error),
            Err(error) => {
                events.error(&error);
                failed = Some(error);
            }
        }
    }
    events.result(&passed, |passed| figures::text(passed));
    match failed {
        // The error was reported in full when it happened.
        Some(error) => Ok(exit::code(error.kind())),
        None => Ok(exit::OK),
    }
}

/// Returns the drivers, each once, in the order of the table.
fn chosen(options: &Options) -> Result<Vec<&'static str>> {
    if let Some(unknown) = options.drivers.iter().find(|name| !DRIVERS.contains(&name.as_str())) {
        let known = DRIVERS.join(", ");
        return Err(Error::new(
            Kind::Usage,
            format!("there is no storm for driver `{unknown}` (known drivers: {known})"),
        ));
    }
    let wanted = |name: &&str| options.drivers.is_empty() || options.drivers.iter().any(|wanted| wanted == name);
    let chosen: Vec<_> = DRIVERS.into_iter().filter(wanted).collect();
    if options.firmware.is_some() && !chosen.iter().any(|driver| has_firmware(driver)) {
        let message = "none of these drivers loads firmware, so `--firmware` has no effect";
        return Err(Error::new(Kind::Usage, message));
    }
    Ok(chosen)
}

/// Returns a seed that differs between runs and is short enough to type.
fn new_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::from(now.unwrap_or_default().subsec_nanos()) ^ u64::from(std::process::id())
}

/// Runs one storm in a machine of its own.
fn over(driver: &str, seed: u64, options: &Options, stage: &Stage, events: &Events) -> Result<Figures> {
    let gpu = gpu_of(driver, &Choices::default(), options.firmware.as_ref(), events)?;
    let modules = driver_modules(driver, stage.image())?;
    let boot = Boot { cpus: options.cpus, show_log: options.log, gpu, ..Boot::default() };
    let (figures, _) = stage.play(&boot, events, |scene| {
        modules.iter().try_for_each(|module| scene.require(module))?;
        let title = format!("storm over {driver}, seed {seed}, {} processes", options.processes);
        let step = events.step(title);
        let figures = blow(scene, driver, seed, options, &step)?;
        step.done_with(figures.short());
        Ok(figures)
    })?;
    Ok(figures)
}

/// Runs the guest's program and parses its output.
fn blow(scene: &mut Scene<'_>, driver: &str, seed: u64, options: &Options, step: &Step) -> Result<Figures, VmError> {
    let numbers = [options.minutes.as_secs(), seed, options.processes.into(), pace::patience().into()];
    let [seconds, seed_text, processes, patience] = numbers.map(|number| number.to_string());
    let mut argv = vec![Program::TESTS.name, "--driver", driver, "--modules", MODULE_DIR, "--storm", &seconds];
    argv.extend(["--seed", &seed_text, "--processes", &processes, "--patience", &patience]);
    let unplugs = options.unplugs.map(|unplugs| unplugs.to_string());
    argv.extend(unplugs.iter().flat_map(|unplugs| ["--unplugs", unplugs]));
    let mut process = scene.guest().spawn(&argv)?;
    process.close_input()?;
    // A storm that hangs ends itself.
    let limit = options.unplugs.map_or(options.minutes, |unplugs| patient(UNPLUG) * unplugs) + patient(AROUND);
    let (mut lines, mut figures, mut said) =
        (Lines::default(), Figures::new(driver, seed, options.minutes), String::new());
    let begun = Instant::now();
    let status = process.forward(Some(limit), |stream, bytes| {
        if stream == Stream::Err {
            said.push_str(&String::from_utf8_lossy(bytes));
            return Ok(());
        }
        lines.take(bytes, &mut |line| match line.split_once(' ') {
            Some(("at", _)) => step.line(&line["at ".len()..]),
            _ if figures.take(line) => {}
            _ => {
                said.push_str(line);
                said.push('\n');
            }
        });
        Ok(())
    })?;
    let program = format!("storm over {driver} (seed {seed})");
    match status {
        Status::Code(0) if options.unplugs.is_some() => Ok(figures.after(begun.elapsed())),
        Status::Code(0) => Ok(figures),
        Status::Code(HANGS) => Err(VmError::Stuck { program, said }),
        status => Err(VmError::Program { program, status, said }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parse(line: &str) -> Result<Options, String> {
        let line = Line::try_parse_from(std::iter::once("storm").chain(line.split_whitespace()));
        line.map(|line| line.options).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_name_all_drivers_are_meant() {
        let options = parse("").unwrap();
        assert_eq!(chosen(&options).unwrap(), DRIVERS);
        assert_eq!((options.minutes.as_secs(), options.kernel.as_str()), (600, "debug"));
        assert_eq!(chosen(&parse("tyr vgem tyr").unwrap()).unwrap(), ["vgem", "tyr"]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let message = chosen(&parse("vgm").unwrap()).unwrap_err().to_string();
        assert_eq!(message, "there is no storm for driver `vgm` (known drivers: vgem, nova, tyr, vkms)");
        assert_eq!(chosen(&parse("nova --firmware built").unwrap()).unwrap_err().kind(), Kind::Usage);
        for line in [
            "--unplugs 0",
            "--unplugs 5 --minutes 1",
            "--minutes 0",
            "--minutes -1",
            "--minutes soon",
            "--minutes NaN",
            "--processes 17",
            "--cpus 0",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert_eq!(parse("--minutes 0.5").unwrap().minutes.as_secs(), 30);
        assert_eq!(parse("vkms --unplugs 10000").unwrap().unplugs, Some(10_000));
    }

    #[test]
    fn help_for_newcomers() {
        use clap::CommandFactory;
        insta::assert_snapshot!(Line::command().term_width(100).render_long_help().to_string());
    }
}
