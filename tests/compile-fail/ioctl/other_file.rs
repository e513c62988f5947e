// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An ioctl's handler takes another driver's file.
//!
//! The table belongs to one driver, and so do its devices, files and data (L10).

include!("../driver.rs");

fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<OtherClient>) -> Result { //~ WRONG
//= fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result {
    Ok(())
}

const ENTRY: ioctl::Entry<Mini> = ioctl::Entry::<Mini>::new::<Args, _, _>(WRITE, c"WRITE", ioctl::Flags::NONE, &handler);
