// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Events as JSON, one object per line.

use std::io::Write;
use std::sync::Mutex;

use super::{Event, Reporter};

/// Writes each event as one line of JSON.
pub struct Json<W>(Mutex<W>);

impl<W: Write> Json<W> {
    /// Returns a reporter that writes to `out`.
    pub fn new(out: W) -> Self {
        Self(Mutex::new(out))
    }
}

impl<W: Write + Send> Reporter for Json<W> {
    fn report(&self, event: &Event) {
        let line = serde_json::to_string(event).expect("events have string keys");
        let mut out = self.0.lock().expect("no reporter panics while it writes");
        // A failed output is no reason to stop the work. Its writer remembers the failure.
        let _ = writeln!(out, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Events, Form, Position};

    #[test]
    fn each_event_is_one_line() {
        let json = Json::new(Vec::new());
        json.report(&Event::Note { text: "two\nlines".into() });
        json.report(&Event::Warning { text: "w".into() });
        let text = String::from_utf8(json.0.into_inner().unwrap()).unwrap();
        assert_eq!(text, "{\"event\":\"note\",\"text\":\"two\\nlines\"}\n{\"event\":\"warning\",\"text\":\"w\"}\n");
    }

    #[test]
    fn fields_of_a_command_are_those_of_the_reference() {
        let position = || Position { command: "a".into(), number: 1, of: 2 };
        let json = Json::new(Vec::new());
        json.report(&Event::Booted { kernel: "7.0".into(), seconds: 1.5 });
        json.report(&Event::CommandStarted { position: position() });
        json.report(&Event::CommandEnded { position: position(), exit_code: None, seconds: 1.5 });
        json.report(&Event::Verdict { position: position(), verdict: "passed", why: None });
        let text = String::from_utf8(json.0.into_inner().unwrap()).unwrap();
        insta::assert_snapshot!(text, @r#"
        {"event":"booted","kernel":"7.0","seconds":1.5}
        {"event":"command-started","command":"a","number":1,"of":2}
        {"event":"command-ended","command":"a","number":1,"of":2,"exit_code":null,"seconds":1.5}
        {"event":"verdict","command":"a","number":1,"of":2,"verdict":"passed","why":null}
        "#);
    }

    #[test]
    fn events_of_a_run_are_in_the_reference() {
        let page = include_str!("../../../../docs/reference/events.md");
        for line in ["booted", "command-started", "command-ended", "verdict", "error"] {
            let row = format!("| `{line}` |");
            assert!(page.lines().any(|line| line.starts_with(&row)), "{row}");
        }
    }

    #[test]
    fn json_events_want_json_results() {
        assert!(Events::new(Form::Json).json);
    }
}
