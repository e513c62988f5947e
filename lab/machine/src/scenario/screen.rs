// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Takes a picture of what the screens in a guest show. `guest/screen` reads it from there.

use std::time::Duration;

use drydock_agent::protocol::Stream;

use super::content::Program;
use crate::error::Error as VmError;
use crate::guest::Guest;
use crate::pace::patient;

/// The time limit for a picture, on an idle host.
const LIMIT: Duration = Duration::from_secs(60);

/// Returns what the screens show as a PNG file, or the reason why they show nothing that can be read. The image must have
/// [`Program::SCREEN`]. The outer error is one of the guest.
pub fn picture(guest: &Guest) -> Result<Result<Vec<u8>, String>, VmError> {
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
    let said = String::from_utf8_lossy(&said);
    let why = said.trim().trim_start_matches("error: ").to_owned();
    Ok(if status.success() { Ok(png) } else { Err(why) })
}
