// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handler takes another type than its table entry says.

include!("../driver.rs");

fn handler(_: &Device<Mini, Registered>, _: &u64, _: &File<Client>) -> Result { //~ WRONG
//= fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result {
    Ok(())
}

const ENTRY: ioctl::Entry<Mini> = ioctl::Entry::<Mini>::new::<Args, _, _>(WRITE, c"WRITE", ioctl::Flags::NONE, &handler);
