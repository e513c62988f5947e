// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An entry's argument has another size than its number.
//!
//! C copies as many bytes as the number says, and the handler would read beyond them.

include!("../driver.rs");

fn handler<A>(_: &Device<Mini, Registered>, _: &A, _: &File<Client>) -> Result {
    Ok(())
}

impl Mini {
    drm::ioctls! {
        WRITE: [u64; 2], NONE => handler::<[u64; 2]>; //~ WRONG
        //= WRITE: u64, NONE => handler::<u64>;
    }
}
