// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The compositor of the story: Weston, with a terminal whose program never stops drawing.
//!
//! Source: the manual pages of weston, weston-drm and weston.ini.

use std::thread;
use std::time::{Duration, Instant};

use drydock_agent::protocol::{CLIENT_ROOT, ENTER_WORD};
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::{Guest, Process};
use drydock_machine::pace::patient;
use drydock_machine::pixels::{Colour, Pixels};
use drydock_machine::scenario::{LIMIT, picture};
use rustix::process::Signal;

use super::super::recorder::Recorder;
use super::super::unexpected;
use crate::report::{State, Thing};

/// The packages of all programs here, and a font.
pub(in super::super) const PACKAGES: &[&str] = &["drm-info", "weston", "fonts-dejavu-core"];

/// There is no daemon for seats.
const ENVIRONMENT: &[&str] =
    &["HOME=/root", "LANG=C.UTF-8", "XDG_RUNTIME_DIR=/run/user/0", "LIBSEAT_BACKEND=noop", "WAYLAND_DISPLAY=story"];

/// Starts Weston and the terminal. The shell outlives the signal that ends them, to tell how Weston ended.
const SCRIPT: &str = r#"
exec 2>&1
trap : TERM
udevadm settle --timeout=600
printf '[core]\nidle-time=0\n[shell]\nbackground-color=0xff336699\npanel-position=top\n' >/tmp/weston.ini
cat >/tmp/frames <<'END'
#!/bin/sh
n=0
while sleep 0.5; do n=$((n + 1)); printf '\033[32mframe %6d\033[0m of a terminal on Weston\n' $n; done
END
chmod +x /tmp/frames
weston -B drm -c /tmp/weston.ini --continue-without-input --renderer=pixman --socket=$WAYLAND_DISPLAY &
weston=$!
until [ -S $XDG_RUNTIME_DIR/$WAYLAND_DISPLAY ]; do kill -0 $weston || exit; sleep 0.1; done
weston-terminal --shell=/tmp/frames >/dev/null 2>&1 &
echo the terminal is started
while kill -0 $weston 2>/dev/null; do wait $weston; code=$?; done
echo Weston ended with $code
"#;

/// The colour of the desktop, which `SCRIPT` chooses.
const DESKTOP: Colour = [0x33, 0x66, 0x99];

/// The colour of an empty terminal.
const TERMINAL: Colour = [0, 0, 0];

/// The part of Weston's message about a commit that failed.
const ERROR: &str = "No such device";

/// The time until Weston has drawn, on an idle host.
const UNTIL_DRAWN: Duration = Duration::from_secs(120);

/// The interval between two pictures: nothing reports that a client has drawn.
const BETWEEN_PICTURES: Duration = Duration::from_millis(300);

/// Weston, which runs.
pub(super) struct Compositor<'s>(Process<'s>);

impl<'s> Compositor<'s> {
    /// Starts Weston, and waits until the screen shows the desktop and a terminal that draws. Records that as a step, with a
    /// picture in `file`.
    pub(super) fn drawn(recorder: &mut Recorder<'_, 's>, title: &str, file: &str) -> Result<Self, VmError> {
        recorder.exists(Thing::File);
        let mut drawn = None;
        recorder.step(title, State::Registered, |scene| {
            let mut process = scene.guest().spawn(&client(SCRIPT))?;
            process.wait_for_line("the terminal is started", LIMIT)?;
            let (png, seen) = watch(scene.guest(), &process)?;
            drawn = Some((process, png));
            Ok(vec![seen])
        })?;
        let (process, png) = drawn.expect("the step has started it");
        recorder.picture(file, png);
        Ok(Self(process))
    }

    /// Records the error that Weston gets when it draws on an unplugged display.
    pub(super) fn gets_its_error(&mut self, recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
        recorder.step("Weston draws, and gets ENODEV", State::Unplugged, |_| {
            self.0.wait_for_line(ERROR, LIMIT)?;
            let out = self.0.out();
            Ok(out.lines().find(|line| line.contains(ERROR)).map(str::to_owned).into_iter().collect())
        })
    }

    /// Ends Weston and the terminal, and checks that Weston ends as it should.
    pub(super) fn ended(self, recorder: &mut Recorder<'_, '_>, title: &str, state: State) -> Result<(), VmError> {
        recorder.vanishes(Thing::File);
        recorder.step(title, state, |_| {
            self.0.stdin().signal(Signal::TERM)?;
            let output = self.0.wait(LIMIT)?;
            match output.out.lines().last() {
                Some(last @ "Weston ended with 0") => Ok(vec![last.to_owned()]),
                _ => Err(unexpected("weston", &output.out)),
            }
        })
    }
}

/// Returns the words that run a script in the files of the packages.
pub(super) fn client(script: &str) -> Vec<&str> {
    let mut words = vec!["/init", ENTER_WORD, "--root", CLIENT_ROOT, "--directory", "/tmp"];
    words.extend(ENVIRONMENT.iter().flat_map(|variable| ["--env", variable]));
    words.extend(["--", "sh", "-c", script]);
    words
}

/// Takes pictures until two of them show the desktop and the terminal, and differ. Returns the second, and its facts.
fn watch(guest: &Guest, process: &Process<'_>) -> Result<(Vec<u8>, String), VmError> {
    let begun = Instant::now();
    let mut before: Option<Pixels> = None;
    loop {
        let judged = picture(guest)?.and_then(|png| {
            let pixels = Pixels::decode(&png)?;
            let seen = facts(&pixels)?;
            match before.replace(pixels.clone()).and_then(|before| pixels.difference(&before)) {
                Some(_) => Ok((png, seen)),
                None => Err("the terminal does not draw".to_owned()),
            }
        });
        match judged {
            Ok(drawn) => return Ok(drawn),
            Err(why) if begun.elapsed() > patient(UNTIL_DRAWN) => {
                return Err(unexpected("weston", &format!("{why}\n{}", process.out())));
            }
            Err(_) => thread::sleep(BETWEEN_PICTURES),
        }
    }
}

/// Returns what a picture shows if that is the desktop with a terminal.
fn facts(pixels: &Pixels) -> Result<String, String> {
    let (desktop, terminal) = (pixels.percent(DESKTOP), pixels.percent(TERMINAL));
    let green = pixels.count(|[red, green, blue]| green > 120 && red < 80 && blue < 80);
    let seen = format!("{}×{} pixels: {desktop} % desktop, {terminal} % terminal", pixels.width, pixels.height);
    match (30..=90).contains(&desktop) && (8..=60).contains(&terminal) && green >= 50 {
        true => Ok(seen),
        false => Err(format!("{seen}, {green} green pixels")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn desktop_without_a_terminal_that_has_drawn_is_not_enough() {
        let picture = |terminal: usize, green: usize| {
            let mut colours = vec![DESKTOP; 1000];
            colours[..terminal].fill(TERMINAL);
            colours[..green].fill([0, 170, 0]);
            Pixels { width: 100, height: 10, colours }
        };
        assert_eq!(facts(&picture(360, 60)).unwrap(), "100×10 pixels: 64 % desktop, 30 % terminal");
        assert!(facts(&picture(0, 0)).is_err() && facts(&picture(300, 0)).is_err());
        assert!(facts(&picture(1000, 60)).is_err());
    }
}
