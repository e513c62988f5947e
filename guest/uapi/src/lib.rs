// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The kernel's interface to user space: ioctl numbers, structures and constants, as far as the guest's programs use
//! them.
//!
//! Each structure, number and constant names its counterpart in C. `tests/headers.rs` lets a C compiler compare all of
//! them with the kernel's headers; `./drydock lint` runs it.
//!
//! Source: `include/uapi` of Linux 7.3; each module names its headers. `asm-generic/ioctl.h` for the layout of numbers.

#![no_std]
#![allow(missing_docs, reason = "a field or constant is documented by the header that it names")]

use core::marker::PhantomData;

/// No data is copied either way.
pub const DIR_NONE: u32 = 0;
/// Userspace writes, the kernel reads.
pub const DIR_WRITE: u32 = 1;
/// Userspace reads, the kernel writes.
pub const DIR_READ: u32 = 2;
/// Data is copied in both directions.
const RW: u32 = DIR_READ | DIR_WRITE;

/// The ioctl type of DRM.
pub const DRM: u8 = b'd';
/// The first number of a driver's own ioctls.
pub const COMMAND_BASE: u8 = 0x40;
/// The size of a page on x86-64, and of a buffer of 32 by 32 pixels of 32 bits.
pub const PAGE: usize = 4096;

/// Returns the number that `_IOC()` makes of direction, type, number and size.
pub const fn ioc(dir: u32, kind: u8, nr: u8, size: usize) -> u32 {
    assert!(size < 1 << 14, "the size field has 14 bits");
    dir << 30 | (size as u32) << 16 | (kind as u32) << 8 | nr as u32
}

/// Returns the size field of an ioctl number.
pub const fn ioc_size(number: u32) -> usize {
    (number >> 16 & 0x3fff) as usize
}

/// An ioctl number with the type of the structure that it carries.
pub struct Request<T> {
    /// The number to pass in the system call.
    pub number: u32,
    argument: PhantomData<fn(T)>,
}

impl<T> Request<T> {
    /// Makes the number of a direction, a type and a number, with the size of `T`.
    pub const fn new(dir: u32, kind: u8, nr: u8) -> Self {
        let number = ioc(dir, kind, nr, size_of::<T>());
        Self { number, argument: PhantomData }
    }

    /// Makes the number of a driver's own ioctl `nr` (from 0) that reads its argument.
    pub const fn iow(nr: u8) -> Self {
        Self::new(DIR_WRITE, DRM, COMMAND_BASE + nr)
    }

    /// Makes the number of a driver's own ioctl `nr` (from 0) that reads its argument and writes the answer there.
    pub const fn iowr(nr: u8) -> Self {
        Self::new(RW, DRM, COMMAND_BASE + nr)
    }
}

/// Plain integers, without pointers: whatever the kernel copies in or out is a valid value.
///
/// # Safety
///
/// The type is `repr(C)`, has no padding, and none of its fields is an address that the kernel
/// would read or write through.
pub unsafe trait Plain: Copy + Default {}

// SAFETY: nothing is copied.
unsafe impl Plain for () {}

// SAFETY: an integer has no padding, and no ioctl here takes an address in 32 bits.
unsafe impl Plain for u32 {}

/// Returns the bytes of a value.
pub fn bytes_of<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: a `Plain` type has no padding, so all of its bytes are initialised.
    unsafe { core::slice::from_raw_parts(core::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// Returns the value that has these bytes.
pub fn of_bytes<T: Plain>(bytes: &[u8]) -> T {
    assert_eq!(bytes.len(), size_of::<T>(), "a value has all of its bytes");
    // SAFETY: the slice has as many bytes as the type, and any bytes are a value of a `Plain` type.
    unsafe { core::ptr::read_unaligned(bytes.as_ptr().cast()) }
}

/// Declares structures, each with the name that it has in C. A structure without addresses is `Plain`.
macro_rules! structures {
    ($($name:ident $(: $plain:ident)? = $c:literal { $($field:ident: $type:ty),* $(,)? })*) => {
        $(
            #[doc = concat!("`struct ", $c, "`")]
            #[repr(C)]
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            pub struct $name { $(pub $field: $type),* }

            // Padding would leak stack bytes into the comparison of what the kernel wrote.
            const _: () = assert!(size_of::<$name>() == 0 $(+ size_of::<$type>())*);

            $(
                // SAFETY: `repr(C)`, the line above excludes padding, and no field is an address.
                unsafe impl $plain for $name {}
            )?
        )*
        pub(crate) const STRUCTURES: &[$crate::header::Structure] = &[$($crate::header::Structure {
            c: $c,
            size: size_of::<$name>(),
            fields: &[$((stringify!($field), core::mem::offset_of!($name, $field))),*],
        }),*];
    };
}

/// Declares ioctls: the structure that each carries, and the number's parts.
macro_rules! requests {
    ($($name:ident: $type:ty = $dir:expr, $kind:expr, $nr:expr, $c:literal;)*) => {
        $(
            #[doc = concat!("`", $c, "`, which carries [`", stringify!($type), "`].")]
            pub const $name: Request<$type> = Request::new($dir, $kind, $nr);
        )*
        pub(crate) const REQUESTS: &[$crate::header::Number] = &[$(($c, 4, $name.number as u64)),*];
    };
}

/// Declares constants.
macro_rules! constants {
    ($($name:ident: $type:ty = $value:expr, $c:literal;)*) => {
        $(
            #[doc = concat!("`", $c, "`")]
            pub const $name: $type = $value;
        )*
        pub(crate) const CONSTANTS: &[$crate::header::Number] = &[$(($c, size_of::<$type>(), $name as u64)),*];
    };
}

pub mod core_ioctls;
pub mod dma_buf;
pub mod fb;
pub mod header;
pub mod mode;
pub mod nova;
pub mod report;
pub mod sync;
pub mod test_drivers;
pub mod tyr;
pub mod vgem;
pub mod vkms;

pub use core_ioctls::*;
pub use dma_buf::*;
pub use test_drivers::*;
pub use vgem::*;
pub use vkms::*;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_can_be_read_back() {
        assert_eq!(ioc_size(VERSION.number), size_of::<Version>());
        assert_eq!(ioc_size(DROP_MASTER.number), 0);
    }
}
