// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What says nothing about steps is taken for an address space.

include!("../driver.rs");

fn end(owner: Owner<Client>) { //~ WRONG
//= fn end(owner: Owner<MiniSpace>) {
    drop(owner);
}
