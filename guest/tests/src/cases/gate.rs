// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Kinds of drivers: one that declares mode setting and passes its gate (L1), and one with an accel node.
//!
//! Source: `kernel/tests/lifecycle/{kms,accel}.rs`, drivers/gpu/drm/drm_mode_config.c, drivers/accel/drm_accel.c.

use sys::nodes::driver_name;
use sys::{Mapping, write};
use uapi::mode::CardRes;
use uapi::{CLOEXEC, Cap, Lifecycle, PAGE, RDWR, SET_CLIENT_CAP};

use crate::harness::check::Outcome;
use crate::harness::modules;
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::{CONTROL, Test, left_of, node};
use crate::{holds, refuses, same, works};

super::cases! {
    "gate":
    l1_kms_device_has_its_limits_and_objects, l1_nokms_driver_refuses_mode_setting, accel_node,
    mmap_of_an_object_without_pages_is_refused,
}

/// The node supports mode setting, with the limits and the objects of the gate.
fn l1_kms_device_has_its_limits_and_objects(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    test.load("lifecycle_kms")?;
    let card = node("lifecycle_kms", "card").expect("the device has a primary node");
    holds!(node("lifecycle_kms", "renderD").is_none(), "it declares no render node");
    let file = works!(DrmFile::open(&card));
    let found = works!(file.resource_counts());
    let made = CardRes {
        count_crtcs: 1,
        count_connectors: 1,
        count_encoders: 1,
        min_width: 16,
        max_width: 4096,
        min_height: 16,
        max_height: 2048,
        ..Default::default()
    };
    same!(found, made);
    // `CRTC_IN_VBLANK_EVENT` and `UNIVERSAL_PLANES`: vgem refuses both.
    same!(works!(file.capability(0x12)), 1);
    works!(file.ioctl(&SET_CLIENT_CAP, Cap { capability: 2, value: 1 }));
    works!(file.pages(1));
    refuses!(modules::remove("lifecycle_kms"), AGAIN);
    works!(write("/sys/bus/platform/drivers/lifecycle_kms/unbind", "lifecycle_kms"));
    refuses!(file.resource_counts(), NODEV);
    drop(file);
    same!(left_of("lifecycle_kms"), None);
    works!(modules::remove("lifecycle_kms"));
    same!(test.trace.count("never released"), 0);
    test.unload()
}

/// On a driver with `NoKms`, mode setting ioctls fail with `EOPNOTSUPP`.
fn l1_nokms_driver_refuses_mode_setting(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    refuses!(client.0.resource_counts(), OPNOTSUPP);
    drop(client);
    test.unload()
}

/// An accel driver has an accel node and no other. Its life cycle is the same as other drivers'.
fn accel_node(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    test.load("lifecycle_accel")?;
    let accel = node("lifecycle_accel", "accel").expect("the device has an accel node");
    holds!(accel.starts_with("/dev/accel"), "the node is {}", accel.display());
    holds!(node("lifecycle_accel", "card").is_none(), "there is no DRM node");
    same!(works!(driver_name(&accel)), "lifecycle_accel");
    let file = works!(DrmFile::open(&accel));
    refuses!(modules::remove("lifecycle_accel"), AGAIN);
    works!(write("/sys/bus/platform/drivers/lifecycle_accel/unbind", "lifecycle_accel"));
    refuses!(file.version(&mut [0; 8]), NODEV);
    drop(file);
    works!(modules::remove("lifecycle_accel"));
    same!(test.trace.count("never released"), 0);
    test.unload()
}

/// Objects without memory have handles and dma-bufs, but neither clients nor importers can map them.
fn mmap_of_an_object_without_pages_is_refused(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    test.load("lifecycle_accel")?;
    let other = test.open(0)?;
    let file = works!(DrmFile::open(node("lifecycle_accel", "accel").expect("the device has an accel node")));
    // The size is such that every offset of a mapping through the node lies within the object.
    for bytes in [PAGE as u64, 1 << 46] {
        let handle = works!(file.ioctl(&CONTROL, Lifecycle { value: bytes, ..Default::default() })).handle;
        let buffer = works!(file.export(handle, RDWR | CLOEXEC));
        for offset in [0, bytes - PAGE as u64] {
            refuses!(Mapping::shared(&buffer, offset, PAGE), INVAL);
        }
        refuses!(Mapping::shared(&buffer, bytes, PAGE), INVAL);
        same!(works!(file.import(&buffer)), handle);
        refuses!(other.0.import(&buffer), NOSYS);
        refuses!(file.map_offset(handle), NOSYS);
        works!(file.gem_close(handle));
        works!(works!(DrmFile::open(node("lifecycle_accel", "accel").expect("it is still there"))).import(&buffer));
    }
    refuses!(file.ioctl(&CONTROL, Lifecycle { value: 1, ..Default::default() }), INVAL);
    drop((file, other));
    works!(modules::remove("lifecycle_accel"));
    same!(test.trace.count("never released"), 0);
    test.unload()
}
