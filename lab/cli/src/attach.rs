// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock attach`: runs another program, or a shell, in the guest of a `drydock run` that has not ended.

use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use drydock_agent::frame;

use crate::door::{self, Reply, Request};
use crate::run::terminal;
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;

/// Run another program in the guest of a `drydock run` that has not ended
///
/// The program sees the same files as the client of that run, and starts in the same directory with the same
/// environment and user. Its input, its outputs and its exit code are ours. Without a program you get a shell. Everything
/// ends with the run's own client; the exit code is 130 then.
#[derive(Debug, Args)]
pub struct Options {
    /// The process of the run [default: the only one]
    #[arg(value_name = "PID")]
    run: Option<u32>,
    /// Program and its arguments [default: a shell]
    #[arg(last = true)]
    program: Vec<String>,
}

/// Runs `drydock attach`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let pid = choose(options.run, &door::runs()?)?;
    let mut run = door::knock(pid).with_context(|| format!("failed to reach the run {pid}"))?;
    let needs_terminal = options.program.is_empty() || terminal::is_ours();
    let request = match needs_terminal {
        true => Request::OnTerminal { argv: options.program, size: terminal::size(), term: terminal::kind() },
        false => Request::Program(options.program),
    };
    let streams = (io::stdin(), io::stdout(), io::stderr());
    door::send_files(&run, &[streams.0.as_fd(), streams.1.as_fd(), streams.2.as_fd()])
        .and_then(|()| frame::write(&mut run, &request))
        .with_context(|| format!("failed to reach the run {pid}"))?;
    match reply(&mut run)? {
        Reply::Started => {}
        Reply::Ended(code) => return Ok(code),
        Reply::Failed(why) => return Err(Error::new(Kind::Check, why)),
        Reply::Lost => return Err(lost()),
    }
    let ended = match request {
        Request::Program(_) => reply(&mut run),
        Request::OnTerminal { argv, .. } => on_terminal(&mut run, argv.is_empty(), events),
    };
    match ended? {
        Reply::Ended(code) => Ok(code),
        Reply::Failed(why) => Err(Error::new(Kind::Check, why)),
        Reply::Lost => Err(lost()),
        Reply::Started => Err(Error::new(Kind::Machinery, "the program started twice")),
    }
}

/// Connects our terminal with the guest's until the program there ends.
fn on_terminal(run: &mut UnixStream, is_shell: bool, events: &Events) -> Result<Reply> {
    let [terminal] = door::receive_files(run).context("the run sent no terminal")?;
    if is_shell {
        events.note("a shell in the guest; `exit` or Ctrl-D leaves it, and the guest goes on");
    }
    let hang_up = run.try_clone().context("failed to keep the socket")?;
    let ended = AtomicBool::new(false);
    let on_lost = || drop(hang_up.shutdown(std::net::Shutdown::Both));
    let (answer, shown) = terminal::connect(
        terminal.into(),
        &ended,
        |_| (),
        on_lost,
        || {
            let answer = reply(run);
            ended.store(true, Ordering::Relaxed);
            answer
        },
    );
    shown.map_err(|error| drydock_base::events::of_output("stdout", error))?;
    answer
}

/// Waits for the run's next answer.
fn reply(run: &mut impl Read) -> Result<Reply> {
    match frame::read(run) {
        Ok(Some(reply)) => Ok(reply),
        Ok(None) | Err(_) => Ok(Reply::Lost),
    }
}

fn lost() -> Error {
    Error::new(Kind::Interrupted, "the run ended, and this program with it")
}

/// Returns the run that is meant.
fn choose(wanted: Option<u32>, runs: &[u32]) -> Result<u32> {
    let list = || runs.iter().map(|pid| format!("{pid}: {}", command_line(*pid))).collect::<Vec<_>>();
    match (wanted, runs) {
        (Some(pid), _) if runs.contains(&pid) => Ok(pid),
        (Some(pid), []) => {
            Err(Error::new(Kind::Usage, format!("process {pid} is not a run with a guest, and there is no other")))
        }
        (Some(pid), _) => {
            Err(Error::new(Kind::Usage, format!("process {pid} is not a run with a guest; these are")).details(list()))
        }
        (None, [pid]) => Ok(*pid),
        (None, []) => Err(Error::new(Kind::Usage, "no `drydock run` of yours has a guest now")
            .hint("start one: `./drydock run vgem -- sleep 1000`")),
        (None, _) => Err(Error::new(Kind::Usage, "several runs have a guest; name one").details(list())),
    }
}

fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let words = text.split('\0').skip(1).filter(|word| !word.is_empty());
    shlex::try_join(words).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_run_needs_no_number() {
        let chosen = |wanted, runs: &[u32]| choose(wanted, runs).map_err(|error| error.to_string());
        assert_eq!(chosen(None, &[7]), Ok(7));
        assert_eq!(chosen(Some(8), &[7, 8]), Ok(8));
        assert_eq!(chosen(None, &[7, 8]).unwrap_err(), "several runs have a guest; name one");
        assert_eq!(chosen(Some(9), &[7]).unwrap_err(), "process 9 is not a run with a guest; these are");
        assert!(chosen(None, &[]).is_err() && chosen(Some(7), &[]).is_err());
    }
}
