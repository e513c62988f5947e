// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A type without steps is used as an address space.

include!("../driver.rs");

fn end(owner: Owner<Client>) { //~ WRONG
//= fn end(owner: Owner<MiniSpace>) {
    drop(owner);
}
