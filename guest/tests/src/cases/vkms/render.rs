// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The display with a render node and vgem's fences, as `render_node=1` makes it, and without.
//!
//! Source: `drm_ioctl_permit` in `drivers/gpu/drm/drm_ioctl.c`, `drivers/gpu/drm/vgem/vgem_fence.c` (Linux 7.3);
//! `kernel/drivers/vkms/{config.rs,vkms_drm.h}`.

use std::os::fd::OwnedFd;

use rustix::event::PollFlags;
use sys::{BadAddress, Mapping};
use uapi::mode::*;
use uapi::{
    CLOEXEC, FENCE_WRITE, PAGE, RDWR, SET_MASTER, SYNC_WRITE, VGEM_FENCE_ATTACH, VGEM_FENCE_SIGNAL, VKMS_SCREEN,
    VkmsScreen,
};

use super::fence::three_vblanks;
use crate::cases::{Case, fence};
use crate::harness::check::{Outcome, Stop, fail};
use crate::subjects::device::{self, DrmFile};
use crate::subjects::display::setup::Setup;
use crate::subjects::display::{Card, Display};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_render" for Vkms:
    no_render_node_by_default, fences_are_unknown_by_default, render_node_does_not_set_modes,
    picture_and_fences_have_their_numbers, buffer_is_shared_between_the_nodes,
    flip_waits_for_a_fence_of_the_render_node, unbind_with_a_fence_pending, vgems_cases_of_fences_pass within 100,
}

/// Loads the driver with a render node.
fn with_render_node(guest: &Guest) -> Outcome<Setup> {
    let (setup, _) = Setup::with(guest, c"render_node=1")?;
    Ok(setup)
}

/// Creates a buffer on the primary node, and imports it on the render node. Returns both handles and the dma-buf.
fn shared(primary: &DrmFile, render: &DrmFile) -> Outcome<(u32, u32, OwnedFd)> {
    let handle = works!(primary.pages(1));
    let buffer = works!(primary.export(handle, CLOEXEC | RDWR));
    Ok((handle, works!(render.import(&buffer)), buffer))
}

fn no_render_node_by_default(guest: &Guest) -> Outcome {
    let card = Card::first(guest)?;
    let nodes = std::fs::read_dir(card.parent.join("drm"))?.flatten().map(|entry| entry.file_name());
    let render: Vec<_> = nodes.filter(|name| name.to_string_lossy().starts_with("renderD")).collect();
    holds!(render.is_empty(), "the display has no render node: {render:?}");
    holds!(guest.driver.find().is_none(), "no device of the driver has both nodes");
    Ok(())
}

/// Without the option the kernel does not look at the argument, as for a number that no driver has.
fn fences_are_unknown_by_default(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let handle = works!(display.file.pages(1));
    refuses!(display.file.attach(handle, FENCE_WRITE), INVAL);
    refuses!(display.file.signal(1), INVAL);
    let unknown = VGEM_FENCE_SIGNAL.number + 1;
    for number in [VGEM_FENCE_ATTACH.number, VGEM_FENCE_SIGNAL.number, unknown] {
        refuses!(sys::ioctl_bad(&display.file, number, BadAddress::Unmapped), INVAL, " of {number:#x}");
    }
    Ok(())
}

fn render_node_does_not_set_modes(guest: &Guest) -> Outcome {
    let _setup = with_render_node(guest)?;
    let render = guest.open_render()?;
    refuses!(render.resources(), ACCESS);
    refuses!(render.create_dumb(64, 64, 32), ACCESS);
    refuses!(render.client_cap(CLIENT_CAP_ATOMIC, 1), ACCESS);
    refuses!(render.master(&SET_MASTER), ACCESS);
    refuses!(render.ioctl(&VKMS_SCREEN, VkmsScreen::default()), ACCESS);
    same!(works!(render.names()).0, "vkms");
    Ok(())
}

/// The number 0 takes a picture with and without the option.
fn picture_and_fences_have_their_numbers(guest: &Guest) -> Outcome {
    let _setup = with_render_node(guest)?;
    let display = Display::open(guest)?;
    let output = display.output();
    display.light(output)?;
    let taken = works!(display.file.ioctl(&VKMS_SCREEN, VkmsScreen::default()));
    same!((taken.width, taken.height), output.size());
    let handle = works!(display.file.pages(1));
    works!(display.file.signal(works!(display.file.attach(handle, FENCE_WRITE))));
    refuses!(sys::ioctl_bad(&display.file, VGEM_FENCE_SIGNAL.number + 1, BadAddress::Unmapped), INVAL);
    Ok(())
}

/// PRIME both ways: the dma-buf and the bytes are the same whichever node has the buffer.
fn buffer_is_shared_between_the_nodes(guest: &Guest) -> Outcome {
    let _setup = with_render_node(guest)?;
    let (primary, render) = (guest.open()?, guest.open_render()?);
    let (handle, theirs, buffer) = shared(&primary, &render)?;
    let ours = works!(primary.map(handle, PAGE));
    ours.write(64, 0x1234_5678);
    let back = works!(render.export(theirs, CLOEXEC | RDWR));
    same!(works!(Mapping::shared(&back, 0, PAGE)).read(64), 0x1234_5678);
    same!(works!(primary.import(&back)), handle);
    // The render node keeps the buffer, and the primary node gets it again.
    works!(primary.gem_close(handle));
    drop((ours, buffer));
    let again = works!(primary.import(&back));
    same!(works!(primary.map(again, PAGE)).read(64), 0x1234_5678);
    Ok(())
}

/// K12: a fence that another client attaches through the render node holds up the flip, without an in-fence.
fn flip_waits_for_a_fence_of_the_render_node(guest: &Guest) -> Outcome {
    let _setup = with_render_node(guest)?;
    let display = Display::open(guest)?;
    let output = display.output();
    display.light(output)?;
    let (frame, render) = (display.frame(output.size())?, guest.open_render()?);
    let buffer = works!(display.file.export(frame.handle, CLOEXEC));
    let fence = works!(render.attach(works!(render.import(&buffer)), FENCE_WRITE));
    works!(display.flip(output, frame.fb, 12));
    three_vblanks(&display, output)?;
    holds!(!display.has_event()?, "no event comes before the fence");
    works!(render.signal(fence));
    same!(display.flipped()?.user_data, 12);
    same!(display.shown(&output.primary)?, frame.fb);
    Ok(())
}

/// L14: a client's fence outlives the device, and is signalled when the client's file is closed.
fn unbind_with_a_fence_pending(guest: &Guest) -> Outcome {
    let _setup = with_render_node(guest)?;
    let (primary, render) = (guest.open()?, guest.open_render()?);
    let (_, theirs, buffer) = shared(&primary, &render)?;
    let fence = works!(render.attach(theirs, FENCE_WRITE));
    let file = works!(device::export_sync_file(&buffer, SYNC_WRITE));
    let unbound = Card::first(guest)?.unbind()?;
    holds!(guest.driver.find().is_none(), "both nodes are gone");
    refuses!(render.signal(fence), NODEV);
    refuses!(render.attach(theirs, 0), NODEV);
    same!(works!(sys::poll(&file, PollFlags::IN, 0)), PollFlags::empty());
    drop((primary, render, buffer));
    same!(works!(device::fence_of(&file)).status, 1);
    works!(unbound.bind());
    guest.open_render()?;
    Ok(())
}

/// Runs the cases of vgem's fences on the display. A case with a failure is named.
fn vgems_cases_of_fences_pass(guest: &Guest) -> Outcome {
    let _setup = with_render_node(guest)?;
    let areas = [fence::arguments::CASES, fence::CASES, fence::waiting::CASES, fence::sync_file::CASES];
    for Case { name, run, .. } in areas.into_iter().flatten().filter(|case| !case.is_long()) {
        match run(guest) {
            Ok(()) | Err(Stop::Skip(_)) => {}
            Err(Stop::Fail(why)) => return fail(format!("{name}: {why}")),
        }
    }
    Ok(())
}
