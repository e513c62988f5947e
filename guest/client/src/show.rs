// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Shows a moving picture until the display is gone: four coloured quarters, a white square, and a cursor.
//!
//! Source: the examples of the crate `drm`; `Documentation/gpu/drm-uapi.rst`, "Device Hot-Unplug".

mod atomic;
mod legacy;
mod output;
mod picture;

use drm::Device as _;
use drm::control::{Device as _, Event, framebuffer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::card::Card;
use output::Output;
use picture::{Cursor, Frame};

/// The calls by which a mode is set and pictures are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Interface {
    /// `SETCRTC`, `PAGE_FLIP` and `CURSOR2`.
    Legacy,
    /// `ATOMIC` with properties.
    Atomic,
}

/// The number of pictures after which the client says so.
const ENOUGH: u32 = 10;

/// The time after which a client that waits for a picture asks whether the display is still there.
const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// An interface in use.
trait Show {
    /// Sets the output's mode, with the first picture.
    fn begin(&mut self, framebuffer: framebuffer::Handle) -> anyhow::Result<()>;

    /// Shows the next picture, with the cursor at this place. An event follows.
    fn flip(&mut self, framebuffer: framebuffer::Handle, cursor: (u32, u32)) -> anyhow::Result<()>;
}

/// Shows pictures on the first output of `card` until its display is gone.
pub(crate) fn run(card: &Card, interface: Interface, has_cursor: bool) -> anyhow::Result<()> {
    let mut shown = 0;
    match show(card, interface, has_cursor, &mut shown) {
        Err(error) if is_gone(&error) => {
            println!("The display is gone after {shown} pictures: {error:#}.");
            Ok(())
        }
        other => other,
    }
}

fn show(card: &Card, interface: Interface, has_cursor: bool, shown: &mut u32) -> anyhow::Result<()> {
    let output = Output::find(card)?;
    println!("The mode is {}.", output.describe());
    let mut cursor = has_cursor.then(|| Cursor::create(card)).transpose()?;
    let mut buffers = [output.buffer(card)?, output.buffer(card)?];
    let [first, second] = &mut buffers;
    let mut frames = [Frame::new(card, first)?, Frame::new(card, second)?];
    let cursor = cursor.as_mut();
    let mut screen: Box<dyn Show> = match interface {
        Interface::Legacy => Box::new(legacy::Screen::new(card, &output, cursor)?),
        Interface::Atomic => Box::new(atomic::Screen::new(card, &output, cursor)?),
    };
    let ended = play(card, screen.as_mut(), &mut frames, shown);
    // The memory stays until it is unmapped, whatever became of the display.
    frames.iter_mut().for_each(|frame| frame.draw(*shown));
    ended
}

/// Draws each picture into the buffer that is not shown, and shows it.
fn play(card: &Card, screen: &mut dyn Show, frames: &mut [Frame<'_>; 2], shown: &mut u32) -> anyhow::Result<()> {
    frames[0].draw(0);
    screen.begin(frames[0].framebuffer)?;
    loop {
        *shown += 1;
        let next = &mut frames[*shown as usize % 2];
        next.draw(*shown);
        screen.flip(next.framebuffer, picture::cursor_place(*shown, next.size))?;
        wait_for_flip(card)?;
        if *shown == ENOUGH {
            println!("{ENOUGH} pictures were shown.");
        }
    }
}

/// Waits until the next picture is shown.
fn wait_for_flip(card: &Card) -> anyhow::Result<()> {
    loop {
        if poll(&mut [PollFd::new(card, PollFlags::IN)], Some(&LOOK))? == 0 {
            // A display that was unplugged sends nothing, but answers no ioctl either.
            card.get_driver()?;
            continue;
        }
        if card.receive_events()?.any(|event| matches!(event, Event::PageFlip(_))) {
            return Ok(());
        }
    }
}

/// Returns whether the error says that the device was unplugged.
fn is_gone(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>().and_then(Errno::from_io_error);
    error == Some(Errno::NODEV)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn failed(errno: Errno) -> anyhow::Error {
        Err::<(), _>(std::io::Error::from(errno)).context("failed to show a picture").unwrap_err()
    }

    #[test]
    fn only_enodev_says_that_the_display_is_gone() {
        assert!(is_gone(&failed(Errno::NODEV)));
        assert!(!is_gone(&failed(Errno::INVAL)) && !is_gone(&failed(Errno::ACCESS)));
        assert!(!is_gone(&anyhow::anyhow!("no display is connected")));
    }
}
