// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The device's identity: version, capabilities, names, sysfs.
//!
//! Source: `drm_version`, `drm_getcap`, `drm_getunique`, `drm_setversion` in `drivers/gpu/drm/drm_ioctl.c` (Linux 7.3).

use sys::BadAddress;
use uapi::{Cap, SetVersion};

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

super::cases! {
    "identity":
    version, version_lengths_without_buffers, version_cuts_a_long_name, version_bad_name_buffer,
    capabilities, capabilities_of_mode_setting, client_capabilities, unique_is_empty_at_first,
    unique_after_set_version, unique_short_buffer, unique_bad_buffer, set_version_bad_numbers,
    set_version_leaves_minus_one_alone, client_zero_is_the_caller, stats_are_zero, client_name,
    client_name_bad_text, client_name_bad_buffer, parent_bus,
    two_nodes_of_one_parent,
}

/// `VERSION` reports version 1.0.0 of `vgem`. The date is obsolete and constant.
fn version(guest: &Guest) -> Outcome {
    let mut name = [0; 16];
    let version = works!(guest.open()?.version(&mut name));
    same!((version.major, version.minor, version.patchlevel), (1, 0, 0));
    same!(&name[..5], b"vgem\0");
    same!(works!(guest.open_render()?.version(&mut [0; 16])).name_len, 4);
    Ok(())
}

/// `VERSION` without buffers returns the lengths: a client calls it twice.
fn version_lengths_without_buffers(guest: &Guest) -> Outcome {
    let version = works!(guest.open()?.version(&mut []));
    same!(version.name_len, 4);
    same!(version.date_len, 1);
    same!(version.desc_len, "Virtual GEM provider".len() as u64);
    Ok(())
}

/// `VERSION` copies no more of a name than there is room for, without a terminator, and returns its full length.
fn version_cuts_a_long_name(guest: &Guest) -> Outcome {
    let mut name = *b"????";
    let version = works!(guest.open()?.version(&mut name[..2]));
    same!(&name, b"vg??");
    same!(version.name_len, 4);
    Ok(())
}

/// A buffer that cannot be written fails with `EFAULT`. Null means no buffer.
fn version_bad_name_buffer(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    refuses!(file.version_at(4, BadAddress::Unmapped), FAULT);
    refuses!(file.version_at(4, BadAddress::Kernel), FAULT);
    refuses!(file.version_at(4, BadAddress::NonCanonical), FAULT);
    same!(works!(file.version_at(4, BadAddress::Null)).name_len, 4);
    same!(works!(file.version_at(0, BadAddress::Kernel)).name_len, 4);
    Ok(())
}

/// `GET_CAP` reports PRIME in both directions, monotonic time, and no syncobjs.
fn capabilities(guest: &Guest) -> Outcome {
    for file in [guest.open()?, guest.open_render()?] {
        same!(works!(file.capability(0x5)), 3); // PRIME: import and export
        same!(works!(file.capability(0x6)), 1); // TIMESTAMP_MONOTONIC
        same!(works!(file.capability(0x13)), 0); // SYNCOBJ
        same!(works!(file.capability(0x14)), 0); // SYNCOBJ_TIMELINE
    }
    Ok(())
}

/// Without mode setting, `GET_CAP` of its capabilities fails with `EOPNOTSUPP`, even of DUMB_BUFFER.
fn capabilities_of_mode_setting(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for capability in [0x1, 0x2, 0x3, 0x4, 0x7, 0x8, 0x9, 0x10, 0x11, 0x12, 0x15] {
        refuses!(file.capability(capability), OPNOTSUPP);
    }
    refuses!(file.capability(0), OPNOTSUPP);
    refuses!(file.capability(u64::MAX), OPNOTSUPP);
    Ok(())
}

/// Every client capability is about mode setting and fails with `EOPNOTSUPP`.
fn client_capabilities(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for capability in [0, 1, 2, 3, 4, 5, 6, 7, u64::MAX] {
        refuses!(file.ioctl(&uapi::SET_CLIENT_CAP, Cap { capability, value: 1 }), OPNOTSUPP);
    }
    Ok(())
}

/// A new file's unique name is empty: libdrm looks for a device by name among files with an empty one.
fn unique_is_empty_at_first(guest: &Guest) -> Outcome {
    let mut buffer = [b'?'; 16];
    same!(works!(guest.open()?.text(&uapi::GET_UNIQUE, &mut buffer)), 0);
    same!(buffer, [b'?'; 16]);
    Ok(())
}

/// `SET_VERSION` 1.1 or later ties the file to the device, whose name is its parent's.
fn unique_after_set_version(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let wanted = SetVersion { di_major: 1, di_minor: 4, dd_major: -1, dd_minor: -1 };
    let got = works!(file.ioctl(&uapi::SET_VERSION, wanted));
    same!(got, SetVersion { di_major: 1, di_minor: 4, dd_major: 1, dd_minor: 0 });
    let mut buffer = [0; 16];
    same!(works!(file.text(&uapi::GET_UNIQUE, &mut buffer)), 4);
    same!(&buffer[..5], b"vgem\0");
    Ok(())
}

/// `GET_UNIQUE` copies nothing into a buffer that is too short, and returns the length that it needs.
fn unique_short_buffer(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let wanted = SetVersion { di_major: 1, di_minor: 1, dd_major: -1, dd_minor: -1 };
    works!(file.ioctl(&uapi::SET_VERSION, wanted));
    let mut buffer = *b"???";
    same!(works!(file.text(&uapi::GET_UNIQUE, &mut buffer)), 4);
    same!(&buffer, b"???");
    Ok(())
}

/// `GET_UNIQUE` with a long enough buffer that cannot be written fails with `EFAULT`.
fn unique_bad_buffer(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let wanted = SetVersion { di_major: 1, di_minor: 1, dd_major: -1, dd_minor: -1 };
    works!(file.ioctl(&uapi::SET_VERSION, wanted));
    for address in BadAddress::ALL {
        refuses!(file.text_at(&uapi::GET_UNIQUE, 16, address), FAULT);
    }
    same!(works!(file.text(&uapi::GET_UNIQUE, &mut [0; 16])), 4);
    Ok(())
}

/// Interface versions other than 1.0 to 1.4 and driver versions other than 1.0 fail with `EINVAL`.
fn set_version_bad_numbers(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for (di_major, di_minor) in [(2, 0), (0, 0), (1, 5), (1, -1), (-2, 0)] {
        let wanted = SetVersion { di_major, di_minor, dd_major: -1, dd_minor: -1 };
        refuses!(file.ioctl(&uapi::SET_VERSION, wanted), INVAL);
    }
    for (dd_major, dd_minor) in [(2, 0), (0, 0), (1, 1), (1, -1), (-2, 0)] {
        let wanted = SetVersion { di_major: -1, di_minor: -1, dd_major, dd_minor };
        refuses!(file.ioctl(&uapi::SET_VERSION, wanted), INVAL);
    }
    for (di_minor, dd_major, dd_minor) in [(0, 1, 0), (4, -1, -1), (4, 1, 0)] {
        works!(file.ioctl(&uapi::SET_VERSION, SetVersion { di_major: 1, di_minor, dd_major, dd_minor }));
    }
    Ok(())
}

/// A version of -1 queries without setting: the unique name stays empty.
fn set_version_leaves_minus_one_alone(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let wanted = SetVersion { di_major: -1, di_minor: -1, dd_major: -1, dd_minor: -1 };
    let got = works!(file.ioctl(&uapi::SET_VERSION, wanted));
    same!(got, SetVersion { di_major: 1, di_minor: 4, dd_major: 1, dd_minor: 0 });
    same!(works!(file.text(&uapi::GET_UNIQUE, &mut [])), 0);
    Ok(())
}

/// Client 0 is the caller, authenticated as the first file of the primary node. There is no other client.
fn client_zero_is_the_caller(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let client = works!(file.ioctl(&uapi::GET_CLIENT, uapi::Client::default()));
    same!((client.auth, client.pid), (1, u64::from(std::process::id())));
    same!((client.magic, client.iocs), (0, 0));
    let next = uapi::Client { idx: 1, ..Default::default() };
    refuses!(file.ioctl(&uapi::GET_CLIENT, next), INVAL);
    Ok(())
}

/// `GET_STATS` overwrites the caller's memory with zeros, since statistics are no longer kept.
fn stats_are_zero(guest: &Guest) -> Outcome {
    let dirty = uapi::Stats { count: u64::MAX, data: [[u64::MAX; 2]; 15] };
    same!(works!(guest.open()?.ioctl(&uapi::GET_STATS, dirty)), uapi::Stats::default());
    Ok(())
}

/// A client name has 1 to 64 bytes, can be replaced, and is removed by length zero.
fn client_name(guest: &Guest) -> Outcome {
    let file = guest.open_render()?;
    for name in ["first", &"x".repeat(64)] {
        works!(file.text(&uapi::SET_CLIENT_NAME, &mut name.as_bytes().to_vec()));
        holds!(names(guest)?.iter().any(|shown| shown == name), "`{name}` is shown: {:?}", names(guest)?);
    }
    works!(file.text(&uapi::SET_CLIENT_NAME, &mut []));
    holds!(!names(guest)?.iter().any(|shown| shown.starts_with('x')), "the name is gone: {:?}", names(guest)?);
    Ok(())
}

/// Returns the words of debugfs's list of clients, which shows their names for every driver.
fn names(guest: &Guest) -> Outcome<Vec<String>> {
    let minor = rustix::fs::minor(works!(crate::subjects::driver::device_number(&guest.nodes()?.render)));
    let clients = std::fs::read_to_string(format!("/sys/kernel/debug/dri/{minor}/clients"))?;
    Ok(clients.split_whitespace().map(str::to_owned).collect())
}

/// A client name longer than 64 bytes, or with anything but printable ASCII without spaces, fails with `EINVAL`.
fn client_name_bad_text(guest: &Guest) -> Outcome {
    let file = guest.open_render()?;
    refuses!(file.text(&uapi::SET_CLIENT_NAME, &mut [b'x'; 65]), INVAL);
    for bad in ["two words", "line\n", "zero\0inside", "bell\x07", "gr\u{fc}n"] {
        refuses!(file.text(&uapi::SET_CLIENT_NAME, &mut bad.as_bytes().to_vec()), INVAL);
    }
    works!(file.text(&uapi::SET_CLIENT_NAME, &mut b"one_word!".to_vec()));
    Ok(())
}

/// A client name that cannot be read fails with `EFAULT`. Its length is checked first.
fn client_name_bad_buffer(guest: &Guest) -> Outcome {
    let file = guest.open_render()?;
    for address in BadAddress::ALL {
        refuses!(file.text_at(&uapi::SET_CLIENT_NAME, 8, address), FAULT);
        refuses!(file.text_at(&uapi::SET_CLIENT_NAME, u64::MAX, address), INVAL);
    }
    works!(file.text(&uapi::SET_CLIENT_NAME, &mut [b'x'; 8]));
    Ok(())
}

/// The parent is a platform device for Drydock's driver, a faux device for the kernel's: see the differences.
fn parent_bus(guest: &Guest) -> Outcome {
    let bus = std::fs::canonicalize(guest.nodes()?.parent.join("subsystem"))?;
    same!(bus.file_name().and_then(|name| name.to_str()), Some(guest.expected()));
    Ok(())
}

/// The parent has one card and one render node, numbered from their own ranges, and nothing else.
fn two_nodes_of_one_parent(guest: &Guest) -> Outcome {
    let nodes = guest.nodes()?;
    let minor = |node| crate::subjects::driver::device_number(node).map(rustix::fs::minor);
    holds!(works!(minor(&nodes.primary)) < 64, "a card has one of the first 64 numbers");
    let render = works!(minor(&nodes.render));
    holds!((128..192).contains(&render), "render nodes are numbered from 128, not {render}");
    let folders = std::fs::read_dir(nodes.parent.join("drm"))?;
    let names: Vec<_> = folders.flatten().map(|entry| entry.file_name()).collect();
    same!(names.iter().filter(|name| *name != "version").count(), 2);
    Ok(())
}
