// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Judges a run by its boot's kernel log, and formats the result.

use drydock_models::{Event, What};

use crate::console::Line;
use crate::error::Error as VmError;
use crate::incident::{self, Incident};
use crate::machine::{Ended, Machine};
use crate::symbols::{Frame, Symbols, shorten};
use crate::{gpu, place};
use drydock_base::error::{Error, Kind, Result};

use super::names::Names;

/// The number of frames shown of a call trace. Deeper ones are the system call and the program.
const DEEPEST: usize = 12;

/// The number of violations shown. A driver that polls a wrong register has thousands.
const MOST_VIOLATIONS: usize = 20;

/// The hint for a report that the host caused.
const TRY_AGAIN: &str = "try again when the host is less busy; if the report comes back, the kernel itself is at fault";

/// A boot that ended normally.
#[derive(Debug)]
pub struct Ending {
    /// The whole kernel log.
    pub log: Vec<Line>,
    /// All events of the emulated GPU.
    pub gpu: Vec<Event>,
}

impl Ending {
    /// Returns requested faults that never began: a test with such a plan has tested nothing.
    pub(super) fn unused_faults(&self) -> impl Iterator<Item = String> + '_ {
        let unused = |event: &&Event| matches!(event.what, What::FaultUnused { .. });
        self.gpu.iter().filter(unused).map(|event| event.what.to_string())
    }
}

/// Judges a scenario that succeeded, by the log and by those of the kernel's `leaks` that count.
pub(super) fn judge(names: &Names<'_>, ended: Ended, leaks: &[String]) -> Result<Ending> {
    let (gpu, gpu_error) = match ended.gpu {
        Ok(told) => (told, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let mut incidents = incident::find(&ended.log);
    if leaks.is_empty() {
        incidents.retain(|incident| !incident.counts_leaks());
    }
    if blamed(&incidents) == Some(Kind::Kernel) {
        let error = kernel_error(names, &incidents).details(names.with_symbols(|symbols| show_leaks(leaks, symbols)));
        return Err(error.details(gpu::violations(&gpu)).details(gpu_error.map(meanwhile)));
    }
    if let Some(error) = gpu_error {
        return Err(convert(kind_of(&error), error));
    }
    match misuse(&gpu) {
        Some(error) => Err(error),
        None if !incidents.is_empty() => Err(kernel_error(names, &incidents)),
        None => Ok(Ending { log: ended.log, gpu }),
    }
}

/// Returns the kind of error that the kernel's reports are, if there are any. If one is not the host's fault, all count
/// as the kernel's, because consequences of that one may look like the others.
fn blamed(incidents: &[Incident]) -> Option<Kind> {
    let by_host = incidents.iter().all(Incident::is_of_a_starved_machine);
    (!incidents.is_empty()).then_some(if by_host { Kind::Starved } else { Kind::Kernel })
}

/// Returns an error if the driver violated the hardware's rules.
fn misuse(told: &[Event]) -> Option<Error> {
    let violations = gpu::violations(told);
    let message = match violations.len() {
        0 => return None,
        1 => "the driver misuses its hardware".to_owned(),
        count => format!("the driver misuses its hardware, {count} times"),
    };
    let more = violations.len().saturating_sub(MOST_VIOLATIONS);
    let mut lines: Vec<String> = violations.into_iter().take(MOST_VIOLATIONS).collect();
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    Some(Error::new(Kind::Kernel, message).details(lines))
}

/// Returns the error of a scenario that failed. The reason is the kernel's report if there is one, or else the
/// scenario's error.
pub(super) fn failed(names: &Names<'_>, mut machine: Machine, error: VmError) -> Error {
    let error = machine.explain(error);
    let Ended { log, gpu } = match machine.kill() {
        Ok(ended) => ended,
        Err(kill) => return convert(Kind::Machinery, kill),
    };
    let (gpu, gpu_error) = match gpu {
        Ok(told) => (told, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    if matches!(error, VmError::GpuSilent { .. }) {
        // A GPU that has ended has printed its reason.
        let why = gpu_error.filter(|gpu| !matches!(gpu, VmError::GpuSilent { .. })).unwrap_or(error);
        return convert(kind_of(&why), why);
    }
    let mut incidents = incident::find(&log);
    incidents.retain(|incident| !place::is_own_panic(incident));
    let blame = blamed(&incidents);
    if blame == Some(Kind::Kernel) {
        let consequences = std::iter::once(error).chain(gpu_error).map(meanwhile);
        return kernel_error(names, &incidents).details(gpu::violations(&gpu)).details(consequences);
    }
    if let Some(gpu_error) = gpu_error {
        return convert(kind_of(&gpu_error), gpu_error).details([meanwhile(error)]);
    }
    if let Some(misuse) = misuse(&gpu) {
        return misuse.details([meanwhile(error)]);
    }
    if blame.is_some() {
        return kernel_error(names, &incidents).details([meanwhile(error)]);
    }
    named_places(names, error)
}

/// Describes an error that is only the consequence of another.
fn meanwhile(error: VmError) -> String {
    format!("this happened meanwhile: {}", first_line(&error.to_string()))
}

/// Adds to an error the names and lines of its frames.
fn named_places(names: &Names<'_>, error: VmError) -> Error {
    let converted = convert(kind_of(&error), error);
    let details = converted.detail_lines();
    let has_frames = details.iter().any(|line| Frame::parse(line).is_some());
    if !has_frames {
        return converted;
    }
    let named: Vec<String> = names.with_symbols(|symbols| details.iter().map(|line| named(line, symbols)).collect());
    Error::new(converted.kind(), converted.to_string()).details(named)
}

/// Returns the kind of a machine's error.
pub(super) fn kind_of(error: &VmError) -> Kind {
    match error {
        VmError::Hung { .. } | VmError::Stuck { .. } | VmError::Leaked { .. } => Kind::Kernel,
        VmError::TooLong { .. } => Kind::Limit,
        VmError::GpuSilent { .. } | VmError::QemuSilent { .. } => Kind::Silent,
        // The request named something that does not exist in the guest: a program, a file, a driver's sysfs entry.
        VmError::Refused { failure, .. } if failure.errno == rustix::io::Errno::NOENT.raw_os_error() => Kind::Usage,
        VmError::Refused { .. } => Kind::Kernel,
        VmError::Program { .. } | VmError::Unexpected { .. } | VmError::LeftBehind { .. } => Kind::Check,
        _ => Kind::Machinery,
    }
}

/// Returns the error for a machine that failed to boot twice. It contained no driver, so it says nothing about one.
pub(super) fn not_booted(names: &Names<'_>, machine: Machine, error: VmError) -> Error {
    match machine.kill() {
        Ok(Ended { gpu: Err(gpu), .. }) => convert(kind_of(&gpu), gpu).details([meanwhile(error)]),
        Ok(ended) => match incident::find(&ended.log).as_slice() {
            [] if matches!(error, VmError::Hung { .. }) => convert(Kind::Starved, error),
            [] => convert(Kind::Machinery, error),
            incidents => boot_error(names, incidents),
        },
        Err(kill) => convert(Kind::Machinery, kill),
    }
}

fn boot_error(names: &Names<'_>, incidents: &[Incident]) -> Error {
    let message =
        format!("the kernel reported this in two boots, before any driver was loaded: {}", incidents[0].title);
    of_incidents(names, Kind::Starved, message, incidents).hint(TRY_AGAIN)
}

/// Converts an error of the machine to one of the lab: the first line is the message, the lines below it are details.
pub(super) fn convert(kind: Kind, error: VmError) -> Error {
    let text = error.to_string();
    let message = first_line(&text);
    let details: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
    let out = Error::new(kind, message).details(details);
    match std::error::Error::source(&error) {
        Some(source) => out.caused_by(source.to_string()),
        None => out,
    }
}

/// Converts an error of the machine at a stage where no kernel can be at fault yet.
pub(super) fn machinery(error: VmError) -> Error {
    let kind = match kind_of(&error) {
        kind @ (Kind::Kernel | Kind::Silent) if !matches!(error, VmError::Refused { .. }) => kind,
        _ => Kind::Machinery,
    };
    convert(kind, error)
}

fn kernel_error(names: &Names<'_>, incidents: &[Incident]) -> Error {
    let message = match incidents {
        [only] => format!("the kernel reported: {}", shorten(&only.title)),
        [first, ..] => format!("the kernel reported {} incidents, first: {}", incidents.len(), shorten(&first.title)),
        [] => unreachable!("called with what was found"),
    };
    match blamed(incidents) {
        Some(Kind::Starved) => {
            let message = format!("the host starves the guest, and the kernel's report involves no driver: {message}");
            of_incidents(names, Kind::Starved, message, incidents).hint(TRY_AGAIN)
        }
        _ => of_incidents(names, Kind::Kernel, message, incidents),
    }
}

fn of_incidents(names: &Names<'_>, kind: Kind, message: String, incidents: &[Incident]) -> Error {
    let lines: Vec<String> =
        names.with_symbols(|symbols| incidents.iter().flat_map(|incident| show(incident, symbols)).collect());
    Error::new(kind, message).details(lines)
}

/// Formats the kernel's list of leaked blocks: their size, process and call path, without the bytes in them.
pub fn show_leaks(leaks: &[String], symbols: &Symbols<'_>) -> Vec<String> {
    let is_dump = |line: &str| {
        let word = line.split_whitespace().next().unwrap_or_default();
        line.trim_start().starts_with("hex dump") || (word.len() == 2 && u8::from_str_radix(word, 16).is_ok())
    };
    leaks.iter().filter(|line| !is_dump(line)).map(|line| named(line, symbols)).collect()
}

/// Returns a line of a report, with the name if it is a frame: some stacks in a report are not its call trace.
fn named(line: &str, symbols: &Symbols<'_>) -> String {
    match Frame::parse(line) {
        Some(frame) => format!("  from {}", symbols.describe(&frame, true)),
        None => shorten(line),
    }
}

/// Returns the lines of an incident that matter.
pub fn show(incident: &Incident, symbols: &Symbols<'_>) -> Vec<String> {
    let digest = incident.digest();
    let mut lines: Vec<String> = digest.says.iter().map(|line| named(line, symbols)).collect();
    if lines.is_empty() {
        lines.push(incident.title.clone());
    }
    lines.extend(digest.who.map(|who| format!("  {who}")));
    lines.extend(digest.at.map(|frame| format!("  at   {}", symbols.describe(&frame, false))));
    let deeper = digest.trace.len().saturating_sub(DEEPEST);
    let trace = digest.trace.iter().take(DEEPEST);
    lines.extend(trace.map(|frame| format!("  from {}", symbols.describe(frame, true))));
    if deeper > 0 {
        lines.push(format!("  … and {deeper} more callers"));
    }
    lines
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Returns the reports of a log that was captured or follows a captured one.
    fn reports(text: &str) -> Vec<Incident> {
        incident::find(&text.lines().map(Line::parse).collect::<Vec<_>>())
    }

    #[test]
    fn the_hosts_reports_are_told_apart_unless_there_is_another() {
        let (late, stuck) =
            (include_str!("../testdata/starved-hrtimer.log"), include_str!("../testdata/starved-lockup.log"));
        assert_eq!(blamed(&[]), None);
        assert_eq!(blamed(&reports(late)), Some(Kind::Starved));
        assert_eq!(blamed(&reports(&format!("{late}{stuck}"))), Some(Kind::Starved));
        let warning = include_str!("../testdata/c-warning.log");
        assert_eq!(blamed(&reports(&format!("{late}{warning}"))), Some(Kind::Kernel));
        assert_eq!(blamed(&reports(&format!("{warning}{stuck}"))), Some(Kind::Kernel));
    }

    #[test]
    fn a_leak_is_shown_with_those_who_made_it() {
        let text = "unreferenced object 0xffff888008a2d000 (size 1024):\n  comm \"insmod\", pid 77, jiffies 4294899141\n  \
                    hex dump (first 32 bytes):\n    00 01 02 03  ....\n  backtrace (crc 1e2f):\n    make+0x1c/0x30 [m]";
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let symbols = Symbols::new(HashMap::new(), &|_| None);
        insta::assert_snapshot!(show_leaks(&lines, &symbols).join("\n"), @r#"
        unreferenced object 0xffff888008a2d000 (size 1024):
          comm "insmod", pid 77, jiffies 4294899141
          backtrace (crc 1e2f):
          from make+0x1c [m]
        "#);
    }

    #[test]
    fn an_oops_is_shown_in_the_lines_that_matter() {
        let text = include_str!("../testdata/rust-null.log");
        let log: Vec<Line> = text.lines().map(Line::parse).collect();
        let symbols = Symbols::new(HashMap::new(), &|_| None);
        let shown = incident::find(&log).iter().flat_map(|found| show(found, &symbols)).collect::<Vec<_>>();
        insta::assert_snapshot!(shown.join("\n"));
    }
}
