// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Takes a picture of what the screens in a guest show. `guest/screen` reads it from there. Where QEMU shows the same screen,
//! its own picture is the witness.

use std::time::{Duration, Instant};

use drydock_agent::protocol::{Stream, Task};

use super::content::Program;
use crate::display::Display;
use crate::error::Error as VmError;
use crate::guest::Guest;
use crate::pace::patient;
use crate::pixels::Pixels;

/// The time limit for a picture, on an idle host.
const LIMIT: Duration = Duration::from_secs(60);

/// How long the two pictures may differ, on an idle host: a driver copies to the device what a client has drawn, and nothing
/// reports that it has.
const UNTIL_SHOWN: Duration = Duration::from_secs(10);

/// The number of comparisons before still pictures count as different, however long they take.
const ATTEMPTS: usize = 10;

/// The number of comparisons that a client may spoil because it draws meanwhile.
const SPOILT: usize = 4;

/// Returns what the screens show as a PNG file, or the reason why they show nothing that can be read. The image must have
/// [`Program::SCREEN`]. The outer error is one of the guest.
pub fn picture(guest: &Guest) -> Result<Result<Vec<u8>, String>, VmError> {
    let first = match taken(guest)? {
        Ok(first) => first,
        Err(why) => return Ok(Err(why)),
    };
    let Some(display) = guest.display() else { return Ok(Ok(first.png)) };
    let device = match display.device(&first.source) {
        Ok(Some(device)) => device,
        Ok(None) => return Ok(Ok(first.png)),
        Err(error) => return Ok(Err(format!("QEMU does not report its devices: {error}"))),
    };
    let compare = |first| compare(first, || taken(guest), || dumped(display, &device), patient(UNTIL_SHOWN));
    let compared = match compare(first)? {
        Err(Differs::Moving(last)) => while_stopped(guest, || compare(*last))?,
        other => other,
    };
    Ok(compared.map_err(|differs| match differs {
        Differs::Other(why) => why,
        Differs::Still(difference) => format!("QEMU shows another picture than the framebuffer has: {difference}"),
        Differs::Moving(_) => "the screen changes although its clients are stopped".to_owned(),
    }))
}

/// Stops the processes that have a device of DRM open, does something, and lets them go on.
fn while_stopped<T>(guest: &Guest, act: impl FnOnce() -> Result<T, VmError>) -> Result<T, VmError> {
    let holds = |task: &Task| task.state != "T" && task.holds.iter().any(|file| file.contains("/dev/dri/"));
    let mut holders: Vec<_> = guest.processes()?.into_iter().filter(holds).map(|task| task.pid.to_string()).collect();
    holders.dedup();
    // One that has just ended cannot be found, which is fine.
    let signal = |name: &str| guest.run(&["sh", "-c", &format!("kill -{name} {}", holders.join(" "))], LIMIT);
    signal("STOP")?;
    let done = act();
    signal("CONT")?;
    done
}

/// A picture that the guest has taken.
#[derive(Clone, Debug)]
struct Taken {
    png: Vec<u8>,
    pixels: Pixels,
    /// The name of the device on its bus.
    source: String,
}

/// Takes a picture in the guest.
fn taken(guest: &Guest) -> Result<Result<Taken, String>, VmError> {
    let mut process = guest.spawn(&[Program::SCREEN.name])?;
    process.close_input()?;
    let [mut png, mut said] = [Vec::new(), Vec::new()];
    let status = process.forward(Some(patient(LIMIT)), |stream, bytes| {
        match stream {
            Stream::Out => png.extend_from_slice(bytes),
            Stream::Err => said.extend_from_slice(bytes),
        }
        Ok(())
    })?;
    if !status.success() {
        let said = String::from_utf8_lossy(&said);
        return Ok(Err(said.trim().trim_start_matches("error: ").to_owned()));
    }
    Ok(Pixels::with_source(&png).and_then(|(pixels, source)| {
        let source = source.ok_or("the picture does not name its device")?;
        Ok(Taken { png, pixels, source })
    }))
}

fn dumped(display: &Display, device: &str) -> Result<Pixels, String> {
    let png = display.dump(device).map_err(|error| format!("QEMU took no picture of the screen: {error}"))?;
    Pixels::decode(&png)
}

/// The reason why no picture of the guest agrees with QEMU's.
#[derive(Debug)]
enum Differs {
    /// They differ although the screen does not change. The text is the first difference.
    Still(String),
    /// The screen changes all the time. This is the last picture.
    Moving(Box<Taken>),
    /// One of them could not be taken.
    Other(String),
}

/// Returns the guest's picture that QEMU's agrees with: the one before it or the one after it. They may differ while a client
/// draws, so they are taken again until `limit`.
fn compare(
    first: Taken,
    take: impl Fn() -> Result<Result<Taken, String>, VmError>,
    dump: impl Fn() -> Result<Pixels, String>,
    limit: Duration,
) -> Result<Result<Vec<u8>, Differs>, VmError> {
    let (begun, mut before, mut spoilt) = (Instant::now(), first, 0);
    for attempt in 1.. {
        let (shown, after) = match (dump(), take()?) {
            (Ok(shown), Ok(after)) => (shown, after),
            (Err(why), _) | (_, Err(why)) => return Ok(Err(Differs::Other(why))),
        };
        let Some(difference) = shown.difference(&before.pixels) else { return Ok(Ok(before.png)) };
        if shown == after.pixels {
            return Ok(Ok(after.png));
        }
        if before.pixels != after.pixels {
            spoilt += 1;
            if spoilt >= SPOILT {
                return Ok(Err(Differs::Moving(Box::new(after))));
            }
        } else if attempt >= ATTEMPTS && begun.elapsed() >= limit {
            return Ok(Err(Differs::Still(difference)));
        }
        before = after;
    }
    unreachable!("the loop ends by a verdict")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::pixels::tests::file;

    fn picture(value: u8) -> Taken {
        let png = file(&[[value; 3]], Some("0000:00:03.0"));
        let pixels = Pixels::decode(&png).unwrap();
        Taken { png, pixels, source: "0000:00:03.0".into() }
    }

    /// Compares pictures whose values are made from the number of the attempt: QEMU's, and the guest's after it.
    fn compared(shown: impl Fn(u8) -> u8, after: impl Fn(u8) -> u8) -> Result<u8, Differs> {
        let number = Cell::new(0);
        let dump = || {
            number.set(number.get() + 1);
            Ok(picture(shown(number.get())).pixels)
        };
        let take = || Ok(Ok(picture(after(number.get()))));
        let png = compare(picture(after(0)), take, dump, Duration::ZERO).unwrap()?;
        Ok(Pixels::decode(&png).unwrap().colours[0][0])
    }

    #[test]
    fn picture_before_or_after_that_of_qemu_is_the_one() {
        assert_eq!(compared(|_| 7, |_| 7).unwrap(), 7);
        assert_eq!(compared(|_| 7, |number| 7 * number).unwrap(), 7);
        assert_eq!(compared(|number| number - 1, |number| number).unwrap(), 0);
        // What the client has drawn arrives later.
        assert_eq!(compared(|number| if number < 6 { 0 } else { 7 }, |_| 7).unwrap(), 7);
    }

    #[test]
    fn still_pictures_that_stay_different_differ() {
        let Err(Differs::Still(difference)) = compared(|_| 1, |_| 7) else { panic!("they agree") };
        assert_eq!(difference, "1 of 1 pixels differ, the first at 0,0: [1, 1, 1], not [7, 7, 7]");
    }

    #[test]
    fn screen_that_always_changes_is_told_from_one_that_differs() {
        let Err(Differs::Moving(last)) = compared(|number| 100 + number, |number| number) else {
            panic!("it is still")
        };
        assert_eq!(last.pixels.colours[0][0], SPOILT as u8);
    }

    #[test]
    fn picture_that_cannot_be_taken_is_an_error() {
        let refuse = || Err("no".to_owned());
        let dumped = compare(picture(1), || Ok(Ok(picture(1))), refuse, Duration::ZERO).unwrap();
        assert!(matches!(dumped, Err(Differs::Other(why)) if why == "no"));
        let take = || Ok(Err("off".to_owned()));
        let taken = compare(picture(1), take, || Ok(picture(1).pixels), Duration::ZERO).unwrap();
        assert!(matches!(taken, Err(Differs::Other(why)) if why == "off"));
    }
}
