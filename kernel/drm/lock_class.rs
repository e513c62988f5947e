// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Lock classes that are the same in all modules.
//!
//! Source: `look_up_lock_class()` in kernel/locking/lockdep.c

/// Returns the name and the key of a lock's class.
///
/// Generic and inlined code is compiled into each driver's module, so a literal in it has another
/// address in each. lockdep compares addresses, and reports a key that it knows under a name at
/// another address. So both come from a function that is compiled once.
macro_rules! lock_class {
    ($name:literal) => {{
        #[inline(never)]
        fn class() -> (
            &'static ::kernel::str::CStr,
            ::core::pin::Pin<&'static ::kernel::sync::LockClassKey>,
        ) {
            ($name, ::kernel::static_lock_class!())
        }
        class()
    }};
}

pub(crate) use lock_class;
