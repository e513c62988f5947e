// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The lab's parsers of data that other programs wrote, for `fuzz/`. Each function treats bytes as the commands do, and
//! checks properties that hold for any input. No input may cause a panic, or take much more time or memory than its
//! size justifies.
//!
//! Source: each parser names the source of its format.

use std::collections::HashMap;

use drydock_agent::frame;
use drydock_agent::protocol::{Event as Said, Request};
use drydock_models::Event;
use drydock_models::command::Answer;

use crate::{bench, demo, fuzz, storm, test};
use drydock_machine::console::Line;
use drydock_machine::symbols::{Frame, Symbols, locate};
use drydock_machine::{gpu, guest, incident, kasan, libraries, lines, payload, scenario, timeline};
use drydock_toolchain::{apt, kernels, kmod, metadata};

/// Parses the kernel's console and a GPU's trace, whose lines begin with a brace, as after a run: incidents, KASAN's
/// report and the timeline, all shown.
pub fn console(bytes: &[u8]) {
    let (told, log): (Vec<&[u8]>, Vec<&[u8]>) =
        bytes.split_inclusive(|byte| *byte == b'\n').partition(|line| line.starts_with(b"{"));
    let log: Vec<Line> = log.into_iter().enumerate().map(|(at, raw)| line(raw, at)).collect();
    let symbols = Symbols::new(HashMap::new(), &|_| None);
    let incidents = incident::find(&log);
    assert!(incidents.iter().map(|incident| incident.lines.len()).sum::<usize>() <= log.len(), "each line is in one");
    for incident in &incidents {
        let shown = scenario::verdict::show(incident, &symbols);
        assert!(!shown.is_empty(), "an incident has something to say");
    }
    if let Some(report) = kasan::Report::find(&log) {
        report.fault();
        report.allocated_bytes();
        report.trace.iter().chain(&report.allocated).for_each(|frame| drop(symbols.describe(frame, true)));
    }
    let texts: Vec<String> = log.iter().map(|line| line.text.clone()).collect();
    let (first, second) = texts.split_at(texts.len() / 2);
    scenario::verdict::show_leaks(&scenario::leaks::together(first.to_vec(), second.to_vec()), &symbols);
    merge(&log, &told);
}

/// Returns a line that arrives a millisecond after the previous one.
fn line(raw: &[u8], at: usize) -> Line {
    let parsed = Line::parse(&String::from_utf8_lossy(raw));
    Line { heard: at as f64 / 1000.0, ..parsed }
}

/// Merges kernel and GPU into one timeline, as a demo shows it.
fn merge(log: &[Line], told: &[&[u8]]) {
    let events: Vec<Event> = told.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let answers = told.iter().filter_map(|line| serde_json::from_slice::<Answer>(line).ok());
    answers.for_each(|answer| drop(format!("{answer:?}")));
    gpu::violations(&events);
    let entries = timeline::merge(log, &timeline::since(&events, 0.0), log);
    assert!(entries.is_sorted_by(|one, other| one.time.total_cmp(&other.time).is_le()), "a timeline is in order");
    demo::summary::lines(&entries);
    demo::summary::registers(&entries, |_| "registers");
}

/// Parses messages from the agent and messages to it. A message that parses must serialize to the same one.
pub fn agent(bytes: &[u8]) {
    let mut port = bytes;
    while let Ok(Some(event)) = frame::read::<Said>(&mut port) {
        if let Said::Exited { status, .. } = &event {
            assert_eq!(status.shell_code() == 0, status.success(), "only success is 0: {status}");
        }
        let mut again = Vec::new();
        frame::write(&mut again, &event).expect("what fitted a frame fits one");
        assert_eq!(frame::read(&mut again.as_slice()).expect("it was just written"), Some(event));
    }
    let mut port = bytes;
    while let Ok(Some(request)) = frame::read::<Request>(&mut port) {
        drop(format!("{request:?}"));
    }
}

/// Parses a module, a program, a kernel's image or an object of the kernel's build.
pub fn binary(bytes: &[u8]) {
    // Their content matters only to the code that loads the file. Anything else is refused.
    let _ = kmod::depends(bytes);
    let _ = kmod::modinfo(bytes, "vermagic");
    let _ = libraries::needs(bytes);
    for name in metadata::symbols::defined(bytes).unwrap_or_default() {
        locate(bytes, &name, u64::MAX);
    }
    if let Ok(unpacked) = kmod::decompress(bytes) {
        let _ = kmod::depends(&unpacked);
    }
    payload::extract(bytes);
}

/// Parses a guest's output to a command. Its first byte, from `1` on, selects the parser.
pub fn programs(bytes: &[u8]) {
    let Some((which, output)) = bytes.split_first() else { return };
    PARSERS[usize::from(which.wrapping_sub(b'1')) % PARSERS.len()](output);
}

/// The parsers, each beside the code that it exercises. Inputs select an entry of this table by its number, so append new
/// parsers at the end.
const PARSERS: [fn(&[u8]); 7] = [
    test::guest::parse_any,
    storm::figures::parse_any,
    fuzz::parse_any,
    bench::parse_any,
    scenario::scene::parse_any,
    lines::parse_any,
    guest::parse_any,
];

/// Parses output of apt and of the kernel's build, line by line.
pub fn lists(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        if let Some(archive) = apt::archive(line) {
            archive.exact_name();
        }
        apt::download_percent(line);
        Frame::parse(line).iter().for_each(|frame| drop(frame.readable()));
    }
    apt::candidate(&text);
    metadata::symbols::exported(&text);
    let releases = kernels::releases(&text);
    assert!(releases.is_sorted(), "releases are in order");
    if let Ok(choice) = kernels::choose(&releases, None) {
        assert!(releases.contains(&choice.release), "what is chosen is offered");
        metadata::make_variables(&choice.release.name);
    }
}
