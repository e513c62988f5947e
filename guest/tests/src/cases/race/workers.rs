// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The parts of the races that run in processes of their own.
//!
//! Source: `drivers/base/bus.c` for the errors of `bind` and `unbind` (Linux 7.3).

use std::os::fd::AsFd;

use fastrand::Rng;
use rustix::event::PollFlags;
use rustix::io::Errno;
use sys::Mapping;
use sys::pace::patient_ms;
use uapi::{FENCE_WRITE, PAGE};

use crate::harness::check::{Outcome, fail, name};
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::{same, works};

use super::client::{Mood, touch, use_a_buffer};
use super::crowd::{announce, wanted};

/// The parts that run in processes of their own.
pub(crate) const WORKERS: &[crate::cases::Worker] = &[
    ("churn", churn),
    ("fault", fault),
    ("first", first),
    ("strict", strict),
    ("knock", knock),
    ("toggle", toggle),
    ("attach", attach),
];
/// Opens a node of the device, if it exists at this moment.
fn open_if_there(guest: &Guest, primary: bool) -> Outcome<Option<DrmFile>> {
    let Some(nodes) = guest.driver.find() else {
        return Ok(None);
    };
    match DrmFile::open(if primary { nodes.primary } else { nodes.render }) {
        Ok(file) => Ok(Some(file)),
        Err(Errno::NOENT | Errno::NODEV | Errno::NXIO) => Ok(None),
        Err(errno) => fail(format!("open: {}", name(errno))),
    }
}

/// Worker: a client that uses each device that it can open.
fn churn(guest: &Guest) -> Outcome {
    let mut random = Rng::with_seed(guest.seed);
    announce();
    while works!(wanted()) {
        let card = open_if_there(guest, true)?;
        let other = open_if_there(guest, random.bool())?;
        let (Some(card), Some(other)) = (card, other) else {
            std::thread::yield_now();
            continue;
        };
        for _ in 0..random.u32(1..6) {
            use_a_buffer(&card, &other, &mut random, Mood::Unplugged)?;
        }
    }
    Ok(())
}

/// Worker: a client that uses two hundred buffers and accepts no failure.
fn strict(guest: &Guest) -> Outcome {
    let mut random = Rng::with_seed(guest.seed);
    announce();
    for _ in 0..40 {
        let (card, render) = (guest.open()?, guest.open_render()?);
        for _ in 0..5 {
            use_a_buffer(&card, &render, &mut random, Mood::Stays)?;
        }
    }
    Ok(())
}

/// Worker: maps once per device, then faults until that device is gone.
fn fault(guest: &Guest) -> Outcome {
    let mut random = Rng::with_seed(guest.seed);
    let mut kept: Vec<(Mapping, u32)> = Vec::new();
    announce();
    while works!(wanted()) {
        if let Some(file) = open_if_there(guest, true)? {
            if let Some(mapping) = map_and_fault(&file, &mut random)? {
                kept.push(mapping);
            }
        }
        // Mappings of devices that were removed long ago keep their contents.
        for (mapping, value) in &kept {
            same!(mapping.read(random.usize(..16) * PAGE), *value);
        }
        kept.truncate(8);
    }
    Ok(())
}

fn map_and_fault(file: &DrmFile, random: &mut Rng) -> Outcome<Option<(Mapping, u32)>> {
    let value = random.u32(..);
    let Ok(handle) = file.pages(16) else {
        return Ok(None);
    };
    let Ok(mapping) = file.map(handle, 16 * PAGE) else {
        return Ok(None);
    };
    touch(&mapping, 16 * PAGE, value)?;
    while works!(wanted()) {
        let page = random.usize(..16) * PAGE;
        same!(mapping.read(page), value);
        mapping.write(page + 8, value);
        match file.capability(5) {
            Ok(_) => {}
            Err(Errno::NODEV) => return Ok(Some((mapping, value))),
            Err(errno) => return fail(format!("GET_CAP: {}", name(errno))),
        }
    }
    Ok(Some((mapping, value)))
}

/// Worker: tries to be the first client of each new device (L7).
fn first(guest: &Guest) -> Outcome {
    let mood = Mood::Unplugged;
    announce();
    while works!(wanted()) {
        let Some(file) = open_if_there(guest, true)? else {
            std::thread::yield_now();
            continue;
        };
        if let Some(value) = mood.allows("GET_CAP", file.capability(5))? {
            same!(value, 3);
        }
        let Some(handle) = mood.allows("CREATE_DUMB", file.pages(1))? else {
            continue;
        };
        let Some(fence) = mood.allows("FENCE_ATTACH", file.attach(handle, 0))? else {
            continue;
        };
        mood.allows("FENCE_SIGNAL", file.signal(fence))?;
    }
    Ok(())
}

/// Worker: opens and closes nodes of a module that may be unloaded.
///
/// The same numbers are used after the next load, since an unload leaves nothing behind.
fn knock(guest: &Guest) -> Outcome {
    let nodes = guest.nodes()?;
    let mut random = Rng::with_seed(guest.seed);
    announce();
    while works!(wanted()) {
        let node = if random.bool() { &nodes.primary } else { &nodes.render };
        match DrmFile::open(node) {
            // The device may be going away already.
            Ok(file) => drop(Mood::Unplugged.allows("GET_CAP", file.capability(5))?),
            Err(Errno::NOENT | Errno::NODEV | Errno::NXIO) => std::thread::yield_now(),
            Err(errno) => return fail(format!("open: {}", name(errno))),
        }
    }
    Ok(())
}

/// Worker: unbinds and binds while other processes do the same.
fn toggle(guest: &Guest) -> Outcome {
    announce();
    while works!(wanted()) {
        for (what, answer) in [("unbind", guest.driver.unbind()), ("bind", guest.driver.bind())] {
            match answer {
                // Another process was first, the module took driver and device with it, or the device was just made by
                // the module and is "not ready to probe" (EAGAIN).
                Ok(()) | Err(Errno::NODEV | Errno::BUSY | Errno::NOENT | Errno::AGAIN) => {}
                Err(errno) => return fail(format!("{what}: {}", name(errno))),
            }
        }
    }
    Ok(())
}

/// Worker: attaches a write fence to the buffer whose global name is the seed, and waits.
fn attach(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let buffer = works!(file.gem_open(guest.seed as u32));
    works!(file.attach(buffer.handle, FENCE_WRITE));
    announce();
    works!(sys::poll(std::io::stdin().as_fd(), PollFlags::IN, patient_ms(60_000).into()));
    Ok(())
}
