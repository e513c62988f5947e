// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Test driver: the second of two whose crate roots have the same file name.
//!
//! Its module is declared under another name than its file has: the name of a C module with
//! children on the auxiliary bus.

#![forbid(unsafe_code)]

use core::any::TypeId;
use drm::bus::Parent;
use kernel::{
    prelude::*,
    types::CovariantForLt, //
};

drm::module_faux_driver! {
    parent: Twin,
    name: "mlx5_core",
    authors: ["The Drydock authors"],
    description: "Test driver: the second of two with one root file name",
    license: "Dual MIT/GPL",
}

struct Twin;

/// A box. The other driver has a number under this name.
#[expect(dead_code, reason = "only the type matters")]
struct Kept(KBox<u64>);

#[vtable]
impl drm::parent::Driver for Twin {
    type Data<'bound> = ();
    const NAME: &'static CStr = c"twin_two";
}

impl drm::faux::Driver<Parent> for Twin {
    fn probe<'bound>(cx: &drm::faux::Probe<'bound>) -> Result<Pin<KBox<()>>> {
        dev_info!(cx, "kept is {:?}\n", TypeId::of::<Kept>());
        let child =
            cx.add_auxiliary::<crate::LocalModule, CovariantForLt!(u64)>(c"rdma", 0, Ok(42));
        let answer = child.map_or_else(Error::to_errno, |()| 0);
        dev_info!(cx, "a child of mlx5_core: {}\n", answer);
        Ok(KBox::pin((), GFP_KERNEL)?)
    }
}
