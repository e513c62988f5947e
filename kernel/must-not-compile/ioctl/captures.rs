// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handler captures a value.
//!
//! A table is a constant and C calls a bare function, so there is no place for the value.

include!("../driver.rs");

const LIMIT: u32 = 16;

impl Mini {
    drm::ioctls! {
        WRITE: Args, NONE => {
            let limit = LIMIT;
            move |_: &Device<Mini, Registered>, arg: &Args, _: &File<Client>| -> Result {
                if arg.value > limit { //~ WRONG
                //= if arg.value > LIMIT {
                    return Err(EINVAL);
                }
                Ok(())
            }
        };
    }
}

const TABLE: ioctl::Table<Mini> = Mini::IOCTLS;
