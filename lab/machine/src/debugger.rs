// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! gdb on the guest's kernel: the socket at which it connects, and a script that gives it names, lines and frames.
//!
//! Our modules have DWARF, and so has a kernel that was built here. A stock kernel and its modules have none: that is a
//! package of more than a gigabyte (decision 0016). For them the script loads a file that is made from what the kernel has
//! itself: the names in `/proc/kallsyms`, and the ORC tables by which it unwinds its own stack.

mod elf;
mod kernel;
mod orc;
mod script;
mod session;

pub(crate) use kernel::symbol_file;
pub(crate) use script::{is_kept, script};
pub use session::Session;

/// Words for the kernel's command line: the addresses of its symbols are those that it was linked with.
pub(crate) const WORDS: &[&str] = &["nokaslr"];

/// A module in the guest.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The bytes of its file.
    pub(crate) bytes: Vec<u8>,
    /// The names of its sections and their addresses in the guest.
    pub(crate) sections: Vec<(String, u64)>,
}
