// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handler cannot write the argument of an ioctl that returns it.

include!("../driver.rs");

fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result { //~ WRONG
//= fn handler(_: &Device<Mini, Registered>, _: &mut Args, _: &File<Client>) -> Result {
    Ok(())
}

const ENTRY: ioctl::Entry<Mini> = ioctl::Entry::<Mini>::new::<Args, _, _>(BOTH, c"BOTH", ioctl::Flags::NONE, &handler);
