// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Structures that a client passes by address and size, so that each side may use a longer version
//! than the other.
//!
//! Source: `panthor_drm.h`, "generic rules about the data passed to the Panthor IOCTLs"; behaviour:
//! drivers/gpu/drm/panthor/panthor_drv.c (`panthor_set_uobj`, `panthor_get_uobj_array`).

use crate::uapi::drm_panthor_obj_array;
use kernel::{
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice,
        UserSliceReader, //
    },
};

fn user(address: u64, length: usize) -> Result<UserSlice> {
    let address = usize::try_from(address).map_err(|_| EFAULT)?;
    Ok(UserSlice::new(UserPtr::from_addr(address), length))
}

/// Copies as much of `object` to a client as it has room for, and fills any further room with
/// zeroes.
///
/// # Errors
///
/// Fails with `EINVAL` if the client has less room than `min`, the size of the first version of
/// the structure. Fails with `EFAULT`.
pub(crate) fn set<T: FromBytes + IntoBytes>(
    address: u64,
    size: u32,
    min: usize,
    mut object: T,
) -> Result {
    const ZEROES: [u8; 64] = [0; 64];
    let mut room = size as usize;
    if room < min {
        return Err(EINVAL);
    }
    let bytes = object.as_mut_bytes();
    let known = bytes.len().min(room);
    let mut writer = user(address, room)?.writer();
    writer.write_slice(&bytes[..known])?;
    room -= known;
    while room != 0 {
        let count = room.min(ZEROES.len());
        writer.write_slice(&ZEROES[..count])?;
        room -= count;
    }
    Ok(())
}

/// Copies a structure of `size` bytes from a client. Fields that the client does not know are zero.
///
/// # Errors
///
/// Fails with `E2BIG` if the client's structure is longer and the rest is not zero. Fails with
/// `EFAULT`.
pub(crate) fn get<T: FromBytes + IntoBytes>(address: u64, size: u32) -> Result<T> {
    read(&mut user(address, size as usize)?.reader(), size as usize)
}

/// Copies an array of structures from a client, in the client's stride.
///
/// # Errors
///
/// Fails with `EINVAL` if the stride is less than `min`, the size of the first version of the
/// structure. Fails with `E2BIG` like [`get`], with `ENOMEM`, and with `EFAULT`.
pub(crate) fn get_array<T: FromBytes + IntoBytes>(
    array: &drm_panthor_obj_array,
    min: usize,
) -> Result<KVVec<T>> {
    let mut objects = KVVec::new();
    if array.count == 0 {
        return Ok(objects);
    }
    let (stride, count) = (array.stride as usize, array.count as usize);
    if stride < min {
        return Err(EINVAL);
    }
    let length = stride.checked_mul(count).ok_or(EFAULT)?;
    let mut reader = user(array.array, length)?.reader();
    // A client that requests too much must not make the allocator warn.
    objects.reserve(count, GFP_KERNEL | __GFP_NOWARN)?;
    for _ in 0..count {
        objects.push(read(&mut reader, stride)?, GFP_KERNEL | __GFP_NOWARN)?;
    }
    Ok(objects)
}

fn read<T: FromBytes + IntoBytes>(reader: &mut UserSliceReader, size: usize) -> Result<T> {
    let mut object = T::new_zeroed();
    let known = size.min(size_of::<T>());
    reader.read_slice(&mut object.as_mut_bytes()[..known])?;
    let mut left = size - known;
    while left != 0 {
        let mut unknown = [0; 64];
        let count = left.min(unknown.len());
        reader.read_slice(&mut unknown[..count])?;
        if unknown[..count].iter().any(|byte| *byte != 0) {
            return Err(E2BIG);
        }
        left -= count;
    }
    Ok(object)
}
