// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Arguments of ioctls as structures, and the numbers of ioctls.

use std::marker::PhantomData;

/// A field of an argument: a number of fixed size.
pub trait Field: Sized {
    /// Appends the field's bytes.
    fn put(&self, bytes: &mut Vec<u8>);

    /// Takes the field from the start of `bytes`.
    fn get(bytes: &mut &[u8]) -> Self;
}

macro_rules! fields {
    ($($number:ty),*) => {$(
        impl Field for $number {
            fn put(&self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_ne_bytes());
            }

            fn get(bytes: &mut &[u8]) -> Self {
                let (own, rest) = bytes.split_first_chunk().expect("a call keeps the number of bytes");
                *bytes = rest;
                Self::from_ne_bytes(*own)
            }
        }
    )*};
}

fields!(u32, i32, u64, i64);

/// The argument of an ioctl. [`argument!`](crate::argument!) declares and implements it.
pub trait Argument: Sized {
    /// The size in bytes.
    const SIZE: usize;

    /// Appends the argument's bytes.
    fn put(&self, bytes: &mut Vec<u8>);

    /// Takes the argument from the start of `bytes`.
    fn get(bytes: &mut &[u8]) -> Self;
}

/// Declares the argument of an ioctl: a structure whose fields are `u32`, `i32`, `u64` and `i64`, without padding.
///
/// Padding would be a compile error: write the field that fills it, as the driver must too.
#[macro_export]
macro_rules! argument {
    ($(#[$attribute:meta])* struct $name:ident { $($field:ident: $number:ty),* $(,)? }) => {
        $(#[$attribute])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        struct $name {
            $($field: $number),*
        }

        impl $crate::Argument for $name {
            const SIZE: usize = {
                let fields = 0 $(+ ::std::mem::size_of::<$number>())*;
                assert!(::std::mem::size_of::<Self>() == fields, "the structure has padding");
                fields
            };

            fn put(&self, bytes: &mut Vec<u8>) {
                $($crate::Field::put(&self.$field, bytes);)*
            }

            fn get(bytes: &mut &[u8]) -> Self {
                Self { $($field: $crate::Field::get(bytes)),* }
            }
        }
    };
}

/// An ioctl of the type `d` (DRM) with the argument `A`.
#[derive(Debug)]
pub struct Ioctl<A> {
    number: u32,
    _argument: PhantomData<A>,
}

/// `DRM_COMMAND_BASE`: the first number of a driver's own ioctls.
const COMMAND_BASE: u32 = 0x40;
/// The directions in an ioctl's number, as the client sees them.
const WRITE: u32 = 1;
const READ: u32 = 2;

impl<A: Argument> Ioctl<A> {
    /// Returns the driver's ioctl `number` (from 0) that the client only writes to.
    #[must_use]
    pub const fn iow(number: u32) -> Self {
        Self::new(WRITE, COMMAND_BASE + number)
    }

    /// Returns the driver's ioctl `number` (from 0) that the client writes to and reads from.
    #[must_use]
    pub const fn iowr(number: u32) -> Self {
        Self::new(READ | WRITE, COMMAND_BASE + number)
    }

    /// Returns an ioctl of the DRM core that the client only writes to.
    pub(crate) const fn core_iow(number: u32) -> Self {
        Self::new(WRITE, number)
    }

    /// Returns an ioctl of the DRM core that the client writes to and reads from.
    pub(crate) const fn core_iowr(number: u32) -> Self {
        Self::new(READ | WRITE, number)
    }

    const fn new(direction: u32, number: u32) -> Self {
        assert!(A::SIZE < 1 << 14, "the number has 14 bits for the size");
        let number = direction << 30 | (A::SIZE as u32) << 16 | (b'd' as u32) << 8 | number;
        Self { number, _argument: PhantomData }
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    argument! {
        struct Gem { handle: u32, pad: u32, size: u64 }
    }

    #[test]
    fn numbers_are_those_of_the_kernels_headers() {
        // DRM_IOCTL_NOVA_GEM_CREATE, DRM_IOCTL_NOVA_GETPARAM's direction, DRM_IOCTL_GEM_CLOSE's type.
        assert_eq!(Ioctl::<Gem>::iowr(1).number(), 0xc010_6441);
        assert_eq!(Ioctl::<Gem>::iow(0).number(), 0x4010_6440);
    }

    #[test]
    fn arguments_keep_their_values_and_the_order_of_their_fields() {
        let gem = Gem { handle: 1, pad: 2, size: 3 };
        let mut bytes = Vec::new();
        gem.put(&mut bytes);
        assert_eq!(bytes.len(), Gem::SIZE);
        assert_eq!((bytes[0], bytes[4], bytes[8]), (1, 2, 3));
        assert_eq!(Gem::get(&mut bytes.as_slice()), gem);
    }
}
