// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An argument claims by a trait that it has the size in the ioctl's number.
//!
//! The trait only serves the compiler's messages; the sizes are compared separately.

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
