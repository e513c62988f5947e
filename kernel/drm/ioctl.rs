// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver's ioctls, as a table that is checked at compile time.
//!
//! An entry names the uapi's ioctl number, its argument type, the permitted callers, and the
//! handler. The compiler checks that the numbers are the uapi's, in order and without gaps. It
//! checks that the argument has the size and direction that the number encodes and consists of
//! plain bytes. And it checks that the handler takes the device, the data and the file of the
//! driver that owns the table (L10).
//!
//! A handler is one of two kinds. Its first parameter determines the kind:
//!
//! - *Guarded*:
//!   `fn(&Plugged<'_, T>, &T::RegistrationData<'_>, argument, &File<T::File>) -> Result`. It runs
//!   while the device is plugged; otherwise the ioctl fails with `ENODEV`. This is the default
//!   choice.
//! - *Unguarded*: `fn(&Device<T, Registered>, argument, &File<T::File>) -> Result`. Use it for work
//!   that needs only memory, or that blocks for long: it does not delay an unplug, and costs no
//!   SRCU section. (At the entry of an ioctl, C fails with `ENODEV` for it, too.) It may use
//!   [`Device::enter`]. With `&`[`Unguarded<'_, T>`](Unguarded) as its first parameter it may also
//!   call what only unguarded ioctls may.
//!
//! The argument is `&A` for an ioctl that userspace only writes to (`_IOW`), and `&mut A` for one
//! that returns data (`_IOR`, `_IOWR`). A handler may return `Result`, or `Result<u32>` with the
//! value of the system call.
//!
//! C header: `include/drm/drm_ioctl.h`

use crate::{
    Device,
    Driver,
    File,
    Plugged,
    Registered, //
};
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    ioctl::{
        _IOC_DIR,
        _IOC_NR,
        _IOC_SIZE,
        _IOC_TYPE, //
    },
    prelude::*,
    uapi, //
};

/// Returns the number of a driver's ioctl `nr` (from 0) that userspace only writes to, for a uapi
/// without a C header.
pub const fn iow<A>(nr: u32) -> u32 {
    kernel::ioctl::_IOW::<A>(uapi::DRM_IOCTL_BASE as u32, uapi::DRM_COMMAND_BASE + nr)
}

/// Returns the number like [`iow`], for an ioctl that userspace writes to and reads from.
pub const fn iowr<A>(nr: u32) -> u32 {
    kernel::ioctl::_IOWR::<A>(uapi::DRM_IOCTL_BASE as u32, uapi::DRM_COMMAND_BASE + nr)
}

/// The permitted callers of an ioctl (`enum drm_ioctl_flags`).
#[derive(Clone, Copy)]
pub struct Flags(u32);

impl Flags {
    /// Any client of the primary node.
    pub const NONE: Self = Self(0);

    /// Clients of the render node too. Set it for everything that rendering needs.
    pub const RENDER_ALLOW: Self = Self(bindings::drm_ioctl_flags_DRM_RENDER_ALLOW);

    /// On the primary node, only clients that the master has authenticated.
    pub const AUTH: Self = Self(bindings::drm_ioctl_flags_DRM_AUTH);

    /// Only the current master, through the primary node. Set it for everything that changes the
    /// display.
    pub const MASTER: Self = Self(bindings::drm_ioctl_flags_DRM_MASTER);

    /// Only a process with `CAP_SYS_ADMIN`.
    pub const ROOT_ONLY: Self = Self(bindings::drm_ioctl_flags_DRM_ROOT_ONLY);

    /// Combines the two sets of flags.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The argument of an ioctl: plain bytes in both directions, so that no invalid value can come in
/// and no padding leaks out.
///
/// The trait is implemented for every type that derives zerocopy's `FromBytes` and `IntoBytes`. The
/// bindings of a driver's uapi header are generated with these derives (kernel/Kbuild).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an ioctl's argument: it is not known to consist of plain bytes",
    note = "derive `FromBytes` and `IntoBytes` (an explicit field for each byte of padding)"
)]
pub trait Argument: FromBytes + IntoBytes {}
impl<A: FromBytes + IntoBytes> Argument for A {}

/// A handler's value for success: nothing (0), or the value of the system call.
#[diagnostic::on_unimplemented(
    message = "an ioctl handler returns `Result` or `Result<u32>`, not `Result<{Self}>`"
)]
pub trait Success {
    /// Returns the system call's value, or `ERANGE` if it does not fit.
    #[doc(hidden)]
    fn into_value(self) -> c_int;
}

impl Success for () {
    #[inline]
    fn into_value(self) -> c_int {
        0
    }
}

impl Success for u32 {
    #[inline]
    fn into_value(self) -> c_int {
        self.try_into().unwrap_or(ERANGE.to_errno())
    }
}

#[inline]
fn outcome<S: Success>(result: Result<S>) -> c_int {
    result.map_or_else(|e| e.to_errno(), S::into_value)
}

/// Says whether an ioctl returns data in its argument, according to its number. The type has no
/// values.
#[doc(hidden)]
pub enum Direction<const RETURNS: bool> {}

/// The way in which a handler takes its argument.
#[doc(hidden)]
pub trait Passing {
    /// `&A` or `&mut A`.
    type Ref<'x, A: 'x>;

    /// Passes the argument in the form that the handler takes.
    fn pass<A>(arg: &mut A) -> Self::Ref<'_, A>;
}

impl Passing for Direction<false> {
    type Ref<'x, A: 'x> = &'x A;

    #[inline]
    fn pass<A>(arg: &mut A) -> &A {
        arg
    }
}

impl Passing for Direction<true> {
    type Ref<'x, A: 'x> = &'x mut A;

    #[inline]
    fn pass<A>(arg: &mut A) -> &mut A {
        arg
    }
}

/// An ioctl that C has called, for its handler. Only the entry of the table makes one, so a driver
/// cannot call a handler itself: an unguarded one must not run in a guarded one (K36).
#[doc(hidden)]
pub struct Call<'c, T: Driver, A> {
    dev: &'c Device<T, Registered>,
    arg: &'c mut A,
    file: &'c File<T::File>,
}

/// A function that can handle an ioctl of driver `T` with argument `A`, in the [`Direction`] `D`.
/// `Kind` is the kind of handler and is always inferred. See the [module](self).
#[diagnostic::on_unimplemented(
    message = "this function cannot handle an ioctl of driver `{T}` with argument `{A}`",
    label = "not a handler for this entry of this driver's table",
    note = "guarded: `fn(&Plugged<'_, {T}>, &<{T} as Driver>::RegistrationData<'_>, &mut {A}, &File<<{T} as Driver>::File>) -> Result`",
    note = "unguarded: `fn(&Device<{T}, Registered>, &mut {A}, &File<<{T} as Driver>::File>) -> Result`, or with `&Unguarded<'_, {T}>` first",
    note = "an ioctl that userspace only writes to takes `&{A}` instead (here: `{D}`, whether it returns something); no parameter may ask for a longer life than the call"
)]
pub trait Handler<T: Driver, A, D, Kind>: Copy + 'static {
    /// Calls the handler.
    #[doc(hidden)]
    fn handle(self, call: Call<'_, T, A>) -> c_int;
}

/// The kinds of handlers, as types without values.
#[doc(hidden)]
pub mod kind {
    use core::marker::PhantomData;

    pub struct Guarded<S>(PhantomData<S>);
    pub struct Unguarded<S>(PhantomData<S>);
    pub struct UnguardedCall<S>(PhantomData<S>);
}

/// An unguarded ioctl that is being handled. It dereferences to the device.
///
/// A handler takes it rather than the device for what guarded ioctls and hooks must not do: what
/// waits for locks that others hold for long.
pub struct Unguarded<'x, T: Driver>(&'x Device<T, Registered>);

impl<T: Driver> Deref for Unguarded<'_, T> {
    type Target = Device<T, Registered>;

    fn deref(&self) -> &Device<T, Registered> {
        self.0
    }
}

impl<T, A, D, S, F> Handler<T, A, D, kind::UnguardedCall<S>> for F
where
    T: Driver,
    A: 'static,
    D: Passing,
    S: Success,
    F: Copy + 'static,
    F: for<'x> Fn(&'x Unguarded<'x, T>, D::Ref<'x, A>, &'x File<T::File>) -> Result<S>,
{
    #[inline]
    fn handle(self, call: Call<'_, T, A>) -> c_int {
        outcome(self(&Unguarded(call.dev), D::pass(call.arg), call.file))
    }
}

impl<T, A, D, S, F> Handler<T, A, D, kind::Guarded<S>> for F
where
    T: Driver,
    A: 'static,
    D: Passing,
    S: Success,
    F: Copy + 'static,
    F: for<'x, 'g, 'a> Fn(
        &'x Plugged<'g, T>,
        &'g T::RegistrationData<'a>,
        D::Ref<'x, A>,
        &'x File<T::File>,
    ) -> Result<S>,
{
    #[inline]
    fn handle(self, call: Call<'_, T, A>) -> c_int {
        let Call { dev, arg, file } = call;
        dev.enter(|plugged| {
            plugged.registration(|data| outcome(self(&plugged, data, D::pass(arg), file)))
        })
        .unwrap_or(ENODEV.to_errno())
    }
}

impl<T, A, D, S, F> Handler<T, A, D, kind::Unguarded<S>> for F
where
    T: Driver,
    A: 'static,
    D: Passing,
    S: Success,
    F: Copy + 'static,
    F: for<'x> Fn(&'x Device<T, Registered>, D::Ref<'x, A>, &'x File<T::File>) -> Result<S>,
{
    #[inline]
    fn handle(self, call: Call<'_, T, A>) -> c_int {
        outcome(self(call.dev, D::pass(call.arg), call.file))
    }
}

/// An argument whose handler is `H`. An entry requires this trait rather than [`Handler`].
///
/// This trait and the ones below put the requirements on the argument's type. So the compiler's
/// message points at that type, and thereby at the entry. Otherwise it would show the whole table.
#[doc(hidden)]
pub trait HandledBy<H, T: Driver, D, Kind>: Sized {
    /// Calls `handler`.
    fn handle(handler: H, call: Call<'_, T, Self>) -> c_int;
}

impl<A, T: Driver, D, Kind, H: Handler<T, A, D, Kind>> HandledBy<H, T, D, Kind> for A {
    #[inline]
    fn handle(handler: H, call: Call<'_, T, A>) -> c_int {
        handler.handle(call)
    }
}

/// Allows an entry with the ioctl number `NR` in place `PLACE` of a table, if the two are the same.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the ioctl with number {NR} stands in place {PLACE} of the table (from 0)",
    label = "the entry with this argument is not in its place",
    note = "the entries are in the order of the ioctl numbers; for a number that is not used, write `_;`"
)]
pub trait InPlace<const NR: u32, const PLACE: u32> {}
impl<A, const NR: u32> InPlace<NR, NR> for A {}

/// Allows an argument of `BYTES` for an ioctl whose number says `SIZE` bytes, if the two are the
/// same.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the ioctl's number says that its argument has {SIZE} bytes; `{Self}` has {BYTES}",
    label = "not the type of this ioctl's argument"
)]
pub trait OfSize<const SIZE: usize, const BYTES: usize> {}
impl<A, const SIZE: usize> OfSize<SIZE, SIZE> for A {}

/// Returns whether ioctl `cmd` returns data in its argument.
#[doc(hidden)]
pub const fn returns(cmd: u32) -> bool {
    _IOC_DIR(cmd) & uapi::_IOC_READ != 0
}

/// Returns the place of ioctl `cmd` in its driver's table. A number of the core's has none.
#[doc(hidden)]
pub const fn number(cmd: u32) -> u32 {
    _IOC_NR(cmd).wrapping_sub(uapi::DRM_COMMAND_BASE)
}

/// Returns the size of the argument of ioctl `cmd`, in bytes.
#[doc(hidden)]
pub const fn size(cmd: u32) -> usize {
    _IOC_SIZE(cmd)
}

/// An entry of the table of driver `T`. [`ioctls!`](crate::ioctls!) creates it.
#[repr(transparent)]
pub struct Entry<T: Driver> {
    desc: bindings::drm_ioctl_desc,
    /// Invariant in `T`: a subtype of `T` may be another driver (L10).
    _driver: PhantomData<fn(T) -> T>,
}

impl<T: Driver> Entry<T> {
    /// An entry for a number that the uapi does not use. The ioctl fails with `EINVAL`.
    #[doc(hidden)]
    pub const RESERVED: Self = Self {
        desc: pin_init::zeroed(),
        _driver: PhantomData,
    };

    /// Creates the entry for ioctl `cmd`.
    ///
    /// The macro also passes the parts of `cmd` as parameters. So a mismatch is a trait that is not
    /// implemented, which the compiler explains better than a failed constant.
    #[doc(hidden)]
    pub const fn new<
        A,
        const RETURNS: bool,
        const NR: u32,
        const PLACE: u32,
        const SIZE: usize,
        const BYTES: usize,
        Kind,
        H,
    >(
        cmd: u32,
        name: &'static CStr,
        flags: Flags,
        _handler: H,
    ) -> Self
    where
        A: Argument + InPlace<NR, PLACE> + OfSize<SIZE, BYTES>,
        A: HandledBy<H, T, Direction<RETURNS>, Kind>,
        H: Copy + 'static,
    {
        assert!(
            _IOC_TYPE(cmd) == uapi::DRM_IOCTL_BASE as u32,
            "not a DRM ioctl: its type is not 'd'"
        );
        // Repeats the checks of the traits, which have better messages. Any code may implement the
        // traits, so they prove nothing.
        assert!(
            size(cmd) == size_of::<A>(),
            "the argument type has another size than the ioctl number says"
        );
        assert!(
            returns(cmd) == RETURNS,
            "the direction differs from the ioctl number"
        );
        assert!(
            align_of::<A>() <= 8,
            "the DRM core aligns an ioctl's argument to 8 bytes at least, no more"
        );
        assert!(
            size_of::<H>() == 0,
            "a handler is a function or a closure that captures nothing"
        );
        Self {
            desc: bindings::drm_ioctl_desc {
                cmd,
                flags: flags.0,
                func: Some(call::<T, A, Direction<RETURNS>, Kind, H>),
                name: kernel::str::as_char_ptr_in_const_context(name),
            },
            _driver: PhantomData,
        }
    }
}

/// Calls the handler of an entry, for C.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
unsafe extern "C" fn call<T: Driver, A: Argument + HandledBy<H, T, D, Kind>, D, Kind, H>(
    dev: *mut bindings::drm_device,
    arg: *mut c_void,
    file: *mut bindings::drm_file,
) -> c_int {
    // SAFETY: `Entry::new` was given a value of this type, which has no size and is `Copy`. Another
    // one can be read without any memory (L10).
    let handler = unsafe { NonNull::<H>::dangling().read() };

    // SAFETY: `Table<T>` is used only for devices of driver `T` (`DriverTable`). An ioctl arrives
    // through an open file, so registration has begun, and the file keeps the device (L10).
    let dev = unsafe { Device::<T, Registered>::from_raw(dev) };
    // SAFETY: As above. `T::File::open` opened the file (L10).
    let file = unsafe { File::<T::File>::from_raw(file) };
    // SAFETY: `drm_ioctl()` passes a buffer of at least `_IOC_SIZE(cmd)` bytes that is ours during
    // the call. All of it is initialised: bytes that userspace did not pass are zero. `Entry::new`
    // compared the size, and `A` is plain bytes. The buffer is aligned to 8 bytes. kmalloc
    // guarantees that. C does not guarantee it for the array of `char` on the stack, but the ABI of
    // x86-64 does (arrays of 16 bytes and more are aligned to 16), and no other architecture is
    // built for (L10).
    let arg = unsafe { &mut *arg.cast::<A>() };

    A::handle(handler, Call { dev, arg, file })
}

/// The ioctl table of driver `T`. [`ioctls!`](crate::ioctls!) creates it.
pub struct Table<T: Driver>(&'static [Entry<T>]);

impl<T: Driver> Table<T> {
    /// Creates a table, at compile time.
    #[doc(hidden)]
    pub const fn new(entries: &'static [Entry<T>]) -> Self {
        let end = (uapi::DRM_COMMAND_END - uapi::DRM_COMMAND_BASE) as usize;
        assert!(
            entries.len() <= end,
            "more ioctls than a driver has numbers"
        );

        let mut i = 0;
        while i < entries.len() {
            let cmd = entries[i].desc.cmd;
            assert!(
                cmd == 0 || _IOC_NR(cmd) == uapi::DRM_COMMAND_BASE + i as u32,
                "the entries are in the order of the ioctl numbers"
            );
            i += 1;
        }
        Self(entries)
    }

    /// Creates a table without ioctls.
    pub const fn empty() -> Self {
        Self(&[])
    }

    /// Returns the table with the first `count` numbers only. Other ioctls fail with `EINVAL`, as
    /// unknown ones do.
    ///
    /// Evaluate it at compile time, where a `count` beyond the table's end is an error.
    pub const fn first(&self, count: usize) -> Self {
        Self(self.0.split_at(count).0)
    }

    pub(crate) const fn as_ptr(&self) -> *const bindings::drm_ioctl_desc {
        // CAST: `Entry` is a transparent wrapper.
        self.0.as_ptr().cast()
    }

    pub(crate) const fn len(&self) -> c_int {
        self.0.len() as c_int
    }
}

/// Declares the ioctls of a driver, in the order of their numbers, as the associated constant
/// [`Driver::IOCTLS`].
///
/// Each entry is `NUMBER: argument type, flags => handler;`. The number is the uapi's `DRM_IOCTL_…`
/// constant, and the flags are the names in [`Flags`], joined by `|`. Write `_;` for a number that
/// the uapi does not use.
///
/// # Examples
///
/// ```
/// # #[derive(FromBytes, IntoBytes)]
/// # #[repr(C)]
/// # struct Attach { handle: u32, flags: u32, fence: u32, pad: u32 }
/// # #[derive(FromBytes, IntoBytes)]
/// # #[repr(C)]
/// # struct Signal { fence: u32, flags: u32 }
/// # const ATTACH: u32 = ioctl::iowr::<Attach>(1);
/// # const SIGNAL: u32 = ioctl::iow::<Signal>(2);
/// impl Client {
///     fn attach(
///         dev: &Plugged<'_, Mini>,
///         data: &Hardware<'_>,
///         args: &mut Attach,
///         file: &File<Self>,
///     ) -> Result {
///         // … the device is plugged, and `data` can be used.
///         Ok(())
///     }
///
///     fn signal(dev: &Device<Mini, Registered>, args: &Signal, file: &File<Self>) -> Result {
///         // … the device may be gone.
///         Ok(())
///     }
/// }
///
/// # impl Mini { // in `impl drm::Driver for …`
/// drm::ioctls! {
///     _; // number 0 is not used
///     ATTACH: Attach, RENDER_ALLOW => Client::attach;
///     SIGNAL: Signal, AUTH | RENDER_ALLOW => Client::signal;
/// }
/// # }
/// ```
#[macro_export]
macro_rules! ioctls {
    ($($body:tt)*) => {
        const IOCTLS: $crate::ioctl::Table<Self> =
            $crate::ioctl::Table::new(const { &$crate::__ioctl_entries!([] [0] $($body)*) });
    };
}

/// Converts the entries of [`ioctls!`](crate::ioctls!) into an array, and counts them.
#[doc(hidden)]
#[macro_export]
macro_rules! __ioctl_entries {
    ([$($done:expr,)*] [$($place:tt)*]) => { [$($done,)*] };
    ([$($done:expr,)*] [$($place:tt)*] _; $($rest:tt)*) => {
        $crate::__ioctl_entries!(
            [$($done,)* $crate::ioctl::Entry::RESERVED,]
            [$($place)* + 1]
            $($rest)*
        )
    };
    (
        [$($done:expr,)*] [$($place:tt)*]
        $cmd:path: $arg:ty, $($flag:ident)|+ => $handler:expr;
        $($rest:tt)*
    ) => {
        $crate::__ioctl_entries!(
            [
                $($done,)*
                $crate::ioctl::Entry::<Self>::new::<
                    $arg,
                    { $crate::ioctl::returns($cmd) },
                    { $crate::ioctl::number($cmd) },
                    { $($place)* },
                    { $crate::ioctl::size($cmd) },
                    { ::core::mem::size_of::<$arg>() },
                    _,
                    _,
                >(
                    $cmd,
                    ::kernel::c_str!(::core::stringify!($cmd)),
                    $crate::ioctl::Flags::NONE$(.and($crate::ioctl::Flags::$flag))+,
                    $handler,
                ),
            ]
            [$($place)* + 1]
            $($rest)*
        )
    };
}
