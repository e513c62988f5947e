// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Clients bind and unbind memory while the device is unbound and removed (L6, L7).
//!
//! Source: `drm_dev_unplug` in `drivers/gpu/drm/drm_drv.c`, `drivers/base/bus.c` for the errors of `bind` and `unbind`
//! (Linux 7.3).

use std::path::PathBuf;
use std::time::Duration;

use fastrand::Rng;
use rustix::io::Errno;
use sys::pace::patient;
use uapi::PAGE;
use uapi::sync::WAIT_FOR_SUBMIT;

use crate::cases::Worker;
use crate::cases::race::client::Mood;
use crate::cases::race::crowd::{Crowd, announce, wanted};
use crate::cases::race::linger;
use crate::cases::race::load::{Load, churn, hold, strict, tolerated, under, while_wanted};
use crate::harness::check::{Outcome, fail, name};
use crate::harness::modules;
use crate::subjects::device::DrmFile;
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;
use crate::subjects::pci::rescan;
use crate::subjects::tyr::{Gpu, MODULE, Op, TyrFile, signal};
use crate::{same, works};

use super::life::client;

crate::cases::cases! {
    "tyr_race" for Tyr:
    many_clients within 60, l6_unbound_under_load within 180, l6_removed_under_load within 180,
    l6_unbound_by_several within 120, l15_unloaded_under_load within 180, surprise_removed_under_load within 180,
}

/// The parts that run in processes of their own.
pub(crate) const WORKERS: &[Worker] = &[
    ("tyr_strict", strict::<Tyr>),
    ("tyr_churn", churn::<Tyr>),
    ("tyr_hold", hold::<Tyr>),
    ("tyr_toggle", toggle),
    ("tyr_surprise_removed", surprise_removed),
];

const P: u64 = PAGE as u64;

struct Tyr;

impl Load for Tyr {
    type File = TyrFile;

    fn node() -> Option<PathBuf> {
        Gpu::find()?.node("renderD").ok()
    }

    fn file(file: DrmFile) -> TyrFile {
        TyrFile(file)
    }

    fn round(file: &TyrFile, random: &mut Rng, mood: Mood) -> Outcome<bool> {
        use_it(file, random, mood)
    }

    fn is_whole(guest: &Guest) -> Outcome {
        let gpu = Gpu::ready(guest)?;
        client(&gpu)?;
        works!(modules::remove(MODULE));
        gpu.load(guest)?;
        client(&gpu).map(drop)
    }
}

/// Makes a client's calls in a VM of its own, at once or by the queue. Returns `false` if the device was unplugged
/// meanwhile.
fn use_it(file: &TyrFile, random: &mut Rng, mood: Mood) -> Outcome<bool> {
    macro_rules! or_gone {
        ($what:literal, $answer:expr) => {
            match mood.allows($what, $answer)? {
                Some(value) => value,
                None => return Ok(false),
            }
        };
    }
    let pages = random.u64(2..200);
    let vm = or_gone!("VM_CREATE", file.vm_create());
    let bo = or_gone!("BO_CREATE", file.bo(pages * P));
    let out = or_gone!("SYNCOBJ_CREATE", file.0.syncobj_create(0));
    for _ in 0..random.u32(1..5) {
        let va = random.u64(0..1 << 16) * P;
        let cut = random.u64(1..pages) * P;
        let ops = [Op::map(bo, 0, va, pages * P), Op::unmap(va + cut - P, P)];
        if random.bool() {
            or_gone!("VM_BIND", file.bind(vm, &ops));
            continue;
        }
        let [map, unmap] = ops;
        or_gone!("VM_BIND", file.bind_async(vm, &[map, unmap.after(&[signal(out)])]));
        if random.bool() {
            or_gone!("SYNCOBJ_WAIT", file.0.syncobj_wait(out, 0, patient(Duration::from_secs(5)), WAIT_FOR_SUBMIT));
        }
    }
    or_gone!("VM_GET_STATE", file.vm_state(vm));
    or_gone!("SYNCOBJ_DESTROY", file.0.syncobj_destroy(out));
    or_gone!("GEM_CLOSE", file.0.gem_close(bo));
    or_gone!("VM_DESTROY", file.vm_destroy(vm));
    Ok(true)
}

/// Worker: binds memory whatever the hardware does. A call returns, with success or an error that lost hardware may
/// cause.
fn surprise_removed(guest: &Guest) -> Outcome {
    let mut random = Rng::with_seed(guest.seed);
    while_wanted::<Tyr>(|file| {
        let (Ok(vm), Ok(bo)) = (file.vm_create(), file.bo(64 * P)) else { return Ok(()) };
        for _ in 0..random.u32(1..20) {
            let va = random.u64(0..1 << 10) * P;
            match file.bind(vm, &[Op::map(bo, 0, va, 64 * P), Op::unmap(va + 7 * P, P)]) {
                Ok(()) | Err(Errno::NODEV | Errno::IO | Errno::TIMEDOUT | Errno::INVAL) => {}
                Err(errno) => return fail(format!("VM_BIND without hardware: {}", name(errno))),
            }
        }
        Ok(())
    })
}

/// Worker: unbinds and binds the function, whatever other processes do.
fn toggle(_guest: &Guest) -> Outcome {
    announce();
    while works!(wanted()) {
        let Some(gpu) = Gpu::find() else {
            std::thread::yield_now();
            continue;
        };
        tolerated("unbind", gpu.unbind())?;
        tolerated("bind", gpu.bind())?;
    }
    Ok(())
}

/// Keeps clients at work during each round, which gets the function.
fn under_load(guest: &Guest, parts: &[&str], rounds: u32, mut round: impl FnMut(&Gpu, &mut Rng) -> Outcome) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    under::<Tyr>(guest, parts, rounds, |random| round(&gpu, random))
}

const CLIENTS: &[&str] = &["tyr_churn", "tyr_hold"];

/// Clients work without an unbind, and no call fails.
fn many_clients(guest: &Guest) -> Outcome {
    Gpu::ready(guest)?;
    Crowd::start(guest, "tyr_strict", 4)?.finish(guest.seed)?;
    same!(module_users(MODULE)?, Some(0));
    Ok(())
}

fn l6_unbound_under_load(guest: &Guest) -> Outcome {
    under_load(guest, CLIENTS, 20, |gpu, random| {
        works!(gpu.unbind());
        linger(random);
        works!(gpu.bind());
        Ok(())
    })
}

/// The function is removed under load and found again.
fn l6_removed_under_load(guest: &Guest) -> Outcome {
    under_load(guest, CLIENTS, 10, |gpu, random| {
        works!(gpu.remove());
        linger(random);
        rescan()
    })
}

/// Two processes toggle the function while this one does.
fn l6_unbound_by_several(guest: &Guest) -> Outcome {
    under_load(guest, &["tyr_churn", "tyr_toggle"], 15, |gpu, random| {
        tolerated("unbind", gpu.unbind())?;
        linger(random);
        tolerated("bind", gpu.bind())
    })
}

/// The module is unloaded under load once it has no users, and loaded again.
fn l15_unloaded_under_load(guest: &Guest) -> Outcome {
    under_load(guest, CLIENTS, 30, |gpu, random| {
        match modules::remove(MODULE) {
            Ok(()) => {}
            Err(errno) => same!(errno, Errno::AGAIN),
        }
        linger(random);
        gpu.load(guest)
    })
}

/// The GPU is removed by surprise, before its driver is unbound. Clients learn of it only through the driver, and
/// nothing hangs.
fn surprise_removed_under_load(guest: &Guest) -> Outcome {
    under_load(guest, &["tyr_surprise_removed"], 10, |gpu, random| {
        let accesses = random.u32(0..400);
        gpu.fault(&format!(r#"{{"kind": "removal", "after": {{"accesses": {accesses}}}}}"#))?;
        linger(random);
        gpu.mend()?;
        works!(gpu.bind());
        Ok(())
    })
}
