// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Everything at once: processes use the device while it comes and goes (L6, L7).
//!
//! Source: `drm_dev_enter`, `drm_dev_unplug` in `drivers/gpu/drm/drm_drv.c`,
//! `Documentation/gpu/drm-uapi.rst`, "Device Hot-Unplug" (Linux 7.3).

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;

use fastrand::Rng;
use rustix::event::PollFlags;
use rustix::io::Errno;

use crate::check::{Outcome, fail, name};
use crate::device::{self, DrmFile};
use crate::guest::Guest;
use crate::modules;
use crate::sys::{self, Answer, Mapping};
use crate::uapi::{CLOEXEC, FENCE_WRITE, PAGE, RDWR};
use crate::{holds, same, works};

super::cases! {
    "race":
    many_processes within 60, threads_of_one_file within 60, handle_closed_under_an_export within 60,
    fence_signalled_twice_at_once within 60, unplug_and_rebind within 120,
    unplug_while_faulting within 120, first_open_after_bind within 120,
    unbound_by_several within 60,
    unload_while_unbinding within 60,
    killed_while_holding_a_fence,
    unload_while_opening within 120,
}

/// The parts that run in processes of their own.
pub(crate) const WORKERS: &[super::Worker] = &[
    ("churn", churn),
    ("fault", fault),
    ("first", first),
    ("strict", strict),
    ("knock", knock),
    ("toggle", toggle),
    ("attach", attach),
];

/// Which answers a worker takes for right.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// The device may go at any moment: `ENODEV` is right.
    Unplugged,
    /// The device stays: nothing may fail.
    Stays,
}

impl Mood {
    /// The value, `None` if the device went away, or what was wrong with the answer.
    fn allows<T>(self, what: &str, answer: Answer<T>) -> Outcome<Option<T>> {
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(Errno::NODEV) if self == Self::Unplugged => Ok(None),
            Err(errno) => fail(format!("{what}: {}", name(errno))),
        }
    }
}

/// Takes the value out, or ends the round because the device went away.
macro_rules! present {
    ($mood:expr, $call:expr) => {
        match $mood.allows(stringify!($call), $call)? {
            Some(value) => value,
            None => return Ok(()),
        }
    };
}

/// Workers of one part, ended by closing their stdin.
struct Crowd {
    workers: Vec<Child>,
}

impl Crowd {
    /// Starts `count` workers and waits until each of them is at work.
    fn start(guest: &Guest, part: &str, count: u64) -> Outcome<Self> {
        let mut workers = Vec::new();
        for at in 0..count {
            workers.push(guest.worker(part, guest.seed ^ at)?);
        }
        for worker in &mut workers {
            let stdout = worker.stdout.as_mut().expect("stdout is piped");
            let mut word = [0; READY.len()];
            // A worker that fails before this has its say at the end.
            let _ = stdout.read_exact(&mut word);
        }
        Ok(Self { workers })
    }

    /// Ends the workers; whatever one of them found wrong is the failure of the case.
    fn finish(mut self, seed: u64) -> Outcome {
        self.workers.iter_mut().for_each(|worker| drop(worker.stdin.take()));
        let mut wrong = None;
        for worker in &mut self.workers {
            let status = worker.wait()?;
            let mut words = String::new();
            worker.stdout.take().expect("stdout is piped").read_to_string(&mut words)?;
            if !status.success() {
                wrong = Some(format!("a worker ended with {status}: {words} (seed {seed})"));
            }
        }
        wrong.map_or(Ok(()), fail)
    }

    fn all_live(&mut self) -> std::io::Result<bool> {
        for worker in &mut self.workers {
            if worker.try_wait()?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What a worker says when it is at work.
const READY: &str = "ready\n";

/// Tells the case that this worker is at work.
fn announce() {
    print!("{READY}");
}

/// Whether the case wants this worker to go on.
fn wanted() -> Answer<bool> {
    let stdin = std::io::stdin();
    let events = sys::poll(stdin.as_fd(), PollFlags::IN, 0)?;
    Ok(!events.intersects(PollFlags::HUP | PollFlags::IN))
}

/// A file of a node of the device, if it is there at this moment.
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

/// A short while of a random length, without sleeping.
fn linger(random: &mut Rng) {
    (0..random.u32(..200)).for_each(|_| std::thread::yield_now());
}

/// What a client does with a buffer: create, map, fault, export, import, fence, wait, close.
fn use_a_buffer(file: &DrmFile, other: &DrmFile, random: &mut Rng, mood: Mood) -> Outcome {
    let pages = random.u32(1..8);
    let len = pages as usize * PAGE;
    let handle = present!(mood, file.pages(pages));
    let mapping = if random.bool() { Some(present!(mood, file.map(handle, len))) } else { None };
    let value = random.u32(..);
    if let Some(mapping) = &mapping {
        touch(mapping, len, value)?;
    }
    let buffer = present!(mood, file.export(handle, CLOEXEC | RDWR));
    if random.bool() {
        let shared = works!(Mapping::shared(&buffer, 0, len));
        touch(&shared, len, value)?;
    }
    let theirs = present!(mood, other.import(&buffer));
    use_a_fence(file, handle, &buffer, random, mood)?;
    if random.bool() {
        present!(mood, other.gem_close(theirs));
        present!(mood, file.gem_close(handle));
    }
    if let Some(mapping) = &mapping {
        touch(mapping, len, value)?;
    }
    Ok(())
}

/// Writes the value to each page, in whatever state the device is, and reads it back.
fn touch(mapping: &Mapping, len: usize, value: u32) -> Outcome {
    for at in (0..len).step_by(PAGE) {
        mapping.write(at, value);
        same!(mapping.read(at), value);
    }
    Ok(())
}

fn use_a_fence(file: &DrmFile, handle: u32, buffer: &OwnedFd, random: &mut Rng, mood: Mood) -> Outcome {
    let flags = if random.bool() { FENCE_WRITE } else { 0 };
    let fence = present!(mood, file.attach(handle, flags));
    // Nobody signals but this process, so this only registers and removes a waiter.
    works!(sys::poll(buffer, PollFlags::IN | PollFlags::OUT, 0));
    if random.bool() {
        present!(mood, file.signal(fence));
        works!(device::dma_buf_sync(buffer, 3));
    }
    Ok(())
}

/// Worker: a client that takes the device as it comes.
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

/// Worker: a client for which nothing may fail, two hundred buffers long.
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

/// Worker: maps once per instance of the device, then faults until that instance is gone.
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
        // Mappings of instances that are long gone keep their contents.
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

/// Worker: tries to be the first client of each new instance (L7).
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

/// Worker: opens and closes nodes of a module that may be going.
///
/// The numbers come back with the module, because nothing of it is left when it goes.
fn knock(guest: &Guest) -> Outcome {
    let nodes = guest.nodes()?;
    let mut random = Rng::with_seed(guest.seed);
    announce();
    while works!(wanted()) {
        let node = if random.bool() { &nodes.primary } else { &nodes.render };
        match DrmFile::open(node) {
            // The device may be on its way out already.
            Ok(file) => drop(Mood::Unplugged.allows("GET_CAP", file.capability(5))?),
            Err(Errno::NOENT | Errno::NODEV | Errno::NXIO) => std::thread::yield_now(),
            Err(errno) => return fail(format!("open: {}", name(errno))),
        }
    }
    Ok(())
}

/// Worker: unbinds and binds against others who do the same.
fn toggle(guest: &Guest) -> Outcome {
    announce();
    while works!(wanted()) {
        for (what, answer) in [("unbind", guest.driver.unbind()), ("bind", guest.driver.bind())] {
            match answer {
                // Somebody else was first, the module took driver and device with it, or the device
                // has just come with the module and is "not ready to probe" (EAGAIN).
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
    works!(sys::poll(std::io::stdin().as_fd(), PollFlags::IN, 60_000));
    Ok(())
}

/// Four processes, no unplug: whatever they do, nothing fails.
fn many_processes(guest: &Guest) -> Outcome {
    let users = guest.users()?;
    Crowd::start(guest, "strict", 4)?.finish(guest.seed)?;
    same!(guest.users()?, users);
    Ok(())
}

/// Four threads, one file: each sees its own handles and fences although numbers are shared.
fn threads_of_one_file(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open_render()?);
    std::thread::scope(|scope| {
        let (file, other) = (&file, &other);
        let workers: Vec<_> =
            (0..4_u64).map(|at| scope.spawn(move || buffers_in_a_shared_file(file, other, guest.seed ^ at))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })
}

fn buffers_in_a_shared_file(file: &DrmFile, other: &DrmFile, seed: u64) -> Outcome {
    let mut random = Rng::with_seed(seed);
    for _ in 0..100 {
        use_a_buffer(file, other, &mut random, Mood::Stays)?;
    }
    Ok(())
}

/// One thread exports while another closes: a good descriptor or `ENOENT`, nothing between.
fn handle_closed_under_an_export(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for _ in 0..300 {
        let handle = works!(file.pages(1));
        let (exported, closed) = std::thread::scope(|scope| {
            let export = scope.spawn(|| file.export(handle, CLOEXEC | RDWR));
            let closed = file.gem_close(handle);
            (export.join().expect("the exporter does not panic"), closed)
        });
        works!(closed);
        match exported {
            Ok(buffer) => works!(Mapping::shared(&buffer, 0, PAGE)).write(0, 1),
            Err(errno) => same!(errno, Errno::NOENT),
        }
    }
    Ok(())
}

/// Two threads signal one fence: one does, the other finds it gone.
fn fence_signalled_twice_at_once(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    for _ in 0..300 {
        let fence = works!(file.attach(handle, FENCE_WRITE));
        let (one, two) = std::thread::scope(|scope| {
            let other = scope.spawn(|| file.signal(fence));
            (file.signal(fence), other.join().expect("the other does not panic"))
        });
        match (one, two) {
            (Ok(()), Err(Errno::NOENT)) | (Err(Errno::NOENT), Ok(())) => {}
            both => return fail(format!("one signals, the other gets ENOENT, not {both:?}")),
        }
    }
    Ok(())
}

/// Unplugs and binds `rounds` times while a crowd is at work.
fn pull_the_plug(guest: &Guest, part: &str, count: u64, rounds: u32) -> Outcome {
    let users = guest.users()?;
    let mut random = Rng::with_seed(guest.seed);
    let mut crowd = Crowd::start(guest, part, count)?;
    for _ in 0..rounds {
        linger(&mut random);
        works!(guest.driver.unbind());
        linger(&mut random);
        works!(guest.driver.bind());
        if !crowd.all_live()? {
            break;
        }
    }
    crowd.finish(guest.seed)?;
    same!(guest.users()?, users);
    same!(works!(guest.open()?.capability(5)), 3);
    Ok(())
}

/// L6: no moment of any of a client's steps is a bad one to unplug.
fn unplug_and_rebind(guest: &Guest) -> Outcome {
    pull_the_plug(guest, "churn", 4, 30)
}

/// L6: no SIGBUS and no other contents, whenever the mappings are zapped.
fn unplug_while_faulting(guest: &Guest) -> Outcome {
    pull_the_plug(guest, "fault", 3, 20)
}

/// L7: whoever gets in first finds a device that is complete, or none.
fn first_open_after_bind(guest: &Guest) -> Outcome {
    pull_the_plug(guest, "first", 3, 30)
}

/// L5: unbind and bind from several sides at once; at the end there is one device.
fn unbound_by_several(guest: &Guest) -> Outcome {
    let users = guest.users()?;
    let crowd = Crowd::start(guest, "toggle", 2)?;
    for _ in 0..40 {
        // Nothing can be said about the answers here, only about the end.
        let _ = guest.driver.unbind();
        let _ = guest.driver.bind();
    }
    crowd.finish(guest.seed)?;
    guest.restore()?;
    same!(guest.users()?, users);
    same!(works!(guest.open()?.capability(5)), 3);
    works!(guest.driver.unbind());
    works!(guest.driver.bind());
    Ok(())
}

/// The module is unloaded while others unbind and bind its device.
fn unload_while_unbinding(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    let crowd = Crowd::start(guest, "toggle", 2)?;
    for _ in 0..20 {
        match modules::remove(guest.driver.module()) {
            Ok(()) => {}
            Err(errno) => same!(errno, Errno::AGAIN),
        }
        works!(files.load());
    }
    crowd.finish(guest.seed)?;
    guest.restore()?;
    works!(modules::remove(guest.driver.module()));
    works!(files.load());
    same!(works!(guest.open()?.capability(5)), 3);
    Ok(())
}

/// L14: a process that is killed leaves no fence behind: whoever waits goes on.
fn killed_while_holding_a_fence(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let buffer = works!(file.export(handle, CLOEXEC));
    let named = Guest { seed: works!(file.flink(handle)).into(), ..guest.clone() };
    let mut crowd = Crowd::start(&named, "attach", 1)?;
    same!(works!(device::readable_now(&buffer)), false);
    crowd.workers[0].kill()?;
    same!(works!(sys::poll(&buffer, PollFlags::IN, 5000)), PollFlags::IN);
    crowd.workers[0].wait()?;
    works!(file.attach(handle, FENCE_WRITE));
    Ok(())
}

/// The module goes or stays (`EAGAIN`), but never under an open file.
fn unload_while_opening(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    let mut random = Rng::with_seed(guest.seed);
    let crowd = Crowd::start(guest, "knock", 3)?;
    let mut gone = 0;
    for _ in 0..60 {
        linger(&mut random);
        match modules::remove(guest.driver.module()) {
            Ok(()) => gone += 1,
            Err(errno) => same!(errno, Errno::AGAIN),
        }
        works!(files.load());
    }
    crowd.finish(guest.seed)?;
    holds!(modules::remove(guest.driver.module()).is_ok(), "unused, the module goes ({gone} times)");
    works!(files.load());
    Ok(())
}
