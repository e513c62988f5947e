// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Test driver: the first of two whose crate roots have the same file name, and contain a type of
//! the same name.

#![forbid(unsafe_code)]

use core::any::TypeId;
use drm::bus::Parent;
use kernel::prelude::*;

drm::module_faux_driver! {
    parent: Twin,
    name: "twin_one",
    authors: ["The Drydock authors"],
    description: "Test driver: the first of two with one root file name",
    license: "Dual MIT/GPL",
}

struct Twin;

/// A number. The other driver has a box under this name.
#[expect(dead_code, reason = "only the type matters")]
struct Kept(u64);

#[vtable]
impl drm::parent::Driver for Twin {
    type Data<'bound> = ();
    const NAME: &'static CStr = c"twin_one";
}

impl drm::faux::Driver<Parent> for Twin {
    fn probe<'bound>(cx: &drm::faux::Probe<'bound>) -> Result<Pin<KBox<()>>> {
        dev_info!(cx, "kept is {:?}\n", TypeId::of::<Kept>());
        Ok(KBox::pin((), GFP_KERNEL)?)
    }
}
