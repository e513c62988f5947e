// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Takes a picture of the screens: reads what each CRTC of a device scans out, and writes it to standard output as PNG.
//!
//! `drydock-screen [NODE]` reads the device of NODE, or the first one that can set modes. Several screens are side by side, in
//! the order of their CRTCs. It needs the rights of root, as the kernel gives nobody else the buffers of other clients.
//!
//! A driver that takes pictures of its screens, as our vkms, is asked for one. The planes' framebuffers, read from here, are then the
//! witness: a picture that stays as it is while they are read must be the same.
//!
//! Source: Documentation/gpu/drm-kms.rst for how planes are composed; the ioctl `GETFB2` in `include/uapi/drm/drm.h`.

mod card;
mod format;
mod own;
mod picture;
mod screen;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::card::Card;
use crate::picture::Picture;

fn run(arguments: &[String]) -> anyhow::Result<()> {
    let card = match arguments {
        [] => Card::find()?,
        [node] => Card::open(Path::new(node))?,
        _ => bail!("usage: drydock-screen [NODE]"),
    };
    let picture = agreed(&card)?;
    std::io::stdout().write_all(&picture.png(&card.place()?)?).context("failed to write the picture")
}

/// How often the two pictures are compared. They differ if a client draws meanwhile; they do not differ each time.
const ATTEMPTS: usize = 10;

/// Returns the driver's own picture if it takes one and the witness agrees, and otherwise that of the witness.
fn agreed(card: &Card) -> anyhow::Result<Picture> {
    for _ in 0..ATTEMPTS {
        let before = own::all(card)?;
        let screens = screen::all(card)?;
        let seen: Vec<_> = screens.iter().map(picture::draw).collect();
        match (before, own::all(card)?) {
            (Some(before), Some(after)) if before == after && before != seen => {}
            (Some(_), Some(after)) => return Ok(picture::beside_each_other(after)),
            _ => return Ok(picture::beside_each_other(seen)),
        }
    }
    bail!("the driver's picture is not what its planes show")
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
