// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Types that a parent's driver can lend to a child's driver, possibly in another module.
//!
//! Through shared data each of two modules could leave its own text with the other: a closure, a
//! function pointer, a trait object, a reference to a constant. The child's module keeps the
//! parent's module loaded, so text of the parent is harmless. The other direction must not exist,
//! or neither module could ever be unloaded. So only types in which a child can store nothing but
//! plain values can be lent.

use kernel::{
    device,
    io::mem::IoMem,
    pci::{
        self,
        Bar, //
    },
    platform,
    str::CStr,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::Atomic,
        lock::{
            Backend,
            Lock, //
        },
        Arc, //
    },
};

/// Values without pointers of any kind: numbers, and arrays, tuples and options of them.
///
/// # Safety
///
/// No value of the type contains a pointer, nor can a pointer be made from one (L15).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not made of plain numbers",
    note = "what a driver in another module can change is made of numbers, arrays, tuples and options"
)]
pub unsafe trait Plain {}

/// Types of data that a parent's driver can lend to its child's driver
/// ([`add_auxiliary`](super::Probe::add_auxiliary)): numbers, text, handles of the parent's
/// hardware, and combinations of them.
///
/// A driver's own types cannot be lent. Two modules never agree on such a type anyway, because each
/// compiles its own.
///
/// # Safety
///
/// Through a shared reference to a value of the type, safe code can store only [`Plain`] values in
/// the value or in anything reachable from it (L15).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be lent to a driver in another module",
    label = "not one of the types that can be lent",
    note = "such are numbers, text, devices, BARs, atomics and locks of numbers, and references, `Arc`s, tuples, arrays and options of them",
    note = "in other types a driver could leave something that points into its module, beyond that module's end"
)]
pub unsafe trait Lend {}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        // SAFETY: It is a number (L15).
        unsafe impl Plain for $number {}
        // SAFETY: It is a number, which cannot be changed through a shared reference (L15).
        unsafe impl Lend for $number {}
    )*};
}
numbers!(bool, char, u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

macro_rules! atomics {
    ($($number:ty),*) => {$(
        // SAFETY: It stores a number (L15).
        unsafe impl Lend for Atomic<$number> {}
    )*};
}
atomics!(bool, u32, u64, usize, i8, i16, i32, i64, isize);

macro_rules! tuples {
    ($(($($part:ident),*)),*) => {$(
        // SAFETY: Its parts have no pointers (L15).
        unsafe impl<$($part: Plain),*> Plain for ($($part,)*) {}
        // SAFETY: It allows nothing that its parts do not allow (L15).
        unsafe impl<$($part: Lend),*> Lend for ($($part,)*) {}
    )*};
}
tuples!(
    (),
    (A),
    (A, B),
    (A, B, C),
    (A, B, C, D),
    (A, B, C, D, E),
    (A, B, C, D, E, F)
);

// SAFETY: Its elements have no pointers (L15).
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}
// SAFETY: Its value, if it has one, has no pointer (L15).
unsafe impl<T: Plain> Plain for Option<T> {}

// SAFETY: As for its elements (L15).
unsafe impl<T: Lend, const N: usize> Lend for [T; N] {}
// SAFETY: As for its elements (L15).
unsafe impl<T: Lend> Lend for [T] {}
// SAFETY: As for its value (L15).
unsafe impl<T: Lend> Lend for Option<T> {}
// SAFETY: It cannot be changed through a shared reference (L15).
unsafe impl Lend for str {}
// SAFETY: It cannot be changed through a shared reference (L15).
unsafe impl Lend for CStr {}

// SAFETY: It leads to a value for which the same holds. Whatever it points to may be the parent's
// own (L15).
unsafe impl<T: Lend + ?Sized> Lend for &T {}
// SAFETY: As for a reference. Only the count changes (L15).
unsafe impl<T: Lend + ?Sized> Lend for Arc<T> {}
// SAFETY: As for a reference. Only the count changes (L15).
unsafe impl<T: Lend + AlwaysRefCounted> Lend for ARef<T> {}
// SAFETY: The value under the lock is plain (L15).
unsafe impl<T: Plain, B: Backend> Lend for Lock<T, B> {}

// A child may use its parent's devices as the kernel crate lets it use any device that it reaches,
// for example through `kernel::devres`. See "What we trust" in docs/reference/holes.md.
//
// SAFETY: It is a handle of a device of C (L15).
unsafe impl<Ctx: device::DeviceContext> Lend for device::Device<Ctx> {}
// SAFETY: It is a handle of a device of C (L15).
unsafe impl<Ctx: device::DeviceContext> Lend for platform::Device<Ctx> {}
// SAFETY: It is a handle of a device of C (L15).
unsafe impl<Ctx: device::DeviceContext> Lend for pci::Device<Ctx> {}
// SAFETY: Registers take numbers (L15).
unsafe impl<const SIZE: usize> Lend for Bar<'_, SIZE> {}
// SAFETY: Registers take numbers (L15).
unsafe impl<const SIZE: usize> Lend for IoMem<'_, SIZE> {}
