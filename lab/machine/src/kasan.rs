// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A KASAN report in its parts: the access, its call path, the owner of the memory, and the memory's size.
//!
//! Source: mm/kasan/report.c and mm/kasan/report_generic.c of Linux 7.3 for the wording;
//! Documentation/dev-tools/kasan.rst for the meaning of the bytes of shadow memory.

use super::{console::Line, symbols::Frame};

/// The first line of a report, after the line of equals signs.
pub(crate) const OPENING: &str = "BUG: KASAN: ";
/// The last line of a report.
pub(crate) const CLOSING: &str = "==================================================================";

/// A KASAN report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Its first line: the kind of fault and the function.
    pub title: String,
    /// The access: `Write of size 8 at addr ffff888005c3d1c8 by task init/56`.
    pub access: String,
    /// The call path of the access, innermost first, without KASAN's own frames.
    pub trace: Vec<Frame>,
    /// The call path of the allocation, innermost first, without the allocator's own frames.
    pub allocated: Vec<Frame>,
    /// The lines between the stacks and the pages, which locate the address in an object.
    pub object: Vec<String>,
    /// The shadow memory around it, with the mark below.
    pub shadow: Vec<String>,
}

/// The part of the report that a line is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Head,
    Trace,
    Allocated,
    Object,
    Other,
    Shadow,
}

impl Report {
    /// Returns the first report of a log.
    pub fn find(log: &[Line]) -> Option<Self> {
        let mut texts = log.iter().map(|line| line.text.trim_end()).skip_while(|text| !text.contains(OPENING));
        let mut report = Self { title: texts.next()?.trim().to_owned(), ..Self::default() };
        let mut part = Part::Head;
        for text in texts.take_while(|text| *text != CLOSING) {
            part = next(part, text.trim());
            report.take(part, text);
        }
        report.trace.retain(|frame| !is_reporter(&frame.symbol));
        report.allocated.retain(|frame| !is_allocator(&frame.symbol));
        Some(report)
    }

    fn take(&mut self, part: Part, text: &str) {
        let words = text.trim();
        match part {
            Part::Head if is_access(words) => self.access = words.to_owned(),
            Part::Trace => self.trace.extend(Frame::parse(words)),
            Part::Allocated => self.allocated.extend(Frame::parse(words)),
            Part::Object if !words.is_empty() => self.object.push(words.to_owned()),
            Part::Shadow if !words.is_empty() => self.shadow.push(text.to_owned()),
            _ => {}
        }
    }

    /// Returns the kind of fault and the function: `BUG: KASAN: KIND in FUNCTION`.
    pub fn fault(&self) -> Option<(&str, Frame)> {
        let (_, fault) = self.title.split_once(OPENING)?;
        let (kind, place) = fault.split_once(" in ")?;
        Some((kind, Frame::parse(place)?))
    }

    /// Returns the number of allocated bytes, if the report has it: `allocated 8-byte region [`.
    pub fn allocated_bytes(&self) -> Option<u64> {
        let line = self.object.iter().find(|line| line.contains("-byte region ["))?;
        line.split("-byte region").next()?.rsplit(' ').next()?.parse().ok()
    }
}

fn next(part: Part, text: &str) -> Part {
    match text {
        "Call Trace:" => Part::Trace,
        "</TASK>" => Part::Other,
        _ if text.starts_with("Allocated by task") => Part::Allocated,
        _ if text.starts_with("Freed by task") || text.starts_with("Last potentially related") => Part::Other,
        _ if text.starts_with("The buggy address belongs to the object") => Part::Object,
        _ if text.starts_with("The buggy address belongs to the") => Part::Other,
        _ if text.starts_with("Memory state around") => Part::Shadow,
        _ if part == Part::Allocated && text.is_empty() => Part::Other,
        _ => part,
    }
}

fn is_access(text: &str) -> bool {
    text.starts_with("Write of size") || text.starts_with("Read of size") || text.starts_with("Free of addr")
}

fn is_reporter(symbol: &str) -> bool {
    ["dump_stack", "print_report", "print_address", "kasan_", "__kasan_", "__asan_", "check_region", "show_stack"]
        .iter()
        .any(|name| symbol.starts_with(name))
}

fn is_allocator(symbol: &str) -> bool {
    ["kasan_", "__kasan_", "poison_", "stack_trace_save", "__kmalloc", "kmem_cache_alloc"]
        .iter()
        .any(|name| symbol.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str) -> Report {
        let log: Vec<Line> = text.lines().map(Line::parse).collect();
        Report::find(&log).unwrap()
    }

    fn names(frames: &[Frame]) -> Vec<String> {
        frames.iter().map(Frame::readable).collect()
    }

    #[test]
    fn a_report_is_taken_apart_without_what_the_panic_behind_it_repeats() {
        let report = report(include_str!("testdata/kasan-oops.log"));
        assert_eq!(report.access, "Write of size 8 at addr ffff88800ad66a88 by task init/47");
        let init = "<oops::Oops as kernel::module::Module>::init";
        assert_eq!(names(&report.trace)[..4], ["drm_dev_init", "__drm_dev_alloc", init, "do_one_initcall"]);
        assert_eq!(names(&report.allocated)[..3], ["__drm_dev_alloc", init, "do_one_initcall"]);
        assert_eq!([report.trace.len(), report.allocated.len()], [10, 9]);
        assert_eq!(report.allocated_bytes(), Some(8));
        insta::assert_snapshot!(report.object.iter().chain(&report.shadow).cloned().collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn the_title_says_which_fault_and_where() {
        let report = report(include_str!("testdata/kasan-oops.log"));
        let (kind, place) = report.fault().unwrap();
        assert_eq!((kind, place.symbol.as_str()), ("slab-out-of-bounds", "drm_dev_init"));
        assert_eq!(place.module.as_deref(), Some("drm"));
        assert_eq!(Report::default().fault(), None);
    }

    #[test]
    fn an_access_to_memory_of_nobody_in_an_interrupt_has_only_its_way_there() {
        let report = report(include_str!("testdata/kasan-wild.log"));
        assert_eq!(report.fault().unwrap().0, "wild-memory-access");
        assert_eq!(names(&report.trace)[..2], ["do_raw_spin_lock", "_raw_spin_lock_irqsave"]);
        assert_eq!(report.trace.last().unwrap().symbol, "common_startup_64");
        assert_eq!((report.allocated.len(), report.object.len(), report.allocated_bytes()), (0, 0, None));
    }

    #[test]
    fn another_report_is_none() {
        let log: Vec<Line> = include_str!("testdata/c-null.log").lines().map(Line::parse).collect();
        assert_eq!(Report::find(&log), None);
    }
}
