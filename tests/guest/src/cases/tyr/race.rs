// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Clients that bind and unbind memory while the device comes and goes (L6, L7).
//!
//! Source: `drm_dev_unplug` in `drivers/gpu/drm/drm_drv.c`, `drivers/base/bus.c` for the errors of `bind` and `unbind`
//! (Linux 7.3).

use fastrand::Rng;
use rustix::io::Errno;

use crate::cases::Worker;
use crate::cases::race::client::Mood;
use crate::cases::race::crowd::{Crowd, announce, wanted};
use crate::cases::race::linger;
use crate::check::{Outcome, fail, name};
use crate::device::DrmFile;
use crate::driver::module_users;
use crate::guest::Guest;
use crate::modules;
use crate::pci::rescan;
use crate::sys::Answer;
use crate::tyr::{Gpu, MODULE, Op, TyrFile, signal};
use crate::uapi::PAGE;
use crate::uapi::sync::WAIT_FOR_SUBMIT;
use crate::{holds, same, works};

use super::life::client;

crate::cases::cases! {
    "tyr_race":
    many_clients within 60, l6_unbound_under_load within 180, l6_removed_under_load within 180,
    l6_unbound_by_several within 120, l15_unloaded_under_load within 180, surprised_under_load within 180,
}

/// The parts that run in processes of their own.
pub(crate) const WORKERS: &[Worker] = &[
    ("tyr_strict", strict),
    ("tyr_churn", churn),
    ("tyr_hold", hold),
    ("tyr_toggle", toggle),
    ("tyr_surprised", surprised),
];

const P: u64 = PAGE as u64;

/// A file of the device, if it is there at this moment.
fn open_if_there() -> Outcome<Option<TyrFile>> {
    let Some(node) = Gpu::find().and_then(|gpu| gpu.node("renderD").ok()) else {
        return Ok(None);
    };
    match DrmFile::open(node) {
        Ok(file) => Ok(Some(TyrFile(file))),
        Err(Errno::NOENT | Errno::NODEV | Errno::NXIO) => Ok(None),
        Err(errno) => fail(format!("open: {}", name(errno))),
    }
}

/// What a client does in a VM of its own, at once or by the queue; `false` when the device went away meanwhile.
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
            or_gone!("SYNCOBJ_WAIT", file.0.syncobj_wait(out, 0, std::time::Duration::from_secs(5), WAIT_FOR_SUBMIT));
        }
    }
    or_gone!("VM_GET_STATE", file.vm_state(vm));
    or_gone!("SYNCOBJ_DESTROY", file.0.syncobj_destroy(out));
    or_gone!("GEM_CLOSE", file.0.gem_close(bo));
    or_gone!("VM_DESTROY", file.vm_destroy(vm));
    Ok(true)
}

/// Worker: nothing may fail.
fn strict(guest: &Guest) -> Outcome {
    let mut random = Rng::with_seed(guest.seed);
    announce();
    for _ in 0..20 {
        let Some(file) = open_if_there()? else {
            return fail("the device is gone");
        };
        for _ in 0..5 {
            holds!(use_it(&file, &mut random, Mood::Stays)?, "the device stays");
        }
    }
    Ok(())
}

/// Worker: takes the device as it comes, a few rounds at a time.
fn churn(guest: &Guest) -> Outcome {
    let mut random = Rng::with_seed(guest.seed);
    announce();
    while works!(wanted()) {
        let Some(file) = open_if_there()? else {
            std::thread::yield_now();
            continue;
        };
        for _ in 0..random.u32(1..5) {
            if !use_it(&file, &mut random, Mood::Unplugged)? {
                break;
            }
        }
    }
    Ok(())
}

/// Worker: binds until the device is gone, and keeps the last few files beyond that.
fn hold(guest: &Guest) -> Outcome {
    let mut random = Rng::with_seed(guest.seed);
    let mut kept = std::collections::VecDeque::new();
    announce();
    while works!(wanted()) {
        let Some(file) = open_if_there()? else {
            std::thread::yield_now();
            continue;
        };
        while works!(wanted()) && use_it(&file, &mut random, Mood::Unplugged)? {}
        kept.push_back(file);
        if kept.len() > 3 {
            kept.pop_front();
        }
    }
    Ok(())
}

/// Worker: binds whatever the hardware does; a call fails as one that meets no hardware may, and comes back.
fn surprised(guest: &Guest) -> Outcome {
    let mut random = Rng::with_seed(guest.seed);
    announce();
    while works!(wanted()) {
        let Some(file) = open_if_there()? else {
            std::thread::yield_now();
            continue;
        };
        let Ok(vm) = file.vm_create() else { continue };
        let Ok(bo) = file.bo(64 * P) else { continue };
        for _ in 0..random.u32(1..20) {
            let va = random.u64(0..1 << 10) * P;
            let answer = file.bind(vm, &[Op::map(bo, 0, va, 64 * P), Op::unmap(va + 7 * P, P)]);
            match answer {
                Ok(()) | Err(Errno::NODEV | Errno::IO | Errno::TIMEDOUT | Errno::INVAL) => {}
                Err(errno) => return fail(format!("VM_BIND without hardware: {}", name(errno))),
            }
        }
    }
    Ok(())
}

/// Worker: takes the function from its driver and gives it back, whoever else does what.
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

/// Somebody else was first, or has taken device or driver away, or the device is not ready to be probed.
fn tolerated(what: &str, answer: Answer) -> Outcome {
    match answer {
        Ok(()) | Err(Errno::NODEV | Errno::BUSY | Errno::NOENT | Errno::AGAIN) => Ok(()),
        Err(errno) => fail(format!("{what}: {}", name(errno))),
    }
}

/// Clients at work during each round; afterwards everything is as before, and goes completely.
fn under_load(guest: &Guest, parts: &[&str], rounds: u32, mut round: impl FnMut(&Gpu, &mut Rng) -> Outcome) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let mut random = Rng::with_seed(guest.seed);
    let mut crowds = Vec::new();
    for part in parts {
        crowds.push(Crowd::start(guest, part, 2)?);
    }
    'rounds: for _ in 0..rounds {
        linger(&mut random);
        round(&gpu, &mut random)?;
        for crowd in &mut crowds {
            if !crowd.all_live()? {
                break 'rounds;
            }
        }
    }
    crowds.into_iter().try_for_each(|crowd| crowd.finish(guest.seed))?;
    let gpu = Gpu::ready(guest)?;
    client(&gpu)?;
    works!(modules::remove(MODULE));
    gpu.load(guest)?;
    client(&gpu).map(drop)
}

const CLIENTS: &[&str] = &["tyr_churn", "tyr_hold"];

/// No unbinding: nothing fails.
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

/// Off the bus and found again.
fn l6_removed_under_load(guest: &Guest) -> Outcome {
    under_load(guest, CLIENTS, 10, |gpu, random| {
        works!(gpu.remove());
        linger(random);
        rescan()
    })
}

/// Two processes toggle it while this one does.
fn l6_unbound_by_several(guest: &Guest) -> Outcome {
    under_load(guest, &["tyr_churn", "tyr_toggle"], 15, |gpu, random| {
        tolerated("unbind", gpu.unbind())?;
        linger(random);
        tolerated("bind", gpu.bind())
    })
}

/// The module goes when nobody holds it, and comes back.
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

/// The GPU itself is gone first; clients are not told before the driver is, and nothing hangs.
fn surprised_under_load(guest: &Guest) -> Outcome {
    under_load(guest, &["tyr_surprised"], 10, |gpu, random| {
        let accesses = random.u32(0..400);
        gpu.fault(&format!(r#"{{"kind": "removal", "after": {{"accesses": {accesses}}}}}"#))?;
        linger(random);
        gpu.mend()?;
        works!(gpu.bind());
        Ok(())
    })
}
