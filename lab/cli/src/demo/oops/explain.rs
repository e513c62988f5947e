// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Explains the parts of the report, with the numbers in them.

use drydock_machine::kasan::Report;
use drydock_machine::symbols::Frame;

use super::Explained;

/// A function that returns a frame's name and line.
pub(super) type Name<'n> = dyn Fn(&Frame) -> String + 'n;

/// Explains the report, part by part.
pub(super) fn explain(report: &Report, name: &Name<'_>) -> Vec<Explained> {
    let part = |lines: Vec<String>, meaning: String| Explained { lines, meaning };
    let frames = |frames: &[Frame]| frames.iter().map(name).collect::<Vec<_>>();
    let mut parts = vec![
        part(vec![report.title.clone()], title(report)),
        part(vec![report.access.clone()], access(report)),
        part(
            frames(ours(&report.trace)),
            "The call path, innermost first: our module called C's allocator for devices, which \
              initialises the memory as a device."
                .to_owned(),
        ),
        part(
            frames(ours(&report.allocated)),
            "The allocation of that memory: the same call. It was given the size of the wrapper, \
              which is a pointer to the device and not the device."
                .to_owned(),
        ),
        part(report.object.clone(), object(report)),
        part(
            report.shadow.clone(),
            "Shadow memory: each byte describes eight bytes of memory. 00: all eight may be used. fc: a \
              border between objects, which no code may access; fa and fb: a freed object. The mark is \
              below the byte for the written address."
                .to_owned(),
        ),
    ];
    parts.retain(|part| !part.lines.is_empty());
    parts
}

/// Returns the frames up to the module's own code. Those below load any module.
fn ours(frames: &[Frame]) -> &[Frame] {
    let last = frames.iter().rposition(|frame| frame.module.as_deref() == Some(super::MODULE));
    &frames[..last.map_or(frames.len(), |last| last + 1)]
}

fn title(report: &Report) -> String {
    let function =
        report.trace.first().map_or("an unknown function".to_owned(), |frame| format!("`{}`", frame.readable()));
    format!(
        "KASAN stopped the kernel at the first bad access, in {function}. Without KASAN the write succeeds and \
         corrupts the memory behind the allocation, so the oops comes later and elsewhere: on the board of the review it came \
         in `drm_gem_init`."
    )
}

fn access(report: &Report) -> String {
    let doing = if report.access.starts_with("Write") { "written" } else { "read" };
    format!("How much was {doing}, where, and by which process: the one that loads the module.")
}

fn object(report: &Report) -> String {
    match report.allocated_bytes() {
        Some(bytes) => format!(
            "The memory is {bytes} bytes long, as large as the wrapper. `struct drm_device` has some two thousand bytes, so \
             everything from byte {bytes} on is in memory that belongs to others."
        ),
        None => "The owner of the memory.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drydock_machine::console::Line;

    #[test]
    fn every_part_of_the_report_has_its_meaning() {
        let log: Vec<Line> =
            include_str!("../../../../machine/src/testdata/kasan-oops.log").lines().map(Line::parse).collect();
        let name = |frame: &Frame| frame.readable();
        let parts = explain(&Report::find(&log).unwrap(), &name);
        let shown: Vec<_> =
            parts.iter().map(|part| format!("{}\n    {}", part.lines.join("\n"), part.meaning)).collect();
        insta::assert_snapshot!(shown.join("\n\n"));
    }
}
