// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The state of a plane is returned beyond the commit.
//!
//! The next commit frees it: only the hook's borrow of the commit keeps it (K13).

include!("../driver.rs");
include!("../display.rs");

fn lowest<'c>(
    commit: &CrtcCommit<'c, Screen>, //~ WRONG
    //= commit: &'c CrtcCommit<'_, Screen>,
) -> Option<&'c New<PlaneState<Layer>>> {
    commit.planes().map(|(_, state)| state).next()
}
