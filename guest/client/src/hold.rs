// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Holds a file and a mapping while the device is unplugged, then reports what is left.
//!
//! Source: `Documentation/gpu/drm-uapi.rst`, "Device Hot-Unplug".

use std::io::{BufRead, Write};

use anyhow::{Context, bail};
use drm::Device;
use drm::control::Device as _;
use rustix::io::Errno;

use crate::card::Card;
use crate::{pattern, share};

/// Prints `holding`, waits for a line (or the end) of stdin, and checks what is left.
pub(crate) fn run(card: Card) -> anyhow::Result<()> {
    let mut buffer = share::create(&card)?;
    let mut mapping = card.map_dumb_buffer(&mut buffer).context("failed to map the buffer")?;
    pattern::fill(&mut mapping);
    println!("Mapped it and wrote a pattern into its {} bytes.", mapping.len());
    wait()?;
    if let Some(at) = pattern::first_difference(&mapping) {
        bail!("byte {at} of the mapping is not what was written");
    }
    println!("The mapping still holds the pattern, all {} bytes of it.", mapping.len());
    mapping.fill(0xd0);
    println!("It can be written to as before.");
    println!("{}", sentence(&card.get_driver().map(drop))?);
    drop(mapping);
    drop(card);
    println!("Unmapped the buffer and closed the file; everything went well.");
    Ok(())
}

/// Prints `holding` and waits for a line (or the end) of stdin.
pub(crate) fn wait() -> anyhow::Result<()> {
    println!("holding");
    std::io::stdout().flush().context("failed to write to stdout")?;
    std::io::stdin().lock().read_line(&mut String::new()).context("failed to read from stdin")?;
    Ok(())
}

/// Returns a sentence about the device, from the answer to an ioctl.
pub(crate) fn sentence(answer: &std::io::Result<()>) -> anyhow::Result<&'static str> {
    match answer {
        Ok(()) => Ok("An ioctl is answered: the device is still there."),
        Err(error) if Errno::from_io_error(error) == Some(Errno::NODEV) => {
            Ok("An ioctl is answered with ENODEV: the device is gone.")
        }
        Err(error) => bail!("an ioctl is answered with `{error}`, which says nothing about the device"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(errno: Errno) -> anyhow::Result<&'static str> {
        sentence(&Err(std::io::Error::from(errno)))
    }

    #[test]
    fn a_device_that_is_gone_is_no_failure_of_the_client() {
        assert!(told(Errno::NODEV).unwrap().contains("ENODEV"));
        assert!(sentence(&Ok(())).unwrap().contains("still there"));
    }

    #[test]
    fn another_error_is_one() {
        assert!(told(Errno::FAULT).is_err());
    }
}
