// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An entry's number is not that of a DRM ioctl.

include!("../driver.rs");

fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result {
    Ok(())
}

const FOREIGN: u32 = _IOW::<Args>(b'f' as u32, 0x40); //~ WRONG
//= const FOREIGN: u32 = _IOW::<Args>(b'd' as u32, 0x40);
const ENTRY: ioctl::Entry<Mini> = ioctl::Entry::<Mini>::new::<Args, _, _>(FOREIGN, c"FOREIGN", ioctl::Flags::NONE, &handler);
