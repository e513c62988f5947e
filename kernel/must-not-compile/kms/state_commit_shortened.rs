// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A commit is taken for one with a shorter lifetime.
//!
//! The lifetime is a name: only the commit of the hook has it (K13).

include!("../driver.rs");
include!("../display.rs");

fn shorten<'a, 'c>(commit: &'a CrtcCommit<'c, Screen>) -> &'a CrtcCommit<'a, Screen> { //~ WRONG
//= fn shorten<'a, 'c>(commit: &'a CrtcCommit<'c, Screen>) -> &'a CrtcCommit<'c, Screen> {
    commit
}
