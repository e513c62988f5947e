// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Judges the commands of a run: an event and a row of results for each, and the exit code of a session.

use std::time::Instant;

use drydock_agent::protocol::Status;
use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::{Event, Events, Position};
use drydock_base::exit;

use super::client::Ends;
use super::job::{Command, Job};
use crate::results::{Results, Row};
use crate::verdict::Verdict;

/// The command that has no verdict yet.
struct Current {
    index: usize,
    begun: Instant,
    ends: Ends,
    /// Its duration, if it has ended.
    seconds: Option<f64>,
    /// A picture of the screens.
    picture: Option<Vec<u8>>,
}

/// Judges the commands of a run.
pub(super) struct Judge<'j> {
    job: &'j Job,
    results: &'j Results,
    events: &'j Events,
    current: Option<Current>,
    /// The number of commands that have a verdict.
    judged: usize,
    /// The names of the commands that failed, with the reasons.
    failed: Vec<(String, String)>,
}

impl<'j> Judge<'j> {
    pub(super) fn new(job: &'j Job, results: &'j Results, events: &'j Events) -> Self {
        results.plan(job.commands.iter().map(|command| command.name.as_str()));
        Self { job, results, events, current: None, judged: 0, failed: Vec::new() }
    }

    fn position(&self, index: usize) -> Position {
        let of = self.job.commands.len();
        Position { command: self.job.commands[index].name.clone(), number: index + 1, of }
    }

    /// Notes that a command begins. Returns what keeps the ends of its outputs.
    pub(super) fn begin(&mut self, index: usize) -> Ends {
        self.events.report(&Event::CommandStarted { position: self.position(index) });
        let ends = Ends::default();
        self.current = Some(Current { index, begun: Instant::now(), ends: ends.clone(), seconds: None, picture: None });
        ends
    }

    /// Notes that the command has ended, or was killed if it has no status.
    pub(super) fn end(&mut self, status: Option<Status>) {
        let Some(current) = &mut self.current else { return };
        let (index, seconds) = (current.index, current.begun.elapsed().as_secs_f64());
        current.seconds = Some(seconds);
        let (position, exit_code) = (self.position(index), status.map(Status::shell_code));
        self.events.report(&Event::CommandEnded { position, exit_code, seconds });
    }

    /// Adds a picture of the screens, if one was taken, to the results of the command.
    pub(super) fn keep_picture(&mut self, png: Option<Vec<u8>>) {
        if let Some(current) = &mut self.current {
            current.picture = png;
        }
    }

    /// Gives the command its verdict.
    pub(super) fn judge(&mut self, verdict: Verdict) {
        let Some(current) = self.current.take() else { return };
        let seconds = current.seconds.unwrap_or_else(|| current.begun.elapsed().as_secs_f64());
        let (out, err) = (current.ends.out.text(), current.ends.err.text());
        let picture = current.picture;
        self.tell(current.index, verdict, |row| Row { seconds, out, err, picture, ..row });
    }

    fn tell(&mut self, index: usize, verdict: Verdict, with_output: impl FnOnce(Row) -> Row) {
        let position = self.position(index);
        if let Verdict::Failed { why, .. } | Verdict::Undecided { why, .. } = &verdict {
            self.failed.push((position.command.clone(), why.clone()));
        }
        let row = Row::new(&self.job.driver, &position.command, verdict.clone());
        let (word, why) = (verdict.word(), verdict.why().map(|why| why.lines().collect::<Vec<_>>().join("; ")));
        self.events.report(&Event::Verdict { position, verdict: word, why });
        self.results.add(with_output(row));
        self.judged = index + 1;
    }

    /// Judges what an error leaves without a verdict: the command that ran failed, or else the run as a whole, and the
    /// later commands were not run.
    pub(super) fn fail(&mut self, error: &Error) {
        let why = match &self.current {
            Some(current) => {
                let name = &self.job.commands[current.index].name;
                format!("not run: the run ended in `{name}`")
            }
            None => {
                self.results.add_failure(error);
                "not run: the run failed".to_owned()
            }
        };
        self.judge(Verdict::on_command(error));
        for index in self.judged..self.job.commands.len() {
            self.tell(index, Verdict::Skipped { why: why.clone() }, |row| row);
        }
    }

    /// Returns the exit code of a session in which all commands ran.
    pub(super) fn session_code(&self) -> Result<u8> {
        if self.failed.is_empty() {
            return Ok(exit::OK);
        }
        let message = format!("{} of {} commands failed", self.failed.len(), self.job.commands.len());
        let lines = self.failed.iter().map(|(name, why)| format!("{name}: {why}"));
        Err(Error::new(Kind::Check, message).details(lines))
    }
}

/// Returns the verdict on a command that ended. A failed copy is a failure only if the command did not fail itself.
pub(super) fn verdict(command: &Command, status: Status, copied: &[Result<()>]) -> Verdict {
    let code = status.shell_code();
    let failed = |why| Verdict::Failed { why, details: Vec::new() };
    if !command.exit_codes.iter().any(|expected| i32::from(*expected) == code) {
        let expected: Vec<String> = command.exit_codes.iter().map(u8::to_string).collect();
        return failed(format!("ended with {status}, expected exit code {}", expected.join(" or ")));
    }
    match copied.iter().find_map(|copy| copy.as_ref().err()) {
        Some(error) => failed(error.chain()),
        None => Verdict::Passed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn verdict_on(exit_codes: &[u8], status: Status, copied: &[Result<()>]) -> Verdict {
        let command = Command {
            name: "a".to_owned(),
            argv: vec!["a".to_owned()],
            limit: Duration::MAX,
            exit_codes: exit_codes.to_vec(),
            gets: Vec::new(),
            screenshot: None,
        };
        verdict(&command, status, copied)
    }

    fn failed(why: &str) -> Verdict {
        Verdict::Failed { why: why.to_owned(), details: Vec::new() }
    }

    #[test]
    fn command_passes_with_an_expected_exit_code_only() {
        assert_eq!(verdict_on(&[0], Status::Code(0), &[]), Verdict::Passed);
        assert_eq!(verdict_on(&[0, 77], Status::Code(77), &[]), Verdict::Passed);
        assert_eq!(verdict_on(&[0], Status::Code(3), &[]), failed("ended with exit code 3, expected exit code 0"));
        let killed = verdict_on(&[0, 77], Status::Signal(11), &[]);
        assert_eq!(killed, failed("ended with signal 11, expected exit code 0 or 77"));
    }

    #[test]
    fn failed_copy_fails_a_command_that_passed() {
        let copied = || [Ok(()), Err(Error::new(Kind::Check, "no such file"))];
        assert_eq!(verdict_on(&[0], Status::Code(0), &copied()), failed("no such file"));
        let both = verdict_on(&[0], Status::Code(1), &copied());
        assert_eq!(both, failed("ended with exit code 1, expected exit code 0"));
    }
}
