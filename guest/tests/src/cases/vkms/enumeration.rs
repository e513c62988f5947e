// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A display describes itself: capabilities, objects, modes, properties, formats (K1, K6).
//!
//! Source: `drivers/gpu/drm/drm_mode_config.c`, `drm_connector.c`, `drm_plane.c` (Linux 7.3); the meaning of the properties
//! is that of Documentation/gpu/drm-kms.rst.

use uapi::mode::*;
use uapi::of_bytes;

use crate::harness::check::Outcome;
use crate::subjects::device::DrmFile;
use crate::subjects::display::{CONNECTED, Card, Display, NAME, PRIMARY};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_enumeration" for Vkms:
    version_names_the_driver, capabilities_are_those_that_compositors_need, limits_are_within_16_bits,
    each_crtc_has_one_primary_plane, planes_and_encoders_name_only_crtcs_that_exist, connector_has_a_virtual_encoder,
    connected_connector_has_modes_within_the_limits, one_mode_is_preferred, modes_have_a_frame_time,
    legacy_client_sees_no_primary_plane, atomic_properties_are_hidden_from_a_legacy_client,
    standard_properties_are_there, property_values_are_within_their_kind, unknown_numbers_are_refused,
    in_formats_lists_the_formats_of_the_plane, fixed_property_is_immutable, objects_have_the_type_they_are_asked_for,
}

/// The DRM name is the one that tests and tools know.
fn version_names_the_driver(guest: &Guest) -> Outcome {
    let (name, description) = works!(Display::open(guest)?.file.names());
    same!(name.as_str(), NAME);
    holds!(!description.is_empty(), "the driver describes itself");
    Ok(())
}

/// Dumb buffers, PRIME both ways, monotonic times, CRTCs in events; no asynchronous flips.
fn capabilities_are_those_that_compositors_need(guest: &Guest) -> Outcome {
    let file = Display::open(guest)?.file;
    let of = |capability| file.capability(capability);
    same!(works!(of(CAP_DUMB_BUFFER)), 1);
    same!(works!(of(5)), 3);
    same!(works!(of(CAP_TIMESTAMP_MONOTONIC)), 1);
    same!(works!(of(CAP_CRTC_IN_VBLANK_EVENT)), 1);
    same!(works!(of(CAP_VBLANK_HIGH_CRTC)), 1);
    same!(works!(of(CAP_ADDFB2_MODIFIERS)), 1);
    same!(works!(of(CAP_ASYNC_PAGE_FLIP)), 0);
    same!(works!(of(CAP_PAGE_FLIP_TARGET)), 0);
    let cursor = (works!(of(CAP_CURSOR_WIDTH)), works!(of(CAP_CURSOR_HEIGHT)));
    holds!(cursor.0 >= 64 && cursor.0 == cursor.1, "a cursor of 64 pixels fits, and it is square");
    Ok(())
}

/// Positions are signed 16.16 fixed point, so no side may be longer than 32,767 (K1).
fn limits_are_within_16_bits(guest: &Guest) -> Outcome {
    let res = works!(Display::open(guest)?.file.resources());
    for (least, most) in [res.width, res.height] {
        holds!(least >= 1 && least < most && most <= 32_767, "{least} to {most} are limits of a side");
    }
    Ok(())
}

/// K1: one primary plane for each CRTC and no other, and at most one cursor plane.
fn each_crtc_has_one_primary_plane(guest: &Guest) -> Outcome {
    let mut display = Display::open(guest)?;
    let res = works!(display.file.resources());
    let mut primaries = vec![0; res.crtcs.len()];
    let mut cursors = vec![0; res.crtcs.len()];
    for id in works!(display.file.planes()) {
        let (info, _) = works!(display.file.plane(id));
        let plane = display.object(id, OBJECT_PLANE)?;
        let counts = match plane.first_value("type") {
            Some(PRIMARY) => &mut primaries,
            Some(crate::subjects::display::CURSOR_PLANE) => &mut cursors,
            _ => continue,
        };
        (0..counts.len()).filter(|pipe| info.possible_crtcs >> pipe & 1 != 0).for_each(|pipe| counts[pipe] += 1);
    }
    same!(primaries, vec![1; res.crtcs.len()]);
    holds!(cursors.iter().all(|count| *count <= 1), "no CRTC has two cursor planes");
    same!(display.outputs.len(), res.crtcs.len());
    Ok(())
}

/// A set bit in a mask of CRTCs or encoders is the index of one.
fn planes_and_encoders_name_only_crtcs_that_exist(guest: &Guest) -> Outcome {
    let file = Display::open(guest)?.file;
    let res = works!(file.resources());
    let (crtcs, encoders) = (1_u64 << res.crtcs.len(), 1_u64 << res.encoders.len());
    for id in works!(file.planes()) {
        let possible = works!(file.plane(id)).0.possible_crtcs;
        holds!(possible != 0 && u64::from(possible) < crtcs, "plane {id} can be shown somewhere");
    }
    for (index, id) in res.encoders.into_iter().enumerate() {
        let encoder = works!(file.encoder(id));
        holds!(encoder.possible_crtcs != 0 && u64::from(encoder.possible_crtcs) < crtcs, "encoder {id} has a CRTC");
        holds!(u64::from(encoder.possible_clones) < encoders, "encoder {id} names clones that exist");
        holds!(encoder.possible_clones == 0 || encoder.possible_clones >> index & 1 != 0, "encoder {id} names itself");
    }
    Ok(())
}

/// The connector and its encoder are virtual, and the encoder is one of the device's.
fn connector_has_a_virtual_encoder(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let encoders = works!(display.file.resources()).encoders;
    for output in &display.outputs {
        let connector = works!(display.file.connector(output.connector.id));
        same!(connector.info.connector_type, CONNECTOR_VIRTUAL);
        holds!(!connector.encoders.is_empty(), "the connector has an encoder");
        for id in connector.encoders {
            holds!(encoders.contains(&id), "encoder {id} is one of the device's");
            same!(works!(display.file.encoder(id)).encoder_type, ENCODER_VIRTUAL);
        }
    }
    Ok(())
}

/// Each mode fits a framebuffer, and its times are in order.
fn connected_connector_has_modes_within_the_limits(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let res = works!(display.file.resources());
    for output in &display.outputs {
        same!(works!(display.file.connector(output.connector.id)).info.connection, CONNECTED);
        for mode in &output.modes {
            let (width, height) = (u32::from(mode.hdisplay), u32::from(mode.vdisplay));
            holds!((res.width.0..=res.width.1).contains(&width), "{mode:?} is as wide as a framebuffer can be");
            holds!((res.height.0..=res.height.1).contains(&height), "{mode:?} is as high as a framebuffer can be");
            let across = [mode.hdisplay, mode.hsync_start, mode.hsync_end, mode.htotal];
            let down = [mode.vdisplay, mode.vsync_start, mode.vsync_end, mode.vtotal];
            holds!(across.is_sorted() && down.is_sorted(), "the times of {mode:?} are in order");
        }
    }
    Ok(())
}

fn one_mode_is_preferred(guest: &Guest) -> Outcome {
    for output in Display::open(guest)?.outputs {
        same!(output.modes.iter().filter(|mode| mode.kind & MODE_TYPE_PREFERRED != 0).count(), 1);
    }
    Ok(())
}

/// K19: a frame takes between a millisecond and a second.
fn modes_have_a_frame_time(guest: &Guest) -> Outcome {
    for output in Display::open(guest)?.outputs {
        for mode in output.modes {
            let pixels = u64::from(mode.htotal) * u64::from(mode.vtotal);
            holds!(mode.clock > 0 && pixels > 0, "{mode:?} has a clock and a size");
            let microseconds = pixels * 1000 / u64::from(mode.clock);
            holds!((1000..=1_000_000).contains(&microseconds), "{mode:?} has a frame time of {microseconds} µs");
        }
    }
    Ok(())
}

/// Without `UNIVERSAL_PLANES` a client is shown overlay planes only.
fn legacy_client_sees_no_primary_plane(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let legacy = works!(DrmFile::open(&Card::first(guest)?.primary));
    let overlays: usize = display.outputs.iter().map(|output| output.overlays.len()).max().unwrap_or(0);
    let seen = works!(legacy.planes());
    holds!(seen.len() >= overlays, "the overlay planes are listed");
    holds!(!seen.contains(&display.output().primary.id), "the primary plane is not");
    works!(legacy.client_cap(CLIENT_CAP_UNIVERSAL_PLANES, 1));
    same!(works!(legacy.planes()), works!(display.file.planes()));
    Ok(())
}

/// Without `ATOMIC` a client gets no property that only a commit can set.
fn atomic_properties_are_hidden_from_a_legacy_client(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let legacy = works!(DrmFile::open(&Card::first(guest)?.primary));
    works!(legacy.client_cap(CLIENT_CAP_UNIVERSAL_PLANES, 1));
    let output = display.output();
    for object in [&output.crtc, &output.connector, &output.primary] {
        let all = works!(display.file.properties(object.id, object.kind));
        let seen = works!(legacy.properties(object.id, object.kind));
        for (number, _) in all {
            let is_atomic = works!(display.file.property(number)).flags & PROP_ATOMIC != 0;
            let is_seen = seen.iter().any(|(found, _)| *found == number);
            same!((number, is_seen), (number, !is_atomic));
        }
    }
    Ok(())
}

/// The properties of an atomic client are on the objects where clients look for them.
fn standard_properties_are_there(guest: &Guest) -> Outcome {
    let of_plane = [
        "type",
        "FB_ID",
        "IN_FENCE_FD",
        "CRTC_ID",
        "CRTC_X",
        "CRTC_Y",
        "CRTC_W",
        "CRTC_H",
        "SRC_X",
        "SRC_Y",
        "SRC_W",
        "SRC_H",
        "IN_FORMATS",
    ];
    for output in Display::open(guest)?.outputs {
        for plane in output.planes() {
            for name in of_plane {
                holds!(plane.has(name), "plane {} has `{name}`", plane.id);
            }
        }
        for name in ["ACTIVE", "MODE_ID", "OUT_FENCE_PTR"] {
            holds!(output.crtc.has(name), "CRTC {} has `{name}`", output.crtc.id);
        }
        for name in ["CRTC_ID", "DPMS", "link-status", "non-desktop"] {
            holds!(output.connector.has(name), "connector {} has `{name}`", output.connector.id);
        }
    }
    Ok(())
}

/// The value of a range is within it, that of an enumeration one of its values, and a bitmask has known bits only.
fn property_values_are_within_their_kind(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    for (object, number, value) in display.snapshot()? {
        let property = works!(display.file.property(number));
        let what = format!("`{}` of object {object} is {value:#x}", property.name);
        if property.flags & PROP_RANGE != 0 {
            holds!(property.values.len() == 2, "a range has two ends: {what}");
            holds!((property.values[0]..=property.values[1]).contains(&value), "{what}, within its range");
        } else if property.flags & PROP_SIGNED_RANGE == PROP_SIGNED_RANGE {
            let ends = [property.values[0] as i64, property.values[1] as i64];
            holds!((ends[0]..=ends[1]).contains(&(value as i64)), "{what}, within its range");
        } else if property.flags & PROP_ENUM != 0 {
            holds!(property.enums.iter().any(|(known, _)| *known == value), "{what}, a known value");
        } else if property.flags & PROP_BITMASK != 0 {
            let known = property.enums.iter().fold(0, |known, (bit, _)| known | 1 << bit);
            holds!(value & !known == 0, "{what}, known bits");
        } else if property.flags & PROP_BLOB != 0 && value != 0 {
            let blob = u32::try_from(value).unwrap_or(0);
            works!(display.file.blob(blob));
        }
    }
    Ok(())
}

/// A number that is no object's, or that of an object of another kind, fails with `ENOENT`.
fn unknown_numbers_are_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (file, output) = (&display.file, display.output());
    for unknown in [0, 0x7fff_ffff, u32::MAX] {
        refuses!(file.crtc(unknown), NOENT);
        refuses!(file.connector(unknown), NOENT);
        refuses!(file.encoder(unknown), NOENT);
        refuses!(file.plane(unknown), NOENT);
        refuses!(file.property(unknown), NOENT);
        refuses!(file.blob(unknown), NOENT);
        refuses!(file.get_fb2(unknown), NOENT);
        refuses!(file.properties(unknown, OBJECT_ANY), NOENT);
    }
    refuses!(file.crtc(output.connector.id), NOENT);
    refuses!(file.connector(output.crtc.id), NOENT);
    refuses!(file.plane(output.crtc.id), NOENT);
    refuses!(file.encoder(output.primary.id), NOENT);
    Ok(())
}

/// The blob's list of formats is that of `GETPLANE`, and each format has the linear layout.
fn in_formats_lists_the_formats_of_the_plane(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    for plane in display.output().planes() {
        let (_, formats) = works!(display.file.plane(plane.id));
        holds!(formats.contains(&XRGB8888) || formats.contains(&ARGB8888), "pixels of 32 bits are offered");
        let blob = u32::try_from(display.value(plane, "IN_FORMATS")?).expect("a blob's number");
        let bytes = works!(display.file.blob(blob));
        let head: FormatBlob = of_bytes(&bytes[..size_of::<FormatBlob>()]);
        same!((head.version, head.count_formats as usize), (1, formats.len()));
        let words = bytes[head.formats_offset as usize..].chunks_exact(4).take(formats.len());
        let listed: Vec<u32> = words.map(|word| u32::from_le_bytes(word.try_into().expect("four bytes"))).collect();
        same!(listed, formats);
        let step = size_of::<FormatModifier>();
        let rows = bytes[head.modifiers_offset as usize..].chunks_exact(step).take(head.count_modifiers as usize);
        let rows: Vec<FormatModifier> = rows.map(of_bytes).collect();
        let linear = rows.iter().filter(|row| row.modifier == MOD_LINEAR);
        let covered: u32 = linear.map(|row| row.formats.count_ones()).sum();
        same!(covered as usize, formats.len());
    }
    Ok(())
}

/// The type of a plane says that it cannot be set.
fn fixed_property_is_immutable(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let plane = &display.output().primary;
    let number = plane.property("type");
    let property = works!(display.file.property(number));
    same!(property.flags & (PROP_IMMUTABLE | PROP_ENUM), PROP_IMMUTABLE | PROP_ENUM);
    same!(property.enums.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["Overlay", "Primary", "Cursor"]);
    refuses!(display.file.set_property((plane.id, OBJECT_PLANE), number, 0), INVAL);
    same!(display.value(plane, "type")?, PRIMARY);
    Ok(())
}

/// The properties of an object can be read by its own type or by none, and not by another.
fn objects_have_the_type_they_are_asked_for(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let kinds = [OBJECT_CRTC, OBJECT_CONNECTOR, OBJECT_PLANE, OBJECT_ENCODER, OBJECT_FB];
    for object in [&output.crtc, &output.connector, &output.primary] {
        works!(display.file.properties(object.id, OBJECT_ANY));
        for kind in kinds.into_iter().filter(|kind| *kind != object.kind) {
            refuses!(display.file.properties(object.id, kind), NOENT);
        }
    }
    Ok(())
}
