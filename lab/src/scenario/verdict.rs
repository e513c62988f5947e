// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a boot's kernel log says about the run, and how it is shown.

use std::process::Command;

use crate::error::{Error, Kind, Result};
use crate::root::Binds;
use crate::vm::console::Line;
use crate::vm::error::Error as VmError;
use crate::vm::incident::{self, Incident};
use crate::vm::machine::{Ended, Machine};
use crate::vm::symbols::{Address, Symbols, shorten};

use super::stage::Stage;

/// Where the directory of a module is seen by `addr2line`.
const MODULE_DIR: &str = "/out";

/// How deep a call trace is shown: beyond it are the system call and the program.
const DEEPEST: usize = 12;

/// A boot that ended as it should.
#[derive(Debug)]
pub(crate) struct Ending {
    /// The whole kernel log.
    pub(crate) log: Vec<Line>,
}

/// A story went well; the log decides.
pub(super) fn judge(stage: &Stage, ended: Ended) -> Result<Ending> {
    let incidents = incident::find(&ended.log);
    if incidents.is_empty() {
        return Ok(Ending { log: ended.log });
    }
    Err(kernel_error(stage, &incidents))
}

/// A story went wrong. What the kernel reported, if anything, is the reason; else what the story met.
pub(super) fn failed(stage: &Stage, mut machine: Machine, error: VmError) -> Error {
    let error = machine.explain(error);
    let log = match machine.kill() {
        Ok(ended) => ended.log,
        Err(kill) => return convert(Kind::Machinery, kill),
    };
    let incidents = incident::find(&log);
    if !incidents.is_empty() {
        let met = first_line(&error.to_string());
        return kernel_error(stage, &incidents).details([format!("this was met meanwhile: {met}")]);
    }
    let kind = match &error {
        VmError::Hung { .. } | VmError::Leaked { .. } => Kind::Kernel,
        // What was asked for does not exist in the guest: a program, a file, a driver's sysfs entry.
        VmError::Refused { failure, .. } if failure.errno == rustix::io::Errno::NOENT.raw_os_error() => Kind::Usage,
        VmError::Refused { .. } => Kind::Kernel,
        VmError::Program { .. } | VmError::Unexpected { .. } => Kind::Check,
        _ => Kind::Machinery,
    };
    convert(kind, error)
}

/// An error of the machine as one of the lab: the first line is the message, what is below it are details.
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

fn kernel_error(stage: &Stage, incidents: &[Incident]) -> Error {
    let message = match incidents {
        [only] => format!("the kernel reported: {}", shorten(&only.title)),
        [first, ..] => format!("the kernel reported {} incidents, first: {}", incidents.len(), shorten(&first.title)),
        [] => unreachable!("called with what was found"),
    };
    let addr2line = |address: &Address| addr2line(stage, address);
    let symbols = Symbols::new(stage.image().ours.clone().into_iter().collect(), &addr2line);
    let lines: Vec<String> = incidents.iter().flat_map(|incident| show(incident, &symbols)).collect();
    Error::new(Kind::Kernel, message).details(lines)
}

/// The lines of an incident that matter.
pub(super) fn show(incident: &Incident, symbols: &Symbols<'_>) -> Vec<String> {
    let digest = incident.digest();
    let mut lines: Vec<String> = digest.says.iter().map(|line| shorten(line)).collect();
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

/// Asks the root's `addr2line` for a file and line.
fn addr2line(stage: &Stage, address: &Address) -> Option<String> {
    let directory = address.file.parent()?;
    let name = address.file.file_name()?.to_string_lossy();
    let binds = Binds::none().read(directory, MODULE_DIR);
    let mut command: Command = stage.toolchain().command("addr2line", &binds);
    command.args(["-e", &format!("{MODULE_DIR}/{name}"), "-j", &address.section, &format!("{:#x}", address.address)]);
    crate::process::output(&mut command).ok()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn an_oops_is_shown_in_the_lines_that_matter() {
        let text = include_str!("../vm/testdata/rust-null.log");
        let log: Vec<Line> = text.lines().map(Line::parse).collect();
        let symbols = Symbols::new(HashMap::new(), &|_| None);
        let shown = incident::find(&log).iter().flat_map(|found| show(found, &symbols)).collect::<Vec<_>>();
        insta::assert_snapshot!(shown.join("\n"));
    }
}
