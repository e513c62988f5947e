// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An argument says by itself that it has the size in the ioctl's number.
//!
//! The trait is there for the compiler's messages; what counts is compared beside it.

include!("../driver.rs");

#[derive(FromBytes, IntoBytes)]
#[repr(C)]
struct Long {
    words: [u64; 2],
}

impl ioctl::OfSize<8, 16> for Long {}

fn handler<A>(_: &Device<Mini, Registered>, _: &A, _: &File<Client>) -> Result {
    Ok(())
}

impl Mini {
    drm::ioctls! {
        WRITE: Long, NONE => handler::<Long>; //~ WRONG
        //= WRITE: Args, NONE => handler::<Args>;
    }
}

const TABLE: ioctl::Table<Mini> = Mini::IOCTLS;
