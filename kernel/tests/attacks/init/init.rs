// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A module whose init fails, to test what it leaves behind. The parameter `leaves` selects the
//! attack.

#![forbid(unsafe_code)]

use drm::fence::{
    Class,
    Fence,
    Timeout, //
};
use kernel::prelude::*;

drm::module_faux_driver! {
    type: Failing,
    name: "attacks_init",
    authors: ["The Drydock authors"],
    description: "A module whose init fails",
    license: "Dual MIT/GPL",
    params: {
        leaves: u32 {
            default: 0,
            description: "what is left behind: 1 a fence, 2 a fence and its callback, 3 work",
        },
    },
}

struct Failing;

static FENCES: Class = Class::of::<Failing>(c"attacks");

impl drm::faux::Driver for Failing {
    fn probe<'bound>(cx: &drm::faux::Probe<'bound>) -> Result<drm::Ready<'bound, Self>> {
        let dev = drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?;
        let soon = Some(Timeout::from_secs(1));
        match module_parameters::leaves.value() {
            1 => core::mem::forget(FENCES.issue(soon)?),
            2 => {
                let work = FENCES.issue(soon)?;
                let function = |_: &Fence| pr_info!("0: what was left is called\n");
                core::mem::forget(work.on_signal::<LocalModule, _>(function)?);
                core::mem::forget(work);
            }
            3 => dev.queue_work(|dev| {
                // Longer than the second for which a failed init waits for devices: only the drained
                // queue waits for this.
                kernel::time::delay::fsleep(kernel::time::Delta::from_secs(3));
                pr_info!(
                    "0: what was left runs, entered: {}\n",
                    dev.enter(|_| ()).is_some()
                );
            })?,
            _ => {}
        }
        Err(EINVAL)
    }
}

#[vtable]
impl drm::Driver for Failing {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = drm::Plain<Self>;
    type Object = drm::gem::shmem::Object<drm::Plain<Self>>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo::new(c"attacks_init", c"Fails to come");
    const FEATURES: drm::Features = drm::Features::GEM;

    drm::ioctls! {}
}
