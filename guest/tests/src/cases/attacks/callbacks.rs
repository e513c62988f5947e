// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Every safe function for which a callback has the arguments, called from within that callback.
//!
//! Each case is a row of the table in docs/explain/attacks.md: the callback, and the answer of each function in it. Without the
//! protection that a case tests, the call would use an object that C has freed or not made yet, or wait for a lock that
//! C holds.
//!
//! Source: drm_gem.c, drm_file.c, drm_prime.c, drm_managed.c, drm_gpuvm.c (Linux 7.3).

use rustix::process::{Signal, WaitOptions};
use sys::Mapping;
use uapi::{CLOEXEC, PAGE, RDWR};

use crate::cases::bus::edu::tested;
use crate::harness::check::Outcome;
use crate::subjects::attacks::{Callback, Client, Test, What, unbind};
use crate::subjects::device::heap_buffer;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::node;
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

/// Answers in a callback without arguments: these functions work whatever the state of devices and files.
const ALONE: Answers = &[("fence", 0), ("sync-object", 0), ("time", 1), ("capability", 1)];
/// Answers with a plugged device.
const PLUGGED: Answers =
    &[("enter", 1), ("work", 0), ("prepared-work", 0), ("action", 0), ("object", 0), ("dma", 0), ("space", 0)];
/// Answers with an unplugged device: no section can be entered and nothing is mapped for the hardware, but everything
/// that is only memory works.
const UNPLUGGED: Answers =
    &[("enter", 0), ("work", 0), ("prepared-work", 0), ("action", 0), ("object", 0), ("dma", -19), ("space", 0)];
/// Answers with an object.
const OBJECT: Answers = &[("mapping", 0), ("offset", 0), ("reservation", 0)];
/// Answers with an open file of a render client. A new sync object has no fence.
const FILE: Answers =
    &[("lookup", 0), ("event", 0), ("cancelled-event", 0), ("kept-event", 0), ("find-fence", -22), ("master", 0)];

/// Checks the answers that the driver got.
fn answered(test: &mut Test<'_>, callback: Callback, expected: &[Answers]) -> Outcome {
    let expected: Vec<_> = expected.concat().into_iter().map(|(name, answer)| (name.to_owned(), answer)).collect();
    same!(test.answers(0, callback)?, expected);
    test.trace.clear();
    Ok(())
}

/// Runs a case in which one action makes C call back.
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

/// Starts a process that opens the device, acts, and is killed afterwards.
fn killed(client: &Client, callback: Callback, act: impl FnOnce(&Client) -> Outcome) -> Outcome {
    let (ready, says_so) =
        rustix::pipe::pipe().map_err(|errno| crate::harness::check::Stop::Fail(errno.to_string()))?;
    let child = works!(sys::fork(|| {
        let Some(other) = crate::subjects::attacks::render_node(0).and_then(|node| Client::open(&node).ok()) else {
            return false;
        };
        if act(&other).is_err() || rustix::io::write(&says_so, b"!").is_err() {
            return false;
        }
        // The process waits to be killed, with its files open.
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

/// While a file is opened, the callback sees only the device; else it would use the file's data before it is made.
fn callback_file_open(guest: &Guest) -> Outcome {
    case(guest, Callback::FileOpen, &[ALONE, PLUGGED], |_| Test::reopen().map(drop))
}

/// When a file is closed, its events and handles are gone, so the callback must not reach them (else a freed
/// `drm_file`).
fn callback_file_close(guest: &Guest) -> Outcome {
    case(guest, Callback::FileClose, &[ALONE, PLUGGED], |_| Test::reopen().map(drop))
}

/// A killed process has no namespaces any more, so a function that used them would read a null pointer (S4).
fn callback_file_close_of_a_killed_client(guest: &Guest) -> Outcome {
    case(guest, Callback::FileClose, &[ALONE, PLUGGED], |client| killed(client, Callback::FileClose, |_| Ok(())))
}

/// After an unplug the registration data is gone, so entering would read it after its drop.
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

/// Like `callback_file_drop`, in a process that is exiting.
fn callback_file_drop_of_a_killed_client(guest: &Guest) -> Outcome {
    case(guest, Callback::FileDrop, &[ALONE, PLUGGED], |client| killed(client, Callback::FileDrop, |_| Ok(())))
}

/// fdinfo can be read by another process, to which the file does not belong.
fn callback_fdinfo(guest: &Guest) -> Outcome {
    case(guest, Callback::Fdinfo, &[ALONE, PLUGGED], |client| {
        holds!(client.0.fdinfo()?.contains("drm-driver"), "fdinfo is that of a DRM device");
        Ok(())
    })
}

/// The lock of an address space is held: taking it again would deadlock.
fn callback_file_page(guest: &Guest) -> Outcome {
    case(guest, Callback::FilePage, &[ALONE, PLUGGED], |client| {
        let handle = works!(client.make(PAGE));
        works!(client.map(handle, PAGE)).write(0, 7);
        Ok(())
    })
}

/// The object is not made yet: the callback makes others meanwhile.
fn callback_object_new(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectNew, &[ALONE, PLUGGED], |client| {
        works!(client.0.gem_close(works!(client.make(PAGE))));
        Ok(())
    })
}

/// The callback runs outside a section of the unplug guard.
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

/// C holds the lock of names, so an object that is freed or made here must not take it.
fn callback_object_import(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectImport, &[ALONE, PLUGGED], |client| {
        let buffer = works!(heap_buffer(PAGE));
        works!(client.0.import(&buffer));
        Ok(())
    })
}

/// The handle exists, but does not belong to the client yet.
fn callback_object_open(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectOpen, &[ALONE, PLUGGED, OBJECT, FILE], |client| {
        works!(client.0.gem_close(works!(client.make(PAGE))));
        Ok(())
    })
}

/// The object is opened by its global name, from another file.
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

/// C holds the lock of the file's list of imports.
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

/// The client's handle is being closed: when the file is closed too, a lookup could find a freed object (S1, S2, S17).
fn callback_object_close(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectClose, &[ALONE, PLUGGED, OBJECT], |client| {
        works!(client.0.gem_close(works!(client.make(PAGE))));
        Ok(())
    })
}

/// All of the client's handles are closed; the callback runs for the second object of three.
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

/// Like `callback_object_close_with_the_file`, in a process that is exiting.
fn callback_object_close_of_a_killed_client(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectClose, &[ALONE, PLUGGED, OBJECT], |client| {
        killed(client, Callback::ObjectClose, |other| {
            works!(other.run(What::Handles, 0, 20));
            Ok(())
        })
    })
}

/// The last reference is dropped with the handle.
fn callback_object_drop(guest: &Guest) -> Outcome {
    case(guest, Callback::ObjectDrop, &[ALONE, PLUGGED], |client| {
        works!(client.0.gem_close(works!(client.make(PAGE))));
        Ok(())
    })
}

/// The last reference is a mapping's, so the lock of the address space is held.
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

/// The last reference is a dma-buf's, which also keeps the module.
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

/// No section can be entered, but the workqueue exists: it is flushed after this.
fn callback_unplugged(guest: &Guest) -> Outcome {
    case(guest, Callback::Unplugged, &[ALONE, UNPLUGGED], |_| {
        works!(unbind(0));
        Ok(())
    })
}

/// Work that is queued here is not flushed any more, and ends with the module.
fn callback_hardware_drop(guest: &Guest) -> Outcome {
    case(guest, Callback::HardwareDrop, &[ALONE, UNPLUGGED], |_| {
        works!(unbind(0));
        Ok(())
    })
}

/// The callback runs in a kernel thread, which has no files and every capability.
fn callback_work(guest: &Guest) -> Outcome {
    case(guest, Callback::Work, &[ALONE, PLUGGED], |_| Ok(()))
}

/// The address space is being freed.
fn callback_space_drop(guest: &Guest) -> Outcome {
    case(guest, Callback::SpaceDrop, &[ALONE, PLUGGED], |client| {
        works!(client.run(What::Spaces, 0, 0));
        Ok(())
    })
}

/// The system is about to suspend and userspace is frozen, so a wait for a process would never end.
fn callback_suspend(guest: &Guest) -> Outcome {
    case(guest, Callback::Suspend, &[ALONE, PLUGGED], |_| {
        works!(tested("devices", "freeze"));
        Ok(())
    })
}

/// Like `callback_suspend`, during resume.
fn callback_resume(guest: &Guest) -> Outcome {
    case(guest, Callback::Resume, &[ALONE, PLUGGED], |_| {
        works!(tested("devices", "freeze"));
        Ok(())
    })
}

/// No reference to the device is left.
fn callback_action(guest: &Guest) -> Outcome {
    last_of_the_device(guest, Callback::Action)
}

/// No reference to the device is left, and its lists are gone as well.
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
