// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handler returns what a system call cannot.

include!("../driver.rs");

fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result<u64> { //~ WRONG
//= fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result<u32> {
    Ok(0)
}

const ENTRY: ioctl::Entry<Mini> = ioctl::Entry::<Mini>::new::<Args, _, _>(WRITE, c"WRITE", ioctl::Flags::NONE, &handler);
