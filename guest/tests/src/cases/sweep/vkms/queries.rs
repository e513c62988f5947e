// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Calls that change nothing: queries of objects, the probe of a connector with its EDID, pictures.
//!
//! Source: drm_mode_config.c, drm_connector.c, drm_probe_helper.c, drm_edid.c in drivers/gpu/drm (Linux 7.3);
//! `kernel/drivers/vkms/capture.rs`.

use rustix::io::Errno;
use sys::Answer;
use uapi::mode::*;
use uapi::{VKMS_SCREEN, VkmsScreen};

use super::Screen;
use crate::subjects::driver::Driver;
use crate::subjects::guest::Guest;
use crate::sweeps::calls::Stood;
use crate::sweeps::operation::Operation;
use crate::{same, works};

pub(super) fn table(guest: &Guest) -> Vec<Operation<Screen>> {
    let mut rows = vec![
        query("GETRESOURCES", |screen| screen.display.file.resources().map(drop)),
        query("GETPLANERESOURCES", |screen| screen.display.file.planes().map(drop)),
        query("GETPLANE", |screen| screen.display.file.plane(screen.output().primary.id).map(drop)),
        query("GETCRTC", |screen| screen.display.file.crtc(screen.output().crtc.id).map(drop)),
        query("CRTC_GET_SEQUENCE", |screen| screen.display.file.sequence(screen.output().crtc.id).map(drop)),
        query("OBJ_GETPROPERTIES", |screen| {
            screen.display.file.properties(screen.output().crtc.id, OBJECT_CRTC).map(drop)
        }),
        query("GETPROPERTY", |screen| screen.display.file.property(screen.output().primary.property("type")).map(drop)),
        query("GETPROPBLOB", |screen| screen.display.file.blob(screen.mode).map(drop)),
        query("DIRTYFB", |screen| match screen.display.file.dirty_fb(screen.frame.fb, &[]) {
            // A display that shows the memory itself has nothing to do.
            Err(Errno::NOSYS) => Ok(()),
            other => other,
        }),
        connector(),
    ];
    if guest.driver == Driver::Vkms {
        rows.push(query("VKMS_SCREEN", screen));
    }
    rows
}

fn query(name: &'static str, call: fn(&Screen) -> Answer) -> Operation<Screen> {
    Operation::alone(name, call)
}

/// Takes a picture of what is shown.
fn screen(screen: &Screen) -> Answer {
    let (handle, pitch) = (screen.other.handle, screen.other.pitch);
    screen.display.file.ioctl(&VKMS_SCREEN, VkmsScreen { handle, pitch, ..Default::default() }).map(drop)
}

/// C goes on without a mode for which there is no memory, or without the EDID.
const PROBED: &[Stood] = &[
    ("__kmalloc_cache_noprof", u32::MAX),
    ("__kmalloc_noprof", u32::MAX),
    ("__kmalloc_node_track_caller_noprof", u32::MAX),
    ("__kvmalloc_node_noprof", u32::MAX),
    ("kmem_cache_alloc_noprof", u32::MAX),
];

/// Probes the connector. A failure may leave out modes or the EDID, but the next probe has them all.
fn connector() -> Operation<Screen> {
    Operation::new(
        "GETCONNECTOR",
        |screen: &Screen| Ok(works!(screen.display.file.connector(screen.output().connector.id)).modes),
        |screen, _| screen.display.file.connector(screen.output().connector.id).map(drop),
        |screen, modes, _| {
            same!(works!(screen.display.file.connector(screen.output().connector.id)).modes, modes);
            Ok(())
        },
    )
    .stands(PROBED)
}
