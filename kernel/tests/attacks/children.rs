// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Children on the auxiliary bus, which the same driver serves: names and ids that are used or
//! invalid, and probes that fail.

use crate::{
    driver::{
        ready,
        Attacked, //
    },
    uapi,
    LocalModule, //
};
use kernel::{
    auxiliary,
    prelude::*,
    sync::atomic::{
        Atomic,
        Full, //
    },
    types::CovariantForLt, //
};

/// Selects the children that the next probe creates, once.
pub(crate) static NEXT: Atomic<u32> = Atomic::new(0);
/// The errno of the next child's probe, once.
pub(crate) static FAILS: Atomic<u32> = Atomic::new(0);

const PART: &CStr = c"part";

/// Returns a name of `N - 1` letters.
const fn letters<const N: usize>() -> [u8; N] {
    let mut name = [b'x'; N];
    name[N - 1] = 0;
    name
}

/// A name as long as a path. `LONGEST` is longer than a device's uevent can be.
static LONG: [u8; 301] = letters();
static LONGEST: [u8; 4001] = letters();

fn name(bytes: &'static [u8]) -> &'static CStr {
    CStr::from_bytes_with_nul(bytes).unwrap_or(PART)
}

/// Creates the requested children, and logs the result of each.
pub(crate) fn make(cx: &drm::platform::Probe<'_>, device: u32) {
    let one = |name: &'static CStr, id| {
        let answer =
            cx.add_auxiliary::<LocalModule, CovariantForLt!(u32)>(name, id, Ok::<_, Error>(id));
        pr_info!(
            "{}: child {} of {} letters: {}\n",
            device,
            id as i32,
            name.count_bytes(),
            answer.map_or_else(Error::to_errno, |()| 0)
        );
    };
    match NEXT.xchg(0, Full) {
        uapi::ATTACK_CHILDREN_ONE => one(PART, 0),
        uapi::ATTACK_CHILDREN_NAMES => {
            one(c"", 0);
            one(c"../part", 0);
            one(name(&LONG), 0);
            one(name(&LONGEST), 0);
        }
        uapi::ATTACK_CHILDREN_IDS => {
            one(PART, 0);
            one(PART, i32::MAX as u32);
            one(PART, u32::MAX);
        }
        _ => {}
    }
}

kernel::auxiliary_device_table!(
    DEVICES,
    <Attacked as drm::auxiliary::Driver>::IdInfo,
    [(auxiliary::DeviceId::new(c"attacks", PART), ())]
);

/// The offset of a child's number from its id.
const CHILD: u32 = 20;

impl drm::auxiliary::Driver for Attacked {
    type IdInfo = ();

    const ID_TABLE: drm::auxiliary::IdTable<()> = drm::auxiliary::IdTable::new(&DEVICES);

    fn probe<'bound>(
        cx: &drm::auxiliary::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        let (dev, hardware) = ready(cx, CHILD + cx.id() % 10, None, None)?;
        match FAILS.xchg(0, Full) {
            0 => dev.ready(Ok(hardware)),
            // The device was created and is dropped again.
            errno => {
                drop(dev);
                drop(hardware);
                Err(Error::from_errno(-(errno as c_int)))
            }
        }
    }
}
