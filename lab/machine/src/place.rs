// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds where in the kernel a guest hangs: the stacks of its tasks and of its processors.
//!
//! Source: proc(5), `/proc/PID/stack`; Documentation/admin-guide/sysrq.rst, `l`; lib/nmi_backtrace.c for the wording.

use drydock_agent::protocol::{Call, Task};

use super::{
    console::Line,
    incident::{self, Incident, Kind},
    symbols::Frame,
};

/// The agent's process id.
const AGENT: u32 = 1;

/// The tasks that make the kernel print the processors' stacks, and those that print them.
const PRINTING: &[&str] = &["process `@write:sysrq", "process `pr/"];

/// The kernel's message when it panics on an NMI of unknown reason (arch/x86/kernel/nmi.c).
pub(crate) const PANIC: &str = "NMI: Not continuing";

/// The kernel's name for a processor's idle task, and parts of the names of functions in which it waits.
const IDLER: &str = "process `swapper/";
const IDLE: &[&str] = &["halt", "idle", "mwait"];

/// The place where a guest hangs. Each frame is a line of its own, as the kernel prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The activity of each task and processor; `None` if the guest did not report it.
    lines: Option<Vec<String>>,
    /// Whether a running task was found neither by its stack nor on a processor.
    missed: bool,
}

impl Place {
    /// Combines the agent's report of tasks and the kernel's report of processors.
    pub fn new(tasks: &[Task], log: &[Line]) -> Self {
        let reports = processors(log);
        let on_processors: Vec<String> = reports.iter().filter_map(|report| report.digest().who).collect();
        let is_on_one = |task: &Task| on_processors.iter().any(|who| who.contains(&format!("({})", task.tid)));
        let missed = tasks.iter().any(|task| task.state == "R" && task.stack.is_empty() && !is_on_one(task));
        Self { lines: Some([of_tasks(tasks), of_processors(&reports)].concat()), missed }
    }

    /// Reads the place from the panic with which a guest answers an NMI of unknown reason ([`PANIC`]).
    pub(crate) fn of_panic(log: &[Line]) -> Self {
        let panic = incident::find(log).into_iter().find(is_own_panic);
        Self { lines: panic.map(|incident| of_processor(&without_nmi(incident), &|_| true)), missed: false }
    }

    /// Returns whether the guest reported nothing.
    pub(crate) fn is_unknown(&self) -> bool {
        self.lines.is_none()
    }

    /// Returns whether each running task was found, in the kernel or in user space.
    pub(crate) fn is_whole(&self) -> bool {
        !self.missed
    }

    /// Returns the lines to show.
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}

/// Describes a request for an error message.
pub fn in_words(what: &Call) -> String {
    match what {
        Call::Insmod { name, .. } => format!("loading module `{name}`"),
        Call::Rmmod { name } => format!("unloading module `{name}`"),
        Call::ReadFile { path } => format!("reading `{path}`"),
        Call::WriteFile { path, bytes } => {
            format!("writing `{}` to `{path}`", String::from_utf8_lossy(bytes).trim_end())
        }
        Call::ListDir { path } => format!("listing `{path}`"),
        Call::EndProcesses => "killing the processes of the guest".into(),
        Call::Tasks => "listing the tasks of the guest".into(),
        other => format!("{other:?}"),
    }
}

/// Returns whether a task is the first thread of a program other than the agent. Kernel threads do not count.
pub(crate) fn is_process(task: &Task) -> bool {
    task.pid != AGENT && task.pid == task.tid && task.parent != KTHREADD
}

/// The parent of the kernel's own threads.
const KTHREADD: u32 = 2;

/// Returns a process's name for a message, with the devices that it holds.
pub fn name(task: &Task) -> String {
    let holds = if task.holds.is_empty() { String::new() } else { format!(" ({})", task.holds.join(", ")) };
    format!("`{}`, process {}{holds}", task.command, task.pid)
}

/// Lists the agent's requests first, then kernel threads, then programs.
fn of_tasks(tasks: &[Task]) -> Vec<String> {
    let rank = |task: &&Task| (task.pid != AGENT, task.parent != KTHREADD, task.pid, task.tid);
    let mut tasks: Vec<&Task> = tasks.iter().collect();
    tasks.sort_by_key(rank);
    tasks.into_iter().flat_map(of_task).collect()
}

fn of_task(task: &Task) -> Vec<String> {
    let does = match task.state.as_str() {
        "R" => "runs",
        "D" => "waits and cannot be interrupted",
        "T" | "t" => "is stopped",
        _ => "waits",
    };
    let who = match (task.pid, task.parent) {
        (AGENT, _) => format!("`{}`", task.command),
        (pid, KTHREADD) => format!("kernel thread `{}` ({pid})", task.command),
        (pid, _) if pid == task.tid => format!("process `{}` ({pid})", task.command),
        (pid, _) => format!("thread {} of process `{}` ({pid})", task.tid, task.command),
    };
    let where_ = if task.stack.is_empty() { ", not seen in the kernel" } else { "" };
    let frames = task.stack.iter().map(|call| format!("  {call}"));
    std::iter::once(format!("{who} {does}{where_}")).chain(frames).collect()
}

/// Returns whether a report is the answer to our own NMI.
pub(crate) fn is_own_panic(incident: &Incident) -> bool {
    incident.title.contains(PANIC)
}

/// Removes from a report the calls of the NMI that made it, which include the place that it interrupted.
fn without_nmi(incident: Incident) -> Incident {
    let mut in_nmi = false;
    let keep = |line: &Line| {
        let text = line.text.trim();
        in_nmi = text == "<NMI>" || (in_nmi && text != "</NMI>");
        !in_nmi || text.starts_with("RIP: ")
    };
    let mut lines = incident.lines;
    lines.retain(keep);
    Incident { lines, ..incident }
}

/// Lists what processors do in the kernel, except those that are idle or print this report.
fn of_processors(reports: &[Incident]) -> Vec<String> {
    let wanted = |who: &str| !PRINTING.iter().any(|name| who.contains(name));
    reports.iter().flat_map(|report| of_processor(report, &wanted)).collect()
}

/// Splits the kernel's report about its processors into one for each.
fn processors(log: &[Line]) -> Vec<Incident> {
    const OPENING: &str = "NMI backtrace for cpu";
    let begins = |line: &Line| line.text.contains(OPENING);
    let blocks = log.chunk_by(|_, next| !begins(next)).filter(|block| begins(&block[0]));
    let report = |block: &[Line]| Incident { kind: Kind::Stall, title: block[0].text.clone(), lines: block.to_vec() };
    blocks.map(report).collect()
}

/// Returns the place that a processor's report gives, if the report is `wanted` and the processor is in the kernel.
fn of_processor(report: &Incident, wanted: &dyn Fn(&str) -> bool) -> Vec<String> {
    let digest = report.digest();
    let is_idle = digest.at.as_ref().is_some_and(|at| IDLE.iter().any(|idle| at.symbol.contains(idle)));
    let Some(who) = digest.who.filter(|who| wanted(who) && !(is_idle && who.contains(IDLER))) else {
        return Vec::new();
    };
    // A task that spins may just be interrupted, by a timer for instance. An interrupt may also spin.
    let frames: Vec<Frame> = digest.at.into_iter().chain(digest.trace).chain(digest.interrupted).collect();
    if frames.is_empty() {
        return Vec::new();
    }
    std::iter::once(format!("a processor runs {who}")).chain(frames.iter().map(as_printed)).collect()
}

fn as_printed(frame: &Frame) -> String {
    let module = frame.module.as_ref().map(|module| format!(" [{module}]")).unwrap_or_default();
    format!("  {}+{:#x}/0x0{module}", frame.symbol, frame.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(pid: u32, parent: u32, command: &str, state: &str, stack: &[&str]) -> Task {
        let stack = stack.iter().map(|&call| call.to_owned()).collect();
        Task { pid, tid: pid, parent, command: command.into(), state: state.into(), stack, holds: Vec::new() }
    }

    #[test]
    fn the_request_that_hangs_comes_first_with_its_stack() {
        let request = Task { tid: 90, ..task(1, 0, "insmod hang", "D", &["msleep+0x2d/0x40", "probe+0x1/0x9 [hang]"]) };
        let tasks =
            [task(77, 1, "sleep 60", "S", &["hrtimer_nanosleep+0x9/0x20"]), request, task(9, 2, "kworker", "R", &[])];
        assert_eq!(
            of_tasks(&tasks),
            [
                "`insmod hang` waits and cannot be interrupted",
                "  msleep+0x2d/0x40",
                "  probe+0x1/0x9 [hang]",
                "kernel thread `kworker` (9) runs, not seen in the kernel",
                "process `sleep 60` (77) waits",
                "  hrtimer_nanosleep+0x9/0x20",
            ]
        );
    }

    #[test]
    fn a_processor_that_spins_is_told_and_the_one_that_prints_is_not() {
        let log = "[   1.0] sysrq: Show backtrace of all active CPUs\n\
                   [   1.0] NMI backtrace for cpu 1\n\
                   [   1.0] CPU: 1 UID: 0 PID: 1 Comm: @write:sysrq-tr Tainted: G\n\
                   [   1.0] Call Trace:\n\
                   [   1.0]  <TASK>\n\
                   [   1.0]  dump_stack_lvl+0x5d/0x80\n\
                   [   1.0]  </TASK>\n\
                   [   1.0] Sending NMI from CPU 1 to CPUs 0,2:\n\
                   [   1.0] NMI backtrace for cpu 2\n\
                   [   1.0] CPU: 2 UID: 0 PID: 0 Comm: swapper/2 Tainted: G\n\
                   [   1.0] RIP: 0010:pv_native_safe_halt+0xf/0x20\n\
                   [   1.0] Call Trace:\n\
                   [   1.0]  <TASK>\n\
                   [   1.0]  default_idle+0x9/0x10\n\
                   [   1.0]  </TASK>\n\
                   [   1.0] NMI backtrace for cpu 0\n\
                   [   1.0] CPU: 0 UID: 0 PID: 1 Comm: @insmod:hang Tainted: G\n\
                   [   1.0] RIP: 0010:probe+0x11/0x20 [hang]\n\
                   [   1.0] Call Trace:\n\
                   [   1.0]  <TASK>\n\
                   [   1.0]  really_probe+0xde/0x340\n\
                   [   1.0]  </TASK>\n";
        let log: Vec<Line> = log.lines().map(Line::parse).collect();
        assert_eq!(
            of_processors(&processors(&log)),
            [
                "a processor runs in process `@insmod:hang` (1) on processor 0",
                "  probe+0x11/0x0 [hang]",
                "  really_probe+0xde/0x0",
            ]
        );
    }

    #[test]
    fn a_processor_that_spins_is_told_where_an_interrupt_stopped_it() {
        let log = "[   1.0] NMI backtrace for cpu 1\n\
                   [   1.0] CPU: 1 UID: 0 PID: 255 Comm: @insmod:hang Tainted: G\n\
                   [   1.0] RIP: 0010:update_process_times+0x0/0x90\n\
                   [   1.0] Call Trace:\n\
                   [   1.0]  <IRQ>\n\
                   [   1.0]  tick_nohz_handler+0x8f/0x140\n\
                   [   1.0]  </IRQ>\n\
                   [   1.0]  <TASK>\n\
                   [   1.0]  asm_sysvec_apic_timer_interrupt+0x1a/0x20\n\
                   [   1.0] RIP: 0010:hang_spins+0x11/0x20 [hang]\n\
                   [   1.0] RAX: 0000000000000000 RBX: 0000000000000000\n\
                   [   1.0]  do_one_initcall+0x5b/0x300\n\
                   [   1.0]  </TASK>\n";
        let log: Vec<Line> = log.lines().map(Line::parse).collect();
        assert_eq!(
            of_processors(&processors(&log)),
            [
                "a processor runs in process `@insmod:hang` (255) on processor 1",
                "  update_process_times+0x0/0x0",
                "  tick_nohz_handler+0x8f/0x0",
                "  asm_sysvec_apic_timer_interrupt+0x1a/0x0",
                "  hang_spins+0x11/0x0 [hang]",
                "  do_one_initcall+0x5b/0x0",
            ]
        );
    }

    #[test]
    fn a_running_task_in_neither_report_is_missed() {
        let log = "[   1.0] NMI backtrace for cpu 1\n\
                   [   1.0] CPU: 1 UID: 0 PID: 91 Comm: @write:sysrq-tr Tainted: G\n\
                   [   1.0] NMI backtrace for cpu 0\n\
                   [   1.0] CPU: 0 UID: 0 PID: 77 Comm: client Tainted: G\n\
                   [   1.0] RIP: 0033:0x7f0000001000\n";
        let log: Vec<Line> = log.lines().map(Line::parse).collect();
        let request = |state: &str, stack: &[&str]| Task { tid: 90, ..task(1, 0, "insmod hang", state, stack) };
        let is_whole = |tasks: &[Task]| Place::new(tasks, &log).is_whole();
        assert!(is_whole(&[task(77, 1, "client", "R", &[])]), "on a processor, in user space");
        assert!(is_whole(&[request("R", &["hang_spins+0x1/0x9 [hang]"])]), "preempted when its stack was read");
        assert!(is_whole(&[request("S", &[])]), "it does not run");
        assert!(!is_whole(&[request("R", &[])]));
    }

    #[test]
    fn the_panic_of_our_interrupt_says_what_it_interrupted() {
        let log = "[   9.0] Uhhuh. NMI received for unknown reason 30 on CPU 0.\n\
                   [   9.0] Kernel panic - not syncing: NMI: Not continuing\n\
                   [   9.0] CPU: 0 UID: 0 PID: 1 Comm: @insmod:hang Tainted: G\n\
                   [   9.0] Call Trace:\n\
                   [   9.0]  <NMI>\n\
                   [   9.0]  dump_stack_lvl+0x5d/0x80\n\
                   [   9.0]  nmi_panic+0x2b/0x40\n\
                   [   9.0] RIP: 0010:probe+0x11/0x20 [hang]\n\
                   [   9.0]  </NMI>\n\
                   [   9.0]  <TASK>\n\
                   [   9.0]  really_probe+0xde/0x340\n\
                   [   9.0]  </TASK>\n";
        let log: Vec<Line> = log.lines().map(Line::parse).collect();
        let place = Place::of_panic(&log);
        assert_eq!(
            place.lines(),
            [
                "a processor runs in process `@insmod:hang` (1) on processor 0",
                "  probe+0x11/0x0 [hang]",
                "  really_probe+0xde/0x0",
            ]
        );
        assert!(Place::of_panic(&log[..1]).is_unknown());
    }

    #[test]
    fn a_process_is_named_with_what_it_holds() {
        let mut holder = task(77, 1, "sleep 1000", "S", &[]);
        assert_eq!(name(&holder), "`sleep 1000`, process 77");
        holder.holds = vec!["fd 3: /dev/dri/renderD128".into()];
        assert_eq!(name(&holder), "`sleep 1000`, process 77 (fd 3: /dev/dri/renderD128)");
    }
}
