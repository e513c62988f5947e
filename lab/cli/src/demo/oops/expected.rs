// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The report that the module's mistake must cause. The explanations hold for no other report, so no other is accepted.
//!
//! Source: `drm_dev_init()` and `__drm_dev_alloc()` in drivers/gpu/drm/drm_drv.c; mm/kasan/report.c for the wording.

use drydock_base::error::{Error, Kind, Result};
use drydock_machine::console::Line;
use drydock_machine::kasan::Report;
use drydock_machine::symbols::Frame;

use super::MODULE;

/// The kind of fault: a write to memory behind the allocation.
const FAULT: &str = "slab-out-of-bounds";
/// The function that writes: C takes the allocation for a device and initialises it.
const WRITER: &str = "drm_dev_init";
/// The function that allocates and then calls the writer.
const ALLOCATOR: &str = "__drm_dev_alloc";
/// The size that the allocator is given in bytes: that of the wrapper, which is a pointer.
const BYTES: u64 = 8;
/// The number of lines of the log's end in an error.
const SHOWN: usize = 30;

/// Returns the report in the kernel's log. Fails if there is none, or if the first one is different.
pub(super) fn find(log: &[Line]) -> Result<Report> {
    let Some(report) = Report::find(log) else {
        let end = log[log.len().saturating_sub(SHOWN)..].iter().map(ToString::to_string);
        return Err(Error::new(Kind::Check, "the kernel did not report the write beyond the allocation").details(end));
    };
    let wrong = differences(&report);
    match wrong.is_empty() {
        true => Ok(report),
        false => {
            let message =
                format!("the kernel reported something other than the write beyond the allocation: {}", report.title);
            Err(Error::new(Kind::Check, message).details(wrong).details(frames(&report.trace)))
        }
    }
}

/// Lists how a report differs from the expected one.
fn differences(report: &Report) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut expect = |holds: bool, otherwise: &str| wrong.extend((!holds).then(|| otherwise.to_owned()));
    let fault = report.fault();
    let (kind, place) = fault.as_ref().map_or(("", ""), |(kind, place)| (*kind, place.symbol.as_str()));
    expect(kind == FAULT, &format!("the fault is `{kind}`, not `{FAULT}`"));
    expect(place == WRITER, &format!("it is in `{place}`, not in `{WRITER}`"));
    expect(report.access.starts_with("Write of size"), &format!("it is not a write: {}", report.access));
    for (what, stack) in [("the access", &report.trace), ("the allocation", &report.allocated)] {
        let called = stack.iter().any(|frame| frame.symbol == ALLOCATOR);
        expect(called, &format!("`{ALLOCATOR}` is not in the stack of {what}"));
        let ours = stack.iter().any(|frame| frame.module.as_deref() == Some(MODULE));
        expect(ours, &format!("the module `{MODULE}` is not in the stack of {what}"));
    }
    let bytes = report.allocated_bytes().map_or("an unknown number of".to_owned(), |bytes| bytes.to_string());
    expect(report.allocated_bytes() == Some(BYTES), &format!("{bytes} bytes were allocated, not {BYTES}"));
    wrong
}

fn frames(trace: &[Frame]) -> impl Iterator<Item = String> {
    trace.iter().map(|frame| format!("  from {}", frame.readable()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: &str = include_str!("../../../../machine/src/testdata/kasan-oops.log");

    fn found(text: &str) -> Result<Report> {
        find(&text.lines().map(Line::parse).collect::<Vec<_>>())
    }

    #[test]
    fn the_report_of_the_mistake_is_accepted() {
        assert_eq!(found(EXPECTED).unwrap().allocated_bytes(), Some(BYTES));
    }

    #[test]
    fn a_report_of_another_fault_is_refused_with_all_that_is_wrong() {
        let error = found(include_str!("../../../../machine/src/testdata/kasan-wild.log")).unwrap_err();
        assert_eq!(error.kind(), Kind::Check);
        insta::assert_snapshot!(format!("{error}\n{}", error.detail_lines().join("\n")));
    }

    #[test]
    fn each_part_of_the_report_has_to_be_right() {
        for (right, wrong, said) in [
            (
                "slab-out-of-bounds",
                "slab-use-after-free",
                "the fault is `slab-use-after-free`, not `slab-out-of-bounds`",
            ),
            ("in drm_dev_init+", "in drm_gem_init+", "it is in `drm_gem_init`, not in `drm_dev_init`"),
            ("Write of", "Read of", "it is not a write: Read of size 8 at addr ffff88800ad66a88 by task init/47"),
            ("__drm_dev_alloc+0x3a", "drm_dev_alloc+0x3a", "`__drm_dev_alloc` is not in the stack of the access"),
            ("__drm_dev_alloc+0x21", "drm_dev_alloc+0x21", "`__drm_dev_alloc` is not in the stack of the allocation"),
            ("8-byte region", "2048-byte region", "2048 bytes were allocated, not 8"),
        ] {
            assert!(EXPECTED.contains(right), "{right}");
            assert_eq!(found(&EXPECTED.replace(right, wrong)).unwrap_err().detail_lines()[0], said);
        }
        let elsewhere = found(&EXPECTED.replace("[oops]", "[vgem_rust]")).unwrap_err();
        assert_eq!(elsewhere.detail_lines()[0], "the module `oops` is not in the stack of the access");
        assert_eq!(elsewhere.detail_lines()[1], "the module `oops` is not in the stack of the allocation");
    }

    #[test]
    fn only_the_first_report_counts() {
        let other = include_str!("../../../../machine/src/testdata/kasan-wild.log");
        assert!(found(&format!("{other}{EXPECTED}")).is_err());
        assert!(found(&format!("{EXPECTED}{other}")).is_ok());
    }

    #[test]
    fn a_log_without_a_report_is_shown_to_its_end() {
        let error = found(&"[    1.0] oops: nothing\n".repeat(40)).unwrap_err();
        assert_eq!((error.kind(), error.detail_lines().len()), (Kind::Check, SHOWN));
    }
}
