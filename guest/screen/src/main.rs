// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Takes a picture of the screens: reads what each CRTC of a device scans out, and writes it to standard output as PNG.
//!
//! `drydock-screen [NODE]` reads the device of NODE, or the first one that can set modes. Several screens are side by side, in
//! the order of their CRTCs. It needs the rights of root, as the kernel gives nobody else the buffers of other clients.
//!
//! Source: Documentation/gpu/drm-kms.rst for how planes are composed; the ioctl `GETFB2` in `include/uapi/drm/drm.h`.

mod card;
mod format;
mod picture;
mod screen;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::card::Card;

fn run(arguments: &[String]) -> anyhow::Result<()> {
    let card = match arguments {
        [] => Card::find()?,
        [node] => Card::open(Path::new(node))?,
        _ => bail!("usage: drydock-screen [NODE]"),
    };
    let screens = screen::all(&card)?;
    let picture = picture::beside_each_other(screens.iter().map(picture::draw).collect());
    std::io::stdout().write_all(&picture.png()?).context("failed to write the picture")
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
