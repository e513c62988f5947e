// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The one table of what a kernel report looks like: how a line of the kernel's log begins that says something is
//! wrong, and what kind of report follows.
//!
//! The table is in this crate because the lab needs it as well as the guest's programs, and this crate depends on nothing.
//!
//! Source: lib/bug.c, lib/refcount.c, lib/list_debug.c, lib/ubsan.c, lib/debugobjects.c, kernel/panic.c,
//! kernel/dma/debug.c, kernel/locking/lockdep.c, kernel/kcsan/report.c, mm/kasan/report.c, mm/kmemleak.c,
//! mm/oom_kill.c, fs/sysfs/dir.c and arch/x86/kernel/dumpstack.c of Linux 7.3 for the wording.

/// The kind of a report, in order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `WARN` and similar reports, after which the kernel continues.
    Warning,
    /// A lock was taken in a way that can deadlock.
    Locking,
    /// A checker of memory or arithmetic found a fault.
    Sanitizer,
    /// Memory without any reference to it.
    Leak,
    /// A process was killed because the machine has no memory left.
    OutOfMemory,
    /// A processor or a task makes no progress.
    Stall,
    /// A Rust panic. The reports that follow are its consequences.
    RustPanic,
    /// The kernel did something invalid: a bad access, a failed assertion.
    Oops,
    /// The kernel stopped.
    Panic,
}

impl Kind {
    /// Whether the report is a single line.
    pub const fn is_one_line(self) -> bool {
        matches!(self, Self::Leak | Self::OutOfMemory)
    }
}

/// The first line of a data race's report. Only the lines below it tell whether a module takes part in the race.
pub const RACE: &str = "BUG: KCSAN: ";

/// Beginnings of lines that open a report. The first match decides the kind.
const OPENINGS: &[(&str, Kind)] = &[
    ("rust_kernel: panicked at", Kind::RustPanic),
    ("Kernel panic - not syncing", Kind::Panic),
    ("BUG: KASAN", Kind::Sanitizer),
    ("BUG: KFENCE", Kind::Sanitizer),
    ("BUG: KCSAN", Kind::Sanitizer),
    ("KASAN: ", Kind::Sanitizer),
    ("UBSAN:", Kind::Sanitizer),
    ("BUG: sleeping function called from invalid context", Kind::Locking),
    ("BUG: scheduling while atomic", Kind::Locking),
    ("BUG: workqueue leaked", Kind::Locking),
    ("BUG: workqueue lockup", Kind::Stall),
    ("BUG: soft lockup", Kind::Stall),
    ("WARNING: possible circular locking", Kind::Locking),
    ("WARNING: possible recursive locking", Kind::Locking),
    ("WARNING: possible irq lock inversion", Kind::Locking),
    ("WARNING: inconsistent lock state", Kind::Locking),
    ("WARNING: bad unlock balance", Kind::Locking),
    ("WARNING: lock held", Kind::Locking),
    ("WARNING: suspicious RCU usage", Kind::Locking),
    ("WARNING: Nested lock was not taken", Kind::Locking),
    ("INFO: trying to register non-static key", Kind::Locking),
    ("INFO: task ", Kind::Stall),
    ("rcu: INFO:", Kind::Stall),
    ("watchdog: Watchdog detected hard LOCKUP", Kind::Stall),
    ("kmemleak: ", Kind::Leak),
    ("Out of memory: ", Kind::OutOfMemory),
    ("BUG kmalloc", Kind::Sanitizer),
    ("BUG:", Kind::Oops),
    ("kernel BUG at", Kind::Oops),
    ("Oops", Kind::Oops),
    ("general protection fault", Kind::Oops),
    ("list_add corruption", Kind::Oops),
    ("list_del corruption", Kind::Oops),
    ("WARNING:", Kind::Warning),
    ("refcount_t:", Kind::Warning),
    ("ODEBUG: ", Kind::Warning),
    ("DMA-API: ", Kind::Warning),
    ("sysfs: cannot create", Kind::Warning),
];

/// Lines that look like the start of a report but are harmless.
const HARMLESS: &[&str] = &[
    // A note that a block is scanned as a whole instead of in part, because a test made the allocation fail.
    "kmemleak: Cannot allocate a scan area",
    // Printed at every boot of a kernel with kmemleak.
    "kmemleak: Kernel memory leak detector initialized",
    "kmemleak: Automatic memory scanning thread started",
    // Printed at every boot of a kernel that checks the use of DMA, and when its pool of entries grows.
    "DMA-API: preallocated",
    "DMA-API: debugging enabled",
    "DMA-API: dma_debug_entry pool grown",
    // The consequence of `oops=panic`. The oops itself was reported.
    "Kernel panic - not syncing: Fatal exception",
];

/// Parts of reports, other than stalls, that a machine makes when its host starves it.
const BY_STARVING: &[&str] = &[
    // A timer is late by more than its period.
    "hrtimer_forward",
    // The consequence of a soft lockup.
    "Kernel panic - not syncing: softlockup: hung tasks",
    // The emulated timer did not tick while the kernel counted up to a limit.
    "IO-APIC + timer doesn't work!",
    // The kernel's self-tests of its ciphers, which start during boot and may end when drivers are loaded.
    "Comm: cryptomgr_test",
    ": cryptomgr_test/",
];

/// Returns the kind of the report that a line of the log opens.
pub fn opening(line: &str) -> Option<Kind> {
    let line = line.trim();
    if HARMLESS.iter().any(|harmless| line.starts_with(harmless)) {
        return None;
    }
    let found = |text: &str| OPENINGS.iter().find(|(opening, _)| text.starts_with(opening)).map(|(_, kind)| *kind);
    let kind = found(line).or_else(|| found(without_subsystem(line)?))?;
    // `INFO: task ` also begins notes about tasks that are not stuck.
    (kind != Kind::Stall || !line.starts_with("INFO: task ") || line.contains("blocked")).then_some(kind)
}

/// Returns a bug's message without the subsystem's name that some have in front: `watchdog: BUG: soft lockup`. A warning with
/// a name in front is advice, such as `RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable`.
fn without_subsystem(line: &str) -> Option<&str> {
    let (name, rest) = line.split_once(": ")?;
    (!name.contains(char::is_whitespace) && rest.starts_with("BUG: ")).then_some(rest)
}

/// Whether a line of a report says that it may be the fault of a host that starves the machine.
pub fn is_by_starving(line: &str) -> bool {
    BY_STARVING.iter().any(|part| line.contains(part))
}

/// Returns the kind of the report that a line opens, if the call that was just made is to blame for it.
///
/// A leak is from some time before. A stall may be the host's fault, and a race that of code that is not ours: the lab
/// reads the lines below the first.
pub fn opening_by_the_last_call(line: &str) -> Option<Kind> {
    let kind = opening(line)?;
    let later = matches!(kind, Kind::Leak | Kind::Stall) || line.contains(RACE) || is_by_starving(line);
    (!later).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_of_the_former_table_of_the_tests_are_known() {
        for (line, kind) in [
            ("WARNING: CPU: 1 PID: 7 at drm_gem.c:1", Kind::Warning),
            ("general protection fault, probably for non-canonical address 0xdead000000000100", Kind::Oops),
            ("Oops: general protection fault, probably for non-canonical address: 0000 [#1] SMP", Kind::Oops),
            ("refcount_t: underflow; use-after-free.", Kind::Warning),
            ("UBSAN: array-index-out-of-bounds in drivers/gpu/drm/x.c:3:9", Kind::Sanitizer),
            ("list_add corruption. next->prev should be prev", Kind::Oops),
            ("list_del corruption, ffff888100000000->next is NULL", Kind::Oops),
            ("sysfs: cannot create duplicate filename '/devices/faux/x'", Kind::Warning),
            ("BUG: unable to handle page fault for address: ffffffffc0000000", Kind::Oops),
            ("BUG: scheduling while atomic: x/1/0x00000002", Kind::Locking),
            ("rust_kernel: panicked at drivers/x.rs:1:1:", Kind::RustPanic),
        ] {
            assert_eq!(opening(line), Some(kind), "{line}");
            assert_eq!(opening_by_the_last_call(line), Some(kind), "{line}");
        }
    }

    #[test]
    fn openings_of_the_former_table_of_the_fuzzer_are_known() {
        for (line, kind) in [
            ("KASAN: null-ptr-deref in range [0x0000000000000018-0x000000000000001f]", Kind::Sanitizer),
            ("INFO: task fuzz:42 blocked for more than 122 seconds.", Kind::Stall),
            ("INFO: trying to register non-static key.", Kind::Locking),
            ("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", Kind::Stall),
            ("ODEBUG: free active (active state 0) object: ffff888000000000 object type: work_struct", Kind::Warning),
            ("DMA-API: tyr 0000:00:04.0: device driver frees DMA memory with wrong function", Kind::Warning),
            ("Out of memory: Killed process 61 (drydock-random) total-vm:10000kB", Kind::OutOfMemory),
            ("watchdog: BUG: soft lockup - CPU#1 stuck for 24s! [sh:112]", Kind::Stall),
            ("drm_rust: BUG: odd", Kind::Oops),
        ] {
            assert_eq!(opening(line), Some(kind), "{line}");
        }
    }

    #[test]
    fn openings_of_the_former_table_of_the_lab_are_known() {
        for (line, kind) in [
            ("kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)", Kind::Leak),
            ("Kernel panic - not syncing: stack-protector: x", Kind::Panic),
            ("BUG kmalloc-64 (Tainted: G           O       ): Poison overwritten", Kind::Sanitizer),
            ("BUG: KFENCE: out-of-bounds read in x", Kind::Sanitizer),
            ("watchdog: Watchdog detected hard LOCKUP on cpu 0", Kind::Stall),
            ("WARNING: possible circular locking dependency detected", Kind::Locking),
        ] {
            assert_eq!(opening(line), Some(kind), "{line}");
        }
    }

    #[test]
    fn ordinary_lines_open_nothing() {
        for line in [
            "[drm] Initialized vgem 1.0.0 for vgem on minor 0",
            "vgem vgem: [drm] Unknown color mode 7; guessing buffer size.",
            "tsc: Unable to calibrate against PIT",
            "kmemleak: Kernel memory leak detector initialized (mem pool available: 3)",
            "DMA-API: preallocated 65536 debug entries",
            "DMA-API: debugging enabled by kernel config",
            "Kernel panic - not syncing: Fatal exception in interrupt",
            "INFO: task manager started",
            "RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable to RETBleed attacks, data leaks possible!",
            "a program that says: not a WARNING: at all",
        ] {
            assert_eq!(opening(line), None, "{line}");
        }
    }

    #[test]
    fn the_last_call_is_not_to_blame_for_every_report() {
        for line in [
            "BUG: KCSAN: data-race in do_sys_poll / pollwake",
            "watchdog: BUG: soft lockup - CPU#1 stuck for 24s! [sh:112]",
            "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 41s!",
            "WARNING: kernel/time/hrtimer.c:1058 at hrtimer_forward+0x9a/0xb0, CPU#1: cryptomgr_test/61",
            "kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
        ] {
            assert!(opening(line).is_some(), "{line}");
            assert_eq!(opening_by_the_last_call(line), None, "{line}");
        }
    }
}
