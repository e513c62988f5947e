// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The life cycle as a picture: a ribbon of states, and below it a bar for each thing that exists.
//!
//! Steps have equal width whatever their duration, since loading a module takes a thousand times longer than
//! registering a device. The clock is at the top. Colours come from the page's style, so they follow its theme.

use std::fmt::Write;

use super::{State, Thing, Timeline, escape};

const LEFT: usize = 170;
const TOP: usize = 210;
const STEP: usize = 84;
const LANE: usize = 26;
const RIBBON: usize = 40;
const BAR: usize = 14;

/// Returns the picture as an SVG element.
pub(super) fn draw(timeline: &Timeline) -> String {
    let count = timeline.steps.len();
    let width = LEFT + count * STEP + 60;
    let things = timeline.things();
    let height = TOP + RIBBON + 24 + things.len() * LANE + 16;
    let mut out = format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"the device's states and what exists, step by \
         step\" font-family=\"system-ui, sans-serif\" font-size=\"12\">\n"
    );
    out.push_str(&titles(timeline, height));
    out.push_str(&ribbon(timeline));
    for (lane, thing) in things.iter().enumerate() {
        out.push_str(&bars(timeline, *thing, TOP + RIBBON + 24 + lane * LANE));
    }
    out.push_str("</svg>\n");
    out
}

/// Draws a slanted title and a thin vertical line for each step.
fn titles(timeline: &Timeline, height: usize) -> String {
    let mut out = String::new();
    for (at, step) in timeline.steps.iter().enumerate() {
        let x = LEFT + at * STEP;
        let (down, up) = (height - 10, TOP - 8);
        write!(
            out,
            "<line x1=\"{x}\" y1=\"{up}\" x2=\"{x}\" y2=\"{down}\" stroke=\"var(--line)\"/>\n\
             <g transform=\"translate({} {}) rotate(-38)\"><text fill=\"var(--ink)\">{}</text>\
             <text y=\"14\" fill=\"var(--faint)\" font-size=\"10.5\">{:.3} s</text></g>\n",
            x + 6,
            TOP - 16,
            escape(&cut(&step.title, 38)),
            step.time
        )
        .expect("a string takes everything");
    }
    out
}

/// Draws adjacent steps with the same state as one coloured piece with the state's name.
fn ribbon(timeline: &Timeline) -> String {
    let mut out = label("device", TOP + RIBBON / 2 + 4);
    let states: Vec<State> = timeline.steps.iter().map(|step| step.state).collect();
    for (from, to) in runs(&states, |state| Some(*state)) {
        let state = states[from];
        let (x, width) = (LEFT + from * STEP, (to - from) * STEP);
        let word = if width > 90 || state != State::Absent { state.word() } else { "" };
        let size = if width < word.len() * 8 { 10 } else { 13 };
        write!(
            out,
            "<rect x=\"{x}\" y=\"{TOP}\" width=\"{}\" height=\"{RIBBON}\" rx=\"6\" fill=\"var(--{})\"/>\n\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"600\" font-size=\"{size}\" \
             fill=\"var(--card)\">{word}</text>\n",
            width - 3,
            state.word(),
            x + (width - 3) / 2,
            TOP + RIBBON / 2 + 5
        )
        .expect("a string takes everything");
    }
    out
}

/// Draws the bars of one thing.
fn bars(timeline: &Timeline, thing: Thing, y: usize) -> String {
    let mut out = label(thing.label(), y + BAR - 3);
    let there: Vec<bool> = timeline.steps.iter().map(|step| step.things.contains(&thing)).collect();
    for (from, to) in runs(&there, |there| there.then_some(())) {
        let (x, width) = (LEFT + from * STEP, (to - from) * STEP - 3);
        writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BAR}\" rx=\"4\" fill=\"var(--bar)\"/>")
            .expect("a string takes everything");
    }
    out
}

fn label(text: &str, y: usize) -> String {
    format!("<text x=\"{}\" y=\"{y}\" text-anchor=\"end\" fill=\"var(--ink)\">{}</text>\n", LEFT - 12, escape(text))
}

/// Returns runs of adjacent items with the same key, as half-open ranges. Leaves out items without a key.
fn runs<T, K: PartialEq>(items: &[T], key: impl Fn(&T) -> Option<K>) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    while from < items.len() {
        let this = key(&items[from]);
        let length = items[from..].iter().take_while(|item| key(item) == this).count();
        if this.is_some() {
            found.push((from, from + length));
        }
        from += length;
    }
    found
}

fn cut(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let kept: String = text.chars().take(length - 1).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_kind_are_one_piece() {
        let runs = runs(&[1, 1, 0, 2, 2, 2, 1], |item| (*item > 0).then_some(*item));
        assert_eq!(runs, [(0, 2), (3, 6), (6, 7)]);
    }

    #[test]
    fn a_thing_that_is_never_there_has_a_name_and_no_bar() {
        let timeline = super::super::example::timeline();
        assert!(!bars(&timeline, Thing::Mapping, 0).contains("<rect"));
        assert_eq!(bars(&timeline, Thing::Module, 0).matches("<rect").count(), 1);
    }
}
