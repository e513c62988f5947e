// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The device's identity, and the names under which programs find it.
//!
//! Source: `drivers/gpu/drm/nova/driver.rs`, `drivers/gpu/nova-core/driver.rs`, `drm_getcap` in
//! `drivers/gpu/drm/drm_ioctl.c` (Linux 7.3).

use std::fs;
use std::process::Command;

use uapi::PAGE;

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::subjects::nova::Gpu;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "nova_identity" for Nova:
    version_is_upstreams, auxiliary_device_is_named_as_upstreams, node_is_below_the_pci_function, capabilities,
    one_card_and_no_render_node, fdinfo_names_driver_and_memory, lsgpu_lists_it, drmdevice_knows_no_auxiliary_bus,
    probe_logs_the_chip,
}

/// The driver's name, description and number are upstream's, since clients look for them.
fn version_is_upstreams(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let version = works!(file.0.version(&mut []));
    same!((version.major, version.minor, version.patchlevel), (0, 0, 0));
    let (name, description) = works!(file.0.names());
    same!((name.as_str(), description.as_str()), ("nova-drm", "NVIDIA Graphics and Compute"));
    Ok(())
}

/// The auxiliary device's name is upstream's, `nova-core.nova-drm.N`: the module, the function's purpose, a number.
fn auxiliary_device_is_named_as_upstreams(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let child = gpu.child().expect("it is bound");
    let number = child.name().strip_prefix("nova-core.nova-drm.").unwrap_or("no number");
    holds!(number.parse::<u32>().is_ok(), "`{}` ends with a number", child.name());
    Ok(())
}

/// The node's parent is the auxiliary device, whose parent is the PCI function.
fn node_is_below_the_pci_function(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let child = gpu.child().expect("it is bound");
    let function = fs::canonicalize(gpu.path(""))?;
    same!(fs::canonicalize(child.path(""))?.parent(), Some(function.as_path()));
    let node = gpu.node()?;
    let name = node.file_name().expect("a node has a name");
    let card = fs::canonicalize(std::path::Path::new("/sys/class/drm").join(name))?;
    same!(fs::canonicalize(card.join("device"))?, fs::canonicalize(child.path(""))?);
    Ok(())
}

/// The core provides PRIME and monotonic time; there are no dumb buffers, no sync objects, no mode setting.
fn capabilities(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    for (capability, value) in [(0x5, 3), (0x6, 1), (0x13, 0), (0x14, 0)] {
        same!(works!(file.0.capability(capability)), value);
    }
    for of_mode_setting in [0x1, 0x2, 0x3, 0x4, 0x7, 0x8, 0x9, 0x10, 0x11, 0x12, 0x15] {
        refuses!(file.0.capability(of_mode_setting), OPNOTSUPP, " of {of_mode_setting:#x}");
    }
    refuses!(file.0.capability(0xffff_ffff_0000_0005), OPNOTSUPP);
    Ok(())
}

/// There is one primary node and, as upstream, no render node.
fn one_card_and_no_render_node(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let child = gpu.child().expect("it is bound");
    let listed = fs::read_dir(child.path("drm"))?.flatten();
    let mut names: Vec<_> = listed.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "version");
    same!(names.iter().map(|name| name.starts_with("card")).collect::<Vec<_>>(), [true]);
    Ok(())
}

/// fdinfo shows `drm-driver` and the memory of the file's objects.
fn fdinfo_names_driver_and_memory(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    works!(file.create(3 * PAGE as u64));
    let text = file.0.fdinfo()?;
    holds!(text.contains("drm-driver:\tnova-drm\n"), "fdinfo is {text:?}");
    holds!(text.contains("drm-total-memory:\t12 KiB\n"), "fdinfo is {text:?}");
    Ok(())
}

/// `lsgpu` of intel-gpu-tools finds the card below the auxiliary device.
fn lsgpu_lists_it(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let told = said("lsgpu")?;
    let node = gpu.node()?.to_string_lossy().into_owned();
    holds!(told.contains(&node), "`lsgpu` lists {node}: {told:?}");
    Ok(())
}

/// libdrm looks at the bus of the node's parent and does not know the auxiliary bus. So `drmdevice` finds no device and
/// says so (77), as it does with the kernel's own nova.
fn drmdevice_knows_no_auxiliary_bus(guest: &Guest) -> Outcome {
    Gpu::ready(guest)?;
    let output = Command::new("drmdevice").output()?;
    same!(output.status.code(), Some(77));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    holds!(told.contains("has not found any devices"), "it reports that it found none: {told:?}");
    Ok(())
}

/// Returns a program's standard output.
fn said(program: &str) -> Outcome<String> {
    let output = Command::new(program).output()?;
    holds!(output.status.success(), "`{program}` ended with {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Each probe logs one line with chip, architecture and revision.
fn probe_logs_the_chip(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    works!(gpu.unbind());
    let mut log = sys::klog::KernelLog::from_now();
    works!(gpu.bind());
    let lines = log.lines();
    let told = |word: &str| lines.iter().any(|line| line.contains("nova") && line.contains(word));
    holds!(told("GA102") && told("Ampere") && told("a.1"), "chip, architecture and revision are in {lines:?}");
    Ok(())
}
