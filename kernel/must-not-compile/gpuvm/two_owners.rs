// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An address space gets a second owner.
//!
//! Each owner would end it.

include!("../driver.rs");

fn share(owner: &Owner<MiniSpace>) {
    let other: Owner<MiniSpace> = owner.clone(); //~ WRONG
//=     let other: ARef<Vm<MiniSpace>> = ARef::from(&**owner);
}
