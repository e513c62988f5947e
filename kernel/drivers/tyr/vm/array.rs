// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Arrays of structures that a client passes, whose size may be that of an older or newer header.
//!
//! uapi: `struct drm_panthor_obj_array`

use crate::uapi;
use kernel::{
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice,
        UserSliceReader, //
    },
};

/// Reads all elements of `array`. All fields of `T` were in the header's first version.
///
/// # Errors
///
/// `EINVAL` if an element is shorter than `T`, `E2BIG` if it has more that is not zero, `EFAULT`, `ENOMEM`.
///
/// Context: process context, may sleep.
pub(super) fn read<T: FromBytes + IntoBytes>(
    array: &uapi::drm_panthor_obj_array,
) -> Result<KVVec<T>> {
    let mut elements = KVVec::new();
    if array.count == 0 {
        return Ok(elements);
    }
    let stride = array.stride as usize;
    let extra = stride.checked_sub(size_of::<T>()).ok_or(EINVAL)?;
    let start: usize = array.array.try_into().map_err(|_| EFAULT)?;
    let length = stride.checked_mul(array.count as usize).ok_or(EFAULT)?;
    let mut reader = UserSlice::new(UserPtr::from_addr(start), length).reader();
    for _ in 0..array.count {
        // One by one: there is memory for what the client really has only.
        let mut element = T::new_zeroed();
        reader.read_slice(element.as_mut_bytes())?;
        elements.push(element, GFP_KERNEL | __GFP_NOWARN)?;
        expect_zeros(&mut reader, extra)?;
    }
    Ok(elements)
}

/// Reads `length` bytes, which are of a header that this driver does not know and mean nothing if they are zero.
fn expect_zeros(reader: &mut UserSliceReader, mut length: usize) -> Result {
    let mut chunk = [0u8; 64];
    while length != 0 {
        let part = &mut chunk[..length.min(64)];
        reader.read_slice(part)?;
        if part.iter().any(|byte| *byte != 0) {
            return Err(E2BIG);
        }
        length -= part.len();
    }
    Ok(())
}
