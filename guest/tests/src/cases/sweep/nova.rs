// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The operations of nova: parameters, and objects that are nothing but handles.
//!
//! Source: `include/uapi/drm/nova_drm.h` (Linux 7.3).

use sys::Answer;
use uapi::PAGE;

use crate::harness::check::Outcome;
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::subjects::nova::{CORE, DRM, Gpu, NovaFile, unload};
use crate::sweeps::operation::{Client, NUMBERS, Operation, close};
use crate::sweeps::run::{sweep, unused};
use crate::sweeps::{common, sharing};
use crate::{same, works};

crate::cases::cases! {
    "nova_sweep" for Nova:
    files within 240, handles within 240, sharing within 240, own_ioctls within 240,
}

impl Client for NovaFile {
    fn file(&self) -> &DrmFile {
        &self.0
    }

    fn like(&self, file: DrmFile) -> Self {
        Self(file)
    }

    fn object(&self) -> Answer<u32> {
        self.create(PAGE as u64)
    }

    fn works(&self) -> Outcome<String> {
        let handle = works!(self.create(PAGE as u64));
        same!(works!(self.size(handle)), PAGE as u64);
        works!(self.vram());
        works!(self.0.gem_close(handle));
        Ok(format!("object {handle}"))
    }
}

fn of_nova(guest: &Guest, table: Vec<Operation<NovaFile>>) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let reload = || {
        works!(unload());
        same!(crate::subjects::driver::module_users(CORE)?, None);
        gpu.load(guest)?;
        gpu.settle()
    };
    sweep(guest, &table, || gpu.open(), || unused(DRM), reload)
}

fn files(guest: &Guest) -> Outcome {
    of_nova(guest, common::files())
}

fn handles(guest: &Guest) -> Outcome {
    of_nova(guest, common::handles(common::NOT_ON_PCI))
}

/// Shares the device's own buffers; nova imports no others.
fn sharing(guest: &Guest) -> Outcome {
    of_nova(guest, sharing::own())
}

fn own_ioctls(guest: &Guest) -> Outcome {
    let create = Operation::new(
        "GEM_CREATE",
        |_| Ok(0),
        |file: &NovaFile, handle| {
            *handle = file.create(PAGE as u64)?;
            Ok(())
        },
        |file, handle, done| if done { close(file, handle) } else { Ok(()) },
    )
    .stands(&[NUMBERS]);
    let getparam = Operation::alone("GETPARAM", |file: &NovaFile| file.vram().map(drop));
    let info = Operation::on_object("GEM_INFO", |file: &NovaFile, handle| file.size(handle).map(drop));
    of_nova(guest, vec![getparam, create, info])
}
