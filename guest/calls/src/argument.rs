// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The structures that a driver's own ioctls carry.

/// A number of fixed size: the type of a field of an argument.
pub trait Number {}

impl Number for u32 {}
impl Number for i32 {}
impl Number for u64 {}
impl Number for i64 {}

/// Declares the argument of an ioctl: a structure whose fields are `u32`, `i32`, `u64` and `i64`, without padding.
///
/// Padding is a compile error: write the field that fills it, as the driver must too. No field may be an address that
/// the kernel reads or writes through, because nothing checks it.
#[macro_export]
macro_rules! argument {
    ($(#[$attribute:meta])* struct $name:ident { $($field:ident: $number:ty),* $(,)? }) => {
        $(#[$attribute])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        struct $name {
            $($field: $number),*
        }

        const _: () = {
            const fn is_number<T: $crate::Number>() {}
            $(is_number::<$number>();)*
            let fields = 0 $(+ ::std::mem::size_of::<$number>())*;
            assert!(::std::mem::size_of::<$name>() == fields, "the structure has padding");
        };

        // SAFETY: `repr(C)`. The lines above exclude padding and fields that are no numbers.
        unsafe impl $crate::Plain for $name {}
    };
}

#[cfg(test)]
mod tests {
    use crate::Ioctl;

    argument! {
        struct Gem { handle: u32, pad: u32, size: u64 }
    }

    #[test]
    fn numbers_are_those_of_the_kernels_headers() {
        // DRM_IOCTL_NOVA_GEM_CREATE, and the direction of an ioctl that only writes.
        assert_eq!(Ioctl::<Gem>::iowr(1).number, 0xc010_6441);
        assert_eq!(Ioctl::<Gem>::iow(0).number, 0x4010_6440);
    }
}
