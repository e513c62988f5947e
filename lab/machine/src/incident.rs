// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds what in a kernel log fails a run: warnings, bugs, oopses, panics, stalls and leaks, each as one block.
//!
//! A kernel report has some 50 lines, of which a reader wants five: what happened, where, in which process, and on
//! which call path. [`Incident::summary`] keeps those.
//!
//! Source: `guest/uapi/src/report.rs` for what opens a report; arch/x86/kernel/dumpstack.c of Linux 7.3 for the rest. The
//! texts in `testdata/` were captured from it; those named `starved-*` follow its wording.

use uapi::report::{RACE, is_by_starving, opening};

pub use uapi::report::Kind;

use super::{console::Line, kasan, kcsan, symbols::Frame};

/// Returns whether a line names a function of a module, in a call trace or as a work item of a workqueue.
fn names_module(text: &str) -> bool {
    let in_frame =
        |(_, behind): (&str, &str)| behind.split_whitespace().nth(1).is_some_and(|word| word.starts_with('['));
    let of_queue = ["Workqueue:", "in-flight:", "pending:"].iter().any(|start| text.starts_with(start));
    text.split_once("+0x").is_some_and(in_frame) || (of_queue && text.contains('['))
}

const CUT: &str = "------------[ cut here ]------------";
const END_TRACE: &str = "---[ end trace";

/// The longest report in lines. A report that never ends is cut here.
const LONGEST: usize = 250;

/// One report of the kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// The most severe kind that it names.
    pub kind: Kind,
    /// The first line that says what happened.
    pub title: String,
    /// All its lines.
    pub lines: Vec<Line>,
}

impl Incident {
    /// Returns whether a machine that its host starves makes such a report by itself, and no module is involved in this
    /// one. If a driver keeps a processor or a task waiting, the driver is in the call trace.
    pub(crate) fn is_of_a_starved_machine(&self) -> bool {
        let by_starving = self.kind == Kind::Stall || self.lines.iter().any(|line| is_by_starving(&line.text));
        by_starving && !self.lines.iter().any(|line| names_module(line.text.trim()))
    }

    /// Returns whether it only gives the number of blocks that a scan for leaks has listed.
    pub(crate) fn counts_leaks(&self) -> bool {
        self.kind == Kind::Leak && self.title.contains("new suspected memory leaks")
    }
}

/// Returns all incidents in a log.
pub fn find(log: &[Line]) -> Vec<Incident> {
    let mut finder = Finder::default();
    for line in log {
        finder.take(line);
    }
    finder.close();
    finder.found
}

#[derive(Default)]
struct Finder {
    open: Option<Open>,
    found: Vec<Incident>,
}

/// A report whose end has not been read yet.
#[derive(Default)]
struct Open {
    kind: Option<Kind>,
    lines: Vec<Line>,
    /// Whether a call trace was printed.
    traced: bool,
    /// Whether the report ends with [`END_TRACE`].
    wants_end: bool,
    /// Whether the report is KASAN's or KCSAN's, which continues after a trace and ends with a line of its own.
    wants_rule: bool,
    /// Whether the report is about a data race.
    is_race: bool,
}

impl Finder {
    fn take(&mut self, line: &Line) {
        let text = line.text.trim();
        let kind = opening(text);
        let cut = text == CUT;
        let fresh = self.open.as_ref().is_none_or(|open| open.traced && !open.wants_end && !open.wants_rule);
        if (cut || kind.is_some()) && fresh {
            self.close();
            self.open = Some(Open::default());
        }
        let Some(open) = &mut self.open else { return };
        open.kind = open.kind.or(kind);
        open.traced |= text == "Call Trace:";
        open.is_race |= text.starts_with(RACE);
        open.wants_rule |= open.is_race || text.starts_with(kasan::OPENING);
        open.wants_end |= cut || text.starts_with("Oops: ");
        open.lines.push(line.clone());
        let ends = text.starts_with(END_TRACE)
            || (text == "</TASK>" && !open.wants_end && !open.wants_rule)
            || (open.wants_rule && text == kasan::CLOSING)
            || (kind.is_some_and(Kind::is_one_line) && open.lines.len() == 1);
        if ends || open.lines.len() > LONGEST {
            self.close();
        }
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        if open.is_race && !kcsan::is_of_module(&open.lines) {
            return;
        }
        let title = title(&open.lines);
        let kind = open.kind.unwrap_or(Kind::Warning);
        self.found.push(Incident { kind, title, lines: open.lines });
    }
}

fn title(lines: &[Line]) -> String {
    let telling = lines.iter().map(|line| line.text.trim()).find(|text| opening(text).is_some());
    let telling = telling.or_else(|| lines.iter().map(|line| line.text.trim()).find(|text| *text != CUT));
    telling.unwrap_or_default().to_owned()
}

/// The important lines of a report, in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// The kernel's description of what happened.
    pub says: Vec<String>,
    /// The processor and process, as the kernel prints them.
    pub who: Option<String>,
    /// The place of the processor.
    pub at: Option<Frame>,
    /// Its callers, innermost first, without the frames that the kernel marks as doubtful.
    pub trace: Vec<Frame>,
    /// If the place is in an interrupt, the place and the callers of the task that it interrupted, innermost first.
    pub interrupted: Vec<Frame>,
}

/// The part of a report that a line belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Words,
    Trace,
    /// Behind the trace of an interrupt.
    Interrupt,
    Interrupted,
}

impl Incident {
    /// Splits the report into its parts.
    pub(crate) fn digest(&self) -> Digest {
        let mut digest = Digest::default();
        let mut part = Part::Words;
        for text in self.lines.iter().map(|line| line.text.trim()) {
            match text {
                "Call Trace:" => part = Part::Trace,
                "</IRQ>" => part = Part::Interrupt,
                "<TASK>" if part == Part::Interrupt => part = Part::Interrupted,
                "</TASK>" => part = Part::Words,
                "<TASK>" | "<IRQ>" => {}
                _ if text.starts_with("RIP: 0010:") => {
                    let frame = text.strip_prefix("RIP: 0010:").and_then(Frame::parse);
                    match part {
                        Part::Interrupted => digest.interrupted.extend(frame),
                        _ => digest.at = digest.at.take().or(frame),
                    }
                }
                // From here on, the trace is of the program in user space.
                _ if text.starts_with("RIP: ") => part = Part::Words,
                _ if part == Part::Trace => digest.trace.extend(Frame::parse(text)),
                _ if part == Part::Interrupted => digest.interrupted.extend(Frame::parse(text)),
                _ if text.starts_with("CPU: ") => {
                    digest.who.get_or_insert_with(|| who(text));
                }
                _ if digest.who.is_none() && tells(text) => digest.says.push(text.to_owned()),
                _ => {}
            }
        }
        digest
    }
}

/// Shortens `CPU: 0 UID: 0 PID: 100 Comm: init Tainted: G …` by the parts that are the same in every report.
fn who(text: &str) -> String {
    let mut words = text.split_whitespace();
    let mut after = |key: &str| words.find(|word| *word == key).and_then(|_| words.next());
    let cpu = after("CPU:").unwrap_or("?").to_owned();
    let pid = after("PID:").unwrap_or("?").to_owned();
    let name = after("Comm:").unwrap_or("?");
    format!("in process `{name}` ({pid}) on processor {cpu}")
}

fn tells(text: &str) -> bool {
    let noise = [CUT, "** replaying previous", "Modules linked in", "#PF:", "PGD ", "Tainted:", "Hardware name"];
    !text.is_empty() && !noise.iter().any(|noise| text.starts_with(noise))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str) -> Vec<Line> {
        text.lines().map(Line::parse).collect()
    }

    fn only(text: &str) -> Incident {
        let mut found = find(&log(text));
        assert_eq!(found.len(), 1, "{:?}", found.iter().map(|i| &i.title).collect::<Vec<_>>());
        found.remove(0)
    }

    fn names(digest: &Digest) -> Vec<&str> {
        digest.trace.iter().map(|frame| frame.symbol.as_str()).collect()
    }

    #[test]
    fn a_warning_gives_its_message_its_place_and_its_callers() {
        let incident = only(include_str!("testdata/c-warning.log"));
        assert_eq!(incident.kind, Kind::Warning);
        let digest = incident.digest();
        assert_eq!(digest.says[0], "a wrong size 7");
        assert_eq!(digest.who.as_deref(), Some("in process `init` (100) on processor 0"));
        assert_eq!(digest.at.as_ref().unwrap().symbol, "provoke_warning");
        assert_eq!(names(&digest)[..3], ["enter", "do_one_initcall", "do_init_module"]);
    }

    #[test]
    fn an_oops_is_one_incident_although_its_registers_are_printed_twice() {
        let incident = only(include_str!("testdata/c-null.log"));
        assert_eq!(incident.kind, Kind::Oops);
        assert_eq!(incident.title, "BUG: kernel NULL pointer dereference, address: 0000000000000018");
        assert_eq!(incident.digest().at.unwrap().module.as_deref(), Some("oops_c"));
    }

    #[test]
    fn a_failed_assertion_names_its_line_even_if_the_log_stutters() {
        let incident = only(include_str!("testdata/c-bug.log"));
        assert_eq!((incident.kind, incident.title.as_str()), (Kind::Oops, "kernel BUG at oops_c.c:12!"));
    }

    #[test]
    fn a_wrong_reference_count_is_a_warning_with_its_reason() {
        let incident = only(include_str!("testdata/c-refcount.log"));
        assert_eq!(incident.digest().says[0], "refcount_t: decrement hit 0; leaking memory.");
    }

    #[test]
    fn sleeping_with_a_lock_is_one_incident_and_what_it_breaks_another() {
        let found = find(&log(include_str!("testdata/c-sleep.log")));
        let kinds: Vec<_> = found.iter().map(|incident| incident.kind).collect();
        assert_eq!(kinds, [Kind::Locking, Kind::Warning]);
        assert_eq!(found[0].digest().trace.iter().filter(|f| f.module.is_some()).count(), 2);
    }

    #[test]
    fn other_faults_of_c_are_oopses() {
        for text in [include_str!("testdata/c-gpf.log"), include_str!("testdata/c-list.log")] {
            assert_eq!(only(text).kind, Kind::Oops);
        }
    }

    #[test]
    fn a_rust_warning_names_the_demangled_function() {
        let digest = only(include_str!("testdata/rust-warning.log")).digest();
        let at = digest.at.unwrap();
        assert_eq!(at.readable(), "<oops_rust::Oops as kernel::module::Module>::init");
    }

    #[test]
    fn a_rust_panic_is_told_by_its_own_message_and_not_by_the_bug_it_ends_in() {
        let incident = only(include_str!("testdata/rust-panic.log"));
        assert_eq!(incident.kind, Kind::RustPanic);
        let says = incident.digest().says;
        assert_eq!(says[1], "index out of bounds: the len is 3 but the index is 7");
    }

    /// Returns a KCSAN report in which `frame` is one of the readers.
    fn race(frame: &str) -> String {
        let rule = kasan::CLOSING;
        format!(
            "{rule}\nBUG: KCSAN: data-race in reader / writer\n\nwrite to 0xffff888008a2d010 of 4 bytes by task 77 on cpu 1:\n \
             writer+0x2c/0x60\n __x64_sys_ioctl+0x93/0xd0\n\nno locks held by task/77.\n\nread to 0xffff888008a2d010 of 4 bytes by \
             task 78 on cpu 0:\n {frame}\n __x64_sys_ioctl+0x93/0xd0\n\nvalue changed: 0x00000001 -> 0x00000002\n\nReported by \
             Kernel Concurrency Sanitizer on:\nCPU: 0 UID: 0 PID: 78 Comm: task\nHardware name: QEMU\n{rule}\n"
        )
    }

    #[test]
    fn a_data_race_counts_if_a_module_takes_part_in_it() {
        let text = race("reader+0x11/0x40") + &race("reader+0x11/0x40 [drm]") + &race("reader+0x11/0x40");
        let incident = only(&text);
        assert_eq!(
            (incident.kind, incident.title.as_str()),
            (Kind::Sanitizer, "BUG: KCSAN: data-race in reader / writer")
        );
        assert!(incident.lines.iter().any(|line| line.text.contains("[drm]")));
    }

    /// Modelled on the report of a guest beside twelve busy loops.
    const LATE_TIMER: &str = include_str!("testdata/starved-hrtimer.log");

    #[test]
    fn what_a_starved_machine_reports_by_itself_is_told_apart() {
        assert!(only(LATE_TIMER).is_of_a_starved_machine());
        let stall = include_str!("testdata/starved-lockup.log");
        let found = find(&log(stall));
        assert_eq!(found.iter().map(|incident| incident.kind).collect::<Vec<_>>(), [Kind::Stall, Kind::Panic]);
        assert!(found.iter().all(Incident::is_of_a_starved_machine));
    }

    #[test]
    fn a_module_that_takes_part_makes_it_the_drivers() {
        for line in ["tyr_poll+0x1c/0x40 [tyr]", "? drm_dev_unplug+0x1c/0x40 [drm]"] {
            let stall =
                include_str!("testdata/starved-lockup.log").replace("smp_call_function_many_cond+0x114/0x4f0", line);
            assert!(!find(&log(&stall))[0].is_of_a_starved_machine(), "{line}");
        }
        let queue = "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 41s!\n";
        assert!(only(queue).is_of_a_starved_machine());
        assert!(!only(&format!("{queue}    in-flight: 33:fence_work [tyr]\n")).is_of_a_starved_machine());
    }

    #[test]
    fn other_reports_are_never_the_hosts() {
        let texts = [
            include_str!("testdata/c-warning.log"),
            include_str!("testdata/c-null.log"),
            include_str!("testdata/kasan-wild.log"),
            include_str!("testdata/rust-panic.log"),
            "WARNING: lib/refcount.c:28 at refcount_warn_saturate+0xba/0x110, CPU#0: kworker/0:1/11\n",
            "Kernel panic - not syncing: Fatal exception in interrupt\nBUG: bad\n",
        ];
        for text in texts {
            assert!(!find(&log(text)).iter().any(Incident::is_of_a_starved_machine), "{text}");
        }
    }

    #[test]
    fn an_ordinary_boot_has_no_incident() {
        let text = "[    0.1] tsc: Unable to calibrate against PIT\n\
                    [    1.2] oops_c: loading out-of-tree module taints kernel.\n\
                    [    1.3] clocksource: Watchdog remote CPU 1 read timed out\n\
                    [    1.4] kmemleak: Kernel memory leak detector initialized (mem pool available: 3)\n";
        assert_eq!(find(&log(text)), []);
    }

    #[test]
    fn a_stall_and_a_leak_are_incidents_of_one_line() {
        let text = "[  130.0] INFO: task client:42 blocked for more than 122 seconds.\n";
        assert_eq!(only(text).kind, Kind::Stall);
        let text = "[  131.0] kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)\n";
        assert_eq!(only(text).kind, Kind::Leak);
    }
}
