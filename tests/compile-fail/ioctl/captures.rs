// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handler captures a value.
//!
//! A table is a constant and C calls a bare function, so there is no place for it.

include!("../driver.rs");

const ENTRY: ioctl::Entry<Mini> = {
    let limit = 16_u32;
    let handler = move |_: &Device<Mini, Registered>, arg: &Args, _: &File<Client>| -> Result {
        if arg.value > limit { //~ WRONG
        //= if arg.value > 16 {
            return Err(EINVAL);
        }
        Ok(())
    };
    ioctl::Entry::<Mini>::new::<Args, _, _>(WRITE, c"WRITE", ioctl::Flags::NONE, &handler)
};
