// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Leases: part of a display for another client, until its master takes it back.
//!
//! Source: `drivers/gpu/drm/drm_lease.c`, `drm_mode_object.c` (Linux 7.3).

use uapi::mode::*;
use uapi::{CLOEXEC, SET_MASTER};

use crate::harness::check::Outcome;
use crate::subjects::display::{Display, Output};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_lease" for Vkms:
    lessee_sees_only_its_objects, lessee_shows_a_picture, leased_objects_cannot_be_leased_again,
    revoked_lease_has_no_objects, closed_lease_gives_its_objects_back, pending_flip_of_a_revoked_lease_ends,
    wrong_leases_are_refused, lessee_cannot_lease_or_become_master, lessor_that_closes_ends_its_leases,
    vblanks_of_a_lease_count_its_own_crtcs,
}

/// The objects of an output.
fn objects(output: &Output) -> Vec<u32> {
    let planes = output.planes().map(|plane| plane.id);
    [output.crtc.id, output.connector.id].into_iter().chain(planes).collect()
}

/// Leases the first output.
fn lease(display: &Display) -> Outcome<(u32, Display)> {
    let (id, file) = works!(display.file.create_lease(&objects(display.output()), CLOEXEC));
    Ok((id, Display::adopt(file)?))
}

fn lessee_sees_only_its_objects(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (id, lessee) = lease(&display)?;
    same!(works!(display.file.lessees()), [id]);
    let mut wanted = objects(display.output());
    wanted.sort_unstable();
    let mut found = works!(lessee.file.lease());
    found.sort_unstable();
    same!(found, wanted);
    let res = works!(lessee.file.resources());
    same!(res.crtcs, [display.output().crtc.id]);
    same!(res.connectors, [display.output().connector.id]);
    same!(works!(lessee.file.planes()).len(), wanted.len() - 2);
    same!(lessee.outputs.len(), 1);
    Ok(())
}

/// The lessee sets a mode and flips as a master does.
fn lessee_shows_a_picture(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (_, lessee) = lease(&display)?;
    let output = lessee.output();
    let frame = lessee.light(output)?;
    for turn in 0..3 {
        works!(lessee.flip(output, frame.fb, turn));
        same!(lessee.flipped()?.user_data, turn);
    }
    same!(display.shown(&display.output().primary)?, frame.fb);
    holds!(!display.has_event()?, "the lessor gets no event");
    Ok(())
}

/// A lease restricts the lessee, not the lessor. But what is leased cannot be leased to another one.
fn leased_objects_cannot_be_leased_again(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (_, lessee) = lease(&display)?;
    let frame = lessee.light(lessee.output())?;
    refuses!(display.file.create_lease(&objects(display.output()), CLOEXEC), BUSY);
    works!(display.flip(display.output(), frame.fb, 1));
    same!(display.flipped()?.user_data, 1);
    Ok(())
}

/// After a revocation the lessee's file is open and controls nothing. The picture stays until the lessor changes it.
fn revoked_lease_has_no_objects(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (id, lessee) = lease(&display)?;
    let output = lessee.output();
    let frame = lessee.light(output)?;
    works!(display.file.revoke_lease(id));
    same!(works!(lessee.file.lease()), Vec::<u32>::new());
    same!(works!(lessee.file.resources()).crtcs, Vec::<u32>::new());
    refuses!(lessee.flip(output, frame.fb, 1), NOENT);
    refuses!(lessee.file.crtc(output.crtc.id), NOENT);
    refuses!(lessee.file.sequence(output.crtc.id), NOENT);
    same!(display.shown(&display.output().primary)?, frame.fb);
    let (_, second) = lease(&display)?;
    let frame = second.light(second.output())?;
    works!(second.flip(second.output(), frame.fb, 2));
    same!(second.flipped()?.user_data, 2);
    works!(display.file.revoke_lease(id));
    refuses!(display.file.revoke_lease(id + 100), NOENT);
    Ok(())
}

fn closed_lease_gives_its_objects_back(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    for _ in 0..3 {
        let (_, lessee) = lease(&display)?;
        lessee.light(lessee.output())?;
        drop(lessee);
        same!(works!(display.file.lessees()), Vec::<u32>::new());
        same!(display.shown(&display.output().primary)?, 0);
    }
    let frame = display.light(display.output())?;
    works!(display.flip(display.output(), frame.fb, 1));
    same!(display.flipped()?.user_data, 1);
    Ok(())
}

/// The event of a flip comes although the lease is revoked meanwhile.
fn pending_flip_of_a_revoked_lease_ends(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (id, lessee) = lease(&display)?;
    let frame = lessee.light(lessee.output())?;
    works!(lessee.flip(lessee.output(), frame.fb, 7));
    works!(display.file.revoke_lease(id));
    same!(lessee.flipped()?.user_data, 7);
    Ok(())
}

/// A lease has a CRTC, a connector and a plane of the device, each of them once.
fn wrong_leases_are_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let (crtc, connector, plane) = (output.crtc.id, output.connector.id, output.primary.id);
    let encoder = works!(display.file.resources()).encoders[0];
    for wanted in [&[crtc][..], &[crtc, connector], &[crtc, plane], &[connector, plane]] {
        refuses!(display.file.create_lease(wanted, CLOEXEC), INVAL, " of {wanted:?}");
    }
    refuses!(display.file.create_lease(&[crtc, connector, plane, encoder], CLOEXEC), INVAL);
    refuses!(display.file.create_lease(&[crtc, connector, plane, 0x7fff_ffff], CLOEXEC), NOENT);
    refuses!(display.file.create_lease(&[crtc, connector, plane, plane], CLOEXEC), NOSPC);
    refuses!(display.file.create_lease(&[crtc, connector, plane], 1), INVAL);
    same!(works!(display.file.lessees()), Vec::<u32>::new());
    Ok(())
}

fn lessee_cannot_lease_or_become_master(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (id, lessee) = lease(&display)?;
    refuses!(lessee.file.create_lease(&objects(display.output()), CLOEXEC), INVAL);
    refuses!(lessee.file.revoke_lease(id), ACCESS);
    refuses!(lessee.file.revoke_lease(id + 1), NOENT);
    refuses!(lessee.file.master(&uapi::DROP_MASTER), INVAL);
    works!(lessee.file.master(&SET_MASTER));
    Ok(())
}

/// When the lessor's file is closed, its lessee controls nothing, and the display can be opened again.
fn lessor_that_closes_ends_its_leases(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (_, lessee) = lease(&display)?;
    let frame = lessee.light(lessee.output())?;
    drop(display);
    holds!(lessee.flip(lessee.output(), frame.fb, 1).is_err(), "the lessee cannot flip");
    drop(lessee);
    let display = Display::open(guest)?;
    let frame = display.light(display.output())?;
    works!(display.flip(display.output(), frame.fb, 2));
    same!(display.flipped()?.user_data, 2);
    Ok(())
}

/// The index in `WAIT_VBLANK` counts the CRTCs of the lease.
fn vblanks_of_a_lease_count_its_own_crtcs(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (_, lessee) = lease(&display)?;
    lessee.light(lessee.output())?;
    works!(lessee.file.wait_vblank(VBLANK_RELATIVE, 0, 1, 0));
    refuses!(lessee.file.wait_vblank(VBLANK_RELATIVE, 1, 1, 0), INVAL);
    Ok(())
}
