// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Clients at work while parent, child and function come and go, in either order and in both at once (L6, L7).
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
use crate::guest::Guest;
use crate::modules;
use crate::nova::{CORE, DRM, Gpu, NovaFile, unload};
use crate::pci::rescan;
use crate::sys::Answer;
use crate::uapi::PAGE;
use crate::{holds, same, works};

use super::life::client;

crate::cases::cases! {
    "nova_race":
    many_clients within 60, parent_under_load within 180, child_under_load within 180, child_first_under_load within 180,
    either_order_under_load within 180, both_at_once_under_load within 180, removed_under_load within 180,
    unloaded_under_load within 180,
}

/// The parts that run in processes of their own.
pub(crate) const WORKERS: &[Worker] =
    &[("nova_strict", strict), ("nova_churn", churn), ("nova_hold", hold), ("nova_toggle", toggle)];

/// A file of the device, if it is there at this moment.
fn open_if_there() -> Outcome<Option<NovaFile>> {
    let Some(node) = Gpu::find().and_then(|gpu| gpu.child()).and_then(|child| child.node("card")) else {
        return Ok(None);
    };
    match DrmFile::open(node) {
        Ok(file) => Ok(Some(NovaFile(file))),
        Err(Errno::NOENT | Errno::NODEV | Errno::NXIO) => Ok(None),
        Err(errno) => fail(format!("open: {}", name(errno))),
    }
}

/// What a client does: ask, make, look, close; `false` when the device went away meanwhile.
fn use_it(file: &NovaFile, random: &mut Rng, mood: Mood) -> Outcome<bool> {
    let pages = random.u64(1..100);
    if mood.allows("GETPARAM", file.vram())? == Some(0) {
        return fail("VRAM has no size");
    }
    let Some(handle) = mood.allows("GEM_CREATE", file.create(pages * PAGE as u64))? else {
        return Ok(false);
    };
    match mood.allows("GEM_INFO", file.size(handle))? {
        Some(size) => same!(size, pages * PAGE as u64),
        None => return Ok(false),
    }
    if random.bool() {
        return Ok(mood.allows("GEM_CLOSE", file.0.gem_close(handle))?.is_some());
    }
    Ok(true)
}

/// Worker: nothing may fail.
fn strict(guest: &Guest) -> Outcome {
    let mut random = Rng::with_seed(guest.seed);
    announce();
    for _ in 0..50 {
        let Some(file) = open_if_there()? else {
            return fail("the device is gone");
        };
        for _ in 0..20 {
            holds!(use_it(&file, &mut random, Mood::Stays)?, "the device stays");
        }
    }
    Ok(())
}

/// Worker: takes the device as it comes, a few calls at a time.
fn churn(guest: &Guest) -> Outcome {
    let mut random = Rng::with_seed(guest.seed);
    announce();
    while works!(wanted()) {
        let Some(file) = open_if_there()? else {
            std::thread::yield_now();
            continue;
        };
        for _ in 0..random.u32(1..10) {
            if !use_it(&file, &mut random, Mood::Unplugged)? {
                break;
            }
        }
    }
    Ok(())
}

/// Worker: calls until the device is gone, and keeps the last few files beyond that.
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
        if kept.len() > 4 {
            kept.pop_front();
        }
    }
    Ok(())
}

/// Worker: takes the auxiliary device from its driver and gives it back, whoever else does what.
fn toggle(_guest: &Guest) -> Outcome {
    announce();
    while works!(wanted()) {
        let Some(child) = Gpu::find().and_then(|gpu| gpu.child()) else {
            std::thread::yield_now();
            continue;
        };
        for (what, answer) in [("unbind", child.unbind()), ("bind", child.bind())] {
            tolerated(what, answer)?;
        }
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
    works!(unload());
    gpu.load(guest)?;
    client(&gpu).map(drop)
}

const CLIENTS: &[&str] = &["nova_churn", "nova_hold"];

/// No unbinding: nothing fails.
fn many_clients(guest: &Guest) -> Outcome {
    Gpu::ready(guest)?;
    Crowd::start(guest, "nova_strict", 4)?.finish(guest.seed)?;
    same!(crate::driver::module_users(DRM)?, Some(0));
    Ok(())
}

/// The parent takes its child with it.
fn parent_under_load(guest: &Guest) -> Outcome {
    under_load(guest, CLIENTS, 30, |gpu, random| {
        works!(gpu.unbind());
        linger(random);
        works!(gpu.bind());
        Ok(())
    })
}

/// The parent does not notice.
fn child_under_load(guest: &Guest) -> Outcome {
    under_load(guest, CLIENTS, 40, |gpu, random| {
        let child = gpu.child().expect("the parent stays");
        works!(child.unbind());
        linger(random);
        works!(child.bind());
        Ok(())
    })
}

/// First the child, then the parent.
fn child_first_under_load(guest: &Guest) -> Outcome {
    under_load(guest, CLIENTS, 30, |gpu, random| {
        works!(gpu.child().expect("the parent is bound").unbind());
        linger(random);
        works!(gpu.unbind());
        linger(random);
        works!(gpu.bind());
        Ok(())
    })
}

/// Now the one, now the other, the child perhaps bound again in between.
fn either_order_under_load(guest: &Guest) -> Outcome {
    under_load(guest, CLIENTS, 40, |gpu, random| {
        let child = gpu.child().expect("the parent is bound");
        if random.bool() {
            works!(child.unbind());
            linger(random);
        }
        if random.bool() {
            // Bound already, if it was not unbound above.
            tolerated("bind", child.bind())?;
        }
        works!(gpu.unbind());
        linger(random);
        works!(gpu.bind());
        Ok(())
    })
}

/// Two processes toggle the child while this one toggles the parent.
fn both_at_once_under_load(guest: &Guest) -> Outcome {
    under_load(guest, &["nova_churn", "nova_hold", "nova_toggle"], 30, |gpu, random| {
        works!(gpu.unbind());
        linger(random);
        works!(gpu.bind());
        Ok(())
    })
}

/// Off the bus and found again.
fn removed_under_load(guest: &Guest) -> Outcome {
    under_load(guest, &["nova_churn", "nova_hold", "nova_toggle"], 12, |gpu, random| {
        works!(gpu.remove());
        linger(random);
        rescan()
    })
}

/// The modules go when nobody holds them, and come back.
fn unloaded_under_load(guest: &Guest) -> Outcome {
    let load = |gpu: &Gpu| gpu.load(guest);
    under_load(guest, CLIENTS, 40, |gpu, random| {
        for module in if random.bool() { [DRM, CORE] } else { [CORE, DRM] } {
            match modules::remove(module) {
                Ok(()) => {}
                Err(errno) => same!(errno, Errno::AGAIN),
            }
        }
        linger(random);
        load(gpu)
    })
}
