// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `flush` writes the state that is in force.
//!
//! The next commit may read the state at the same time. Only a check writes, and only the new one (K8).

include!("../driver.rs");
include!("../display.rs");

fn flush(commit: &CrtcCommit<'_, Screen>) {
    ***commit.new_state() = 1; //~ WRONG
    //= let lines: u32 = ***commit.new_state();
}
