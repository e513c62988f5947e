// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The timeline as a table for the terminal.

use console::{Style, measure_text_width};

use super::{State, Timeline};

/// Returns the table, with colours if the terminal shows them (the crate `console` decides).
pub(crate) fn table(timeline: &Timeline) -> String {
    let width = timeline.steps.iter().map(|step| measure_text_width(&step.title)).max().unwrap_or(0);
    let mut lines = vec![
        format!("The life of `{}` on {}, {}", timeline.driver, timeline.kernel, timeline.execution),
        String::new(),
        format!("    clock  {:<12}  step", "device"),
    ];
    let mut before = None;
    for step in &timeline.steps {
        let state = colour(step.state).apply_to(format!("{:<12}", step.state.word()));
        let since = before.map_or(String::new(), |before| format!("{:+7.3} s", step.time - before));
        let title = format!("{}{}", step.title, " ".repeat(width - measure_text_width(&step.title)));
        lines.push(format!("{:>9.3}  {state}  {title}  {since}", step.time).trim_end().to_owned());
        let faint = Style::new().dim();
        lines.extend(step.seen.iter().map(|line| format!("{:>25}{}", "", faint.apply_to(line))));
        let log = step.log.iter().filter(|_| timeline.merged);
        lines.extend(log.map(|line| format!("{:>25}{}", "", faint.apply_to(line))));
        if let Some(picture) = &step.picture {
            lines.push(format!("{:>25}{}", "", faint.apply_to(format!("the screen: {}", picture.file.display()))));
        }
        before = Some(step.time);
    }
    lines.push(String::new());
    lines.push(format!(
        "The kernel logged {} lines, none of them a warning. The machine ran for {:.1} s.",
        timeline.log_lines, timeline.seconds
    ));
    lines.join("\n")
}

fn colour(state: State) -> Style {
    match state {
        State::Absent => Style::new().dim(),
        State::Unregistered => Style::new().yellow(),
        State::Init => Style::new().magenta(),
        State::Registered => Style::new().green(),
        State::Unplugged => Style::new().red(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stand_under_each_other_with_what_was_seen_below() {
        console::set_colors_enabled(false);
        insta::assert_snapshot!(table(&super::super::example::timeline()));
    }
}
