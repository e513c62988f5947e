// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Every safe function that a callback has the arguments for, called from within that callback.
//!
//! Each case is a row of the table in docs/explain/attacks.md: the callback, and the answer of each function in it. Without the
//! protection that a case is about, the call uses what C has freed or not made yet, or waits for a lock that C holds.
//!
//! Source: drm_gem.c, drm_file.c, drm_prime.c, drm_managed.c, drm_gpuvm.c (Linux 7.3).

use rustix::process::{Signal, WaitOptions};

use super::super::bus::edu::tested;
use crate::attacks::{Callback, Client, Test, What, unbind};
use crate::check::Outcome;
use crate::device::heap_buffer;
use crate::guest::Guest;
use crate::lifecycle::node;
use crate::sys::{self, Mapping};
use crate::uapi::{CLOEXEC, PAGE, RDWR};
use crate::{holds, same, works};

crate::cases::cases! {
    "attacks":
    callback_file_open within 60, callback_file_close within 60, callback_file_close_of_a_killed_client within 60,
    callback_file_close_after_unplug within 60, callback_file_drop within 60,
    callback_file_drop_of_a_killed_client within 60, callback_fdinfo within 60, callback_file_page within 60,
    callback_object_new within 60, callback_object_dumb within 60, callback_object_import within 60,
    callback_object_open within 60, callback_object_open_by_name within 60, callback_object_open_by_import within 60,
    callback_object_close within 60, callback_object_close_with_the_file within 60,
    callback_object_close_of_a_killed_client within 60, callback_object_drop within 60,
    callback_object_drop_by_munmap within 60, callback_object_drop_by_a_dma_buf within 60,
    callback_object_drop_after_unplug within 60, callback_unplugged within 60, callback_hardware_drop within 60,
    callback_work within 60, callback_space_drop within 60, callback_action within 60, callback_data_drop within 60,
    callback_suspend within 60, callback_resume within 60,
}

type Answers = &'static [(&'static str, i32)];

/// What a callback without arguments can call: it works whatever becomes of devices and files.
const ALONE: Answers = &[("fence", 0), ("sync-object", 0), ("time", 1), ("capability", 1)];
/// With a device that is plugged.
const PLUGGED: Answers =
    &[("enter", 1), ("work", 0), ("prepared-work", 0), ("action", 0), ("object", 0), ("dma", 0), ("space", 0)];
/// With one that is not: nobody enters, nothing is mapped for the hardware, and all that is memory works.
const UNPLUGGED: Answers =
    &[("enter", 0), ("work", 0), ("prepared-work", 0), ("action", 0), ("object", 0), ("dma", -19), ("space", 0)];
/// With an object.
const OBJECT: Answers = &[("mapping", 0), ("offset", 0), ("reservation", 0)];
/// With an open file of a render client; there is no fence in a new sync object.
const FILE: Answers =
    &[("lookup", 0), ("event", 0), ("cancelled-event", 0), ("kept-event", 0), ("find-fence", -22), ("master", 0)];

/// The driver was answered so.
fn answered(test: &mut Test<'_>, callback: Callback, expected: &[Answers]) -> Outcome {
    let expected: Vec<_> = expected.concat().into_iter().map(|(name, answer)| (name.to_owned(), answer)).collect();
    same!(test.answers(0, callback)?, expected);
    test.trace.clear();
    Ok(())
}

/// A case in which one thing makes C call back.
fn case(guest: &Guest, callback: Callback, expected: &[Answers], act: impl FnOnce(&Client) -> Outcome) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(client.trap(callback));
    act(&client)?;
    answered(&mut test, callback, expected)?;
    if callback == Callback::ObjectOpen {
        works!(client.run(What::LetGo, 0, 0));
    }
    drop(client);
    test.unload()
}

/// Has another process open the device, do something, and be killed when it is done.
fn killed(client: &Client, callback: Callback, act: impl FnOnce(&Client) -> Outcome) -> Outcome {
    let (ready, says_so) = rustix::pipe::pipe().map_err(|errno| crate::check::Stop::Fail(errno.to_string()))?;
    let child = works!(sys::fork(|| {
        let Some(other) = crate::attacks::render_node(0).and_then(|node| Client::open(&node).ok()) else {
            return false;
        };
        if act(&other).is_err() || rustix::io::write(&says_so, b"!").is_err() {
            return false;
        }
        // Until it is killed, with its files open.
        loop {
            rustix::event::pause();
        }
    }));
    drop(says_so);
    let mut word = [0];
    same!(works!(rustix::io::read(&ready, &mut word)), 1);
    works!(client.trap(callback));
    works!(rustix::process::kill_process(child, Signal::KILL));
    let status = works!(rustix::process::waitpid(Some(child), WaitOptions::empty())).map(|(_, status)| status);
    holds!(status.is_some_and(|status| status.terminating_signal() == Some(9)), "the client was killed");
    Ok(())
}

/// The file is not there yet; what is called may only see the device. Otherwise a file's data would be used that is not made.
fn callback_file_open(guest: &Guest) -> Outcome {
    case(guest, Callback::FileOpen, &[ALONE, PLUGGED], |_| Test::reopen().map(drop))
}

/// The file's events and handles are gone: what could reach them is not to be had (a freed `drm_file` otherwise).
fn callback_file_close(guest: &Guest) -> Outcome {
    case(guest, Callback::FileClose, &[ALONE, PLUGGED], |_| Test::reopen().map(drop))
}

/// The process has no namespaces any more: what asks for them reads a null pointer (S4).
fn callback_file_close_of_a_killed_client(guest: &Guest) -> Outcome {
    case(guest, Callback::FileClose, &[ALONE, PLUGGED], |client| killed(client, Callback::FileClose, |_| Ok(())))
}

/// The registration data is gone: entering would read it after it was dropped.
fn callback_file_close_after_unplug(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(client.trap(Callback::FileClose));
    works!(unbind(0));
    drop(client);
    answered(&mut test, Callback::FileClose, &[ALONE, UNPLUGGED])?;
    test.unload()
}

/// A file's data keeps its device, so the device is whole while the data is dropped.
fn callback_file_drop(guest: &Guest) -> Outcome {
    case(guest, Callback::FileDrop, &[ALONE, PLUGGED], |_| Test::reopen().map(drop))
}

/// As above, in a process that is ending.
fn callback_file_drop_of_a_killed_client(guest: &Guest) -> Outcome {
    case(guest, Callback::FileDrop, &[ALONE, PLUGGED], |client| killed(client, Callback::FileDrop, |_| Ok(())))
}

/// Read by another process, whose file this is not.
fn callback_fdinfo(guest: &Guest) -> Outcome {
    case(guest, Callback::Fdinfo, &[ALONE, PLUGGED], |client| {
        holds!(client.0.fdinfo()?.contains("drm-driver"), "fdinfo is that of a DRM device");
        Ok(())
    })
}

/// The lock of an address space is held: whoever took it again would wait for itself.
fn callback_file_page(guest: &Guest) -> Outcome {
    case(guest, Callback::FilePage, &[ALONE, PLUGGED], |client| {
        let handle = works!(client.make(PAGE));
        works!(client.map(handle, PAGE)).write(0, 7);
        Ok(())
    })
}

/// The object is not made yet: what is called makes others meanwhile.
fn callback_object_new(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectNew, &[ALONE, PLUGGED], |client| {
        works!(client.0.gem_close(works!(client.make(PAGE))));
        Ok(())
    })
}

/// Not in a section of the unplug guard.
fn callback_object_dumb(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let primary = Client::open(&node("lifecycle.0", "card").expect("the primary node is there"))?;
    works!(client.trap(Callback::ObjectDumb));
    works!(primary.0.pages(1));
    answered(&mut test, Callback::ObjectDumb, &[ALONE, PLUGGED])?;
    drop((client, primary));
    test.unload()
}

/// C holds the lock of names: an object that is freed or made here must not take it.
fn callback_object_import(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectImport, &[ALONE, PLUGGED], |client| {
        let buffer = works!(heap_buffer(PAGE));
        works!(client.0.import(&buffer));
        Ok(())
    })
}

/// The handle is there, but not the client's yet.
fn callback_object_open(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectOpen, &[ALONE, PLUGGED, OBJECT, FILE], |client| {
        works!(client.0.gem_close(works!(client.make(PAGE))));
        Ok(())
    })
}

/// By its global name, from another file.
fn callback_object_open_by_name(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectOpen, &[ALONE, PLUGGED, OBJECT, FILE], |client| {
        let card = node("lifecycle.0", "card").expect("the primary node is there");
        let (first, second) = (Client::open(&card)?, Client::open(&card)?);
        works!(client.trap(Callback::FileClose));
        let name = works!(first.0.flink(works!(first.make(PAGE))));
        works!(client.trap(Callback::ObjectOpen));
        works!(second.0.gem_open(name));
        Ok(())
    })
}

/// The lock of the file's list of imports is held.
fn callback_object_open_by_import(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectOpen, &[ALONE, PLUGGED, OBJECT, FILE], |client| {
        let other = Test::reopen()?;
        works!(client.trap(Callback::FileClose));
        let buffer = works!(other.0.export(works!(other.make(PAGE)), RDWR | CLOEXEC));
        works!(client.trap(Callback::ObjectOpen));
        works!(client.0.import(&buffer));
        Ok(())
    })
}

/// The client's handle goes: an object of it that is looked up would be one that is freed, when the file goes (S1, S2, S17).
fn callback_object_close(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectClose, &[ALONE, PLUGGED, OBJECT], |client| {
        works!(client.0.gem_close(works!(client.make(PAGE))));
        Ok(())
    })
}

/// All of the client's handles go: the second object of three.
fn callback_object_close_with_the_file(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectClose, &[ALONE, PLUGGED, OBJECT], |client| {
        let other = Test::reopen()?;
        for _ in 0..3 {
            works!(other.make(PAGE));
        }
        works!(client.trap(Callback::ObjectClose));
        drop(other);
        Ok(())
    })
}

/// As above, in a process that is ending.
fn callback_object_close_of_a_killed_client(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectClose, &[ALONE, PLUGGED, OBJECT], |client| {
        killed(client, Callback::ObjectClose, |other| {
            works!(other.run(What::Handles, 0, 20));
            Ok(())
        })
    })
}

/// The last reference goes with the handle.
fn callback_object_drop(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectDrop, &[ALONE, PLUGGED], |client| {
        works!(client.0.gem_close(works!(client.make(PAGE))));
        Ok(())
    })
}

/// The last reference is that of a mapping: the lock of the address space is held.
fn callback_object_drop_by_munmap(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectDrop, &[ALONE, PLUGGED], |client| {
        let handle = works!(client.make(PAGE));
        let mapping = works!(client.map(handle, PAGE));
        mapping.write(0, 7);
        works!(client.0.gem_close(handle));
        drop(mapping);
        Ok(())
    })
}

/// The last reference is that of a dma-buf, which also keeps the module.
fn callback_object_drop_by_a_dma_buf(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectDrop, &[ALONE, PLUGGED], |client| {
        let handle = works!(client.make(PAGE));
        let buffer = works!(client.0.export(handle, RDWR | CLOEXEC));
        works!(client.0.gem_close(handle));
        let mapping = works!(Mapping::shared(&buffer, 0, PAGE));
        drop(buffer);
        drop(mapping);
        Ok(())
    })
}

/// The device is unplugged, and the object was mapped for it.
fn callback_object_drop_after_unplug(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let handle = works!(client.make(PAGE));
    works!(client.plugged(What::SyncBounds, handle, 0));
    works!(client.trap(Callback::ObjectDrop));
    works!(unbind(0));
    drop(client);
    answered(&mut test, Callback::ObjectDrop, &[ALONE, UNPLUGGED])?;
    test.unload()
}

/// Nobody enters, and the workqueue is there: it is flushed after this.
fn callback_unplugged(guest: &Guest) -> Outcome {
    case(guest, Callback::Unplugged, &[ALONE, UNPLUGGED], |_| {
        works!(unbind(0));
        Ok(())
    })
}

/// What is queued here is not flushed any more, and ends with the module.
fn callback_hardware_drop(guest: &Guest) -> Outcome {
    case(guest, Callback::HardwareDrop, &[ALONE, UNPLUGGED], |_| {
        works!(unbind(0));
        Ok(())
    })
}

/// A thread of the kernel, which has no files and every capability.
fn callback_work(guest: &Guest) -> Outcome {
    case(guest, Callback::Work, &[ALONE, PLUGGED], |_| Ok(()))
}

/// The address space is at its end.
fn callback_space_drop(guest: &Guest) -> Outcome {
    case(guest, Callback::SpaceDrop, &[ALONE, PLUGGED], |client| {
        works!(client.run(What::Spaces, 0, 0));
        Ok(())
    })
}

/// The system is about to sleep, and userspace is frozen: what waits for a process waits for ever.
fn callback_suspend(guest: &Guest) -> Outcome {
    case(guest, Callback::Suspend, &[ALONE, PLUGGED], |_| {
        works!(tested("devices", "freeze"));
        Ok(())
    })
}

/// As above, on the way back.
fn callback_resume(guest: &Guest) -> Outcome {
    case(guest, Callback::Resume, &[ALONE, PLUGGED], |_| {
        works!(tested("devices", "freeze"));
        Ok(())
    })
}

/// Nobody has a reference to the device any more.
fn callback_action(guest: &Guest) -> Outcome {
    last_of_the_device(guest, Callback::Action)
}

/// As above; the device's lists are gone as well.
fn callback_data_drop(guest: &Guest) -> Outcome {
    last_of_the_device(guest, Callback::DataDrop)
}

fn last_of_the_device(guest: &Guest, callback: Callback) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(client.trap(callback));
    works!(unbind(0));
    same!(test.trace.count(&format!("0: {} ends", callback.name())), 0);
    drop(client);
    answered(&mut test, callback, &[ALONE])?;
    test.unload()
}
