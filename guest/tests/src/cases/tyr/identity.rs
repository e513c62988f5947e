// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The device's identity, and the names under which programs find it.
//!
//! Source: `drivers/gpu/drm/panthor/panthor_drv.c`, `panthor_hw.c`, `drm_getcap` in `drivers/gpu/drm/drm_ioctl.c`
//! (Linux 7.3); the boot log of a Radxa ROCK 5B for the facts of its GPU.

use std::fs;
use std::process::Command;

use sys::klog::KernelLog;
use uapi::PAGE;

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::subjects::tyr::Gpu;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "tyr_identity" for Tyr:
    calls_itself_panthor, version_is_that_of_the_uapi_header, unique_name_is_the_pci_address,
    nodes_are_below_the_pci_function, one_card_and_one_render_node, capabilities, no_mode_setting,
    fdinfo_names_driver_and_device, fdinfo_counts_objects, lsgpu_lists_it, drmdevice_lists_it,
    probe_logs_the_gpus_features, probe_logs_the_firmware_version, probe_logs_huge_pages,
}

/// The driver's name is `panthor`, since clients look for it.
fn calls_itself_panthor(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    for kind in ["card", "renderD"] {
        let (name, description) = works!(gpu.open_node(kind)?.0.names());
        same!(name.as_str(), "panthor");
        holds!(!description.is_empty(), "the driver describes itself");
    }
    Ok(())
}

/// The version is 1.9: clients derive from it what the driver supports.
fn version_is_that_of_the_uapi_header(guest: &Guest) -> Outcome {
    let version = works!(Gpu::ready(guest)?.open()?.0.version(&mut []));
    same!((version.major, version.minor), (1, 9));
    Ok(())
}

/// `GET_UNIQUE` on the primary node returns the PCI address, as for every PCI device.
fn unique_name_is_the_pci_address(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let address = gpu.path("").file_name().expect("a function has an address").to_string_lossy().into_owned();
    let (file, mut buffer) = (gpu.open_node("card")?, [0; 64]);
    // The master gets a name when it sets the version of the interface.
    works!(file.0.ioctl(&uapi::SET_VERSION, uapi::SetVersion { di_major: 1, di_minor: 4, dd_major: -1, dd_minor: -1 }));
    let length = works!(file.0.text(&uapi::GET_UNIQUE, &mut buffer)) as usize;
    let unique = String::from_utf8_lossy(&buffer[..length.min(64)]).into_owned();
    holds!(unique.contains(&address), "`{unique}` names `{address}`");
    Ok(())
}

fn nodes_are_below_the_pci_function(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let function = fs::canonicalize(gpu.path(""))?;
    for kind in ["card", "renderD"] {
        let node = gpu.node(kind)?;
        let name = node.file_name().expect("a node has a name");
        let device = std::path::Path::new("/sys/class/drm").join(name).join("device");
        same!(fs::canonicalize(device)?, function);
    }
    Ok(())
}

fn one_card_and_one_render_node(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let listed = fs::read_dir(gpu.path("drm"))?.flatten();
    let mut names: Vec<_> = listed.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.starts_with("card") || name.starts_with("renderD") || name.starts_with("control"));
    names.sort();
    same!(names.iter().map(|name| name.starts_with("card")).collect::<Vec<_>>(), [true, false]);
    Ok(())
}

/// The capabilities are PRIME in both directions, monotonic time, and sync objects with timelines.
fn capabilities(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    for (capability, value) in [(0x5, 3), (0x6, 1), (0x13, 1), (0x14, 1)] {
        same!(works!(file.0.capability(capability)), value);
    }
    Ok(())
}

/// Capabilities of mode setting fail with EOPNOTSUPP: no dumb buffers, no cursors, no page flips.
fn no_mode_setting(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open_node("card")?;
    for of_mode_setting in [0x1, 0x2, 0x3, 0x4, 0x7, 0x8, 0x9, 0x10, 0x11, 0x12, 0x15] {
        refuses!(file.0.capability(of_mode_setting), OPNOTSUPP, " of {of_mode_setting:#x}");
    }
    refuses!(file.0.create_dumb(32, 32, 32), NOSYS);
    refuses!(file.0.resource_counts(), OPNOTSUPP);
    Ok(())
}

fn fdinfo_names_driver_and_device(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let address = gpu.path("").file_name().expect("a function has an address").to_string_lossy().into_owned();
    let text = gpu.open()?.0.fdinfo()?;
    holds!(text.contains("drm-driver:\tpanthor\n"), "fdinfo is {text:?}");
    holds!(text.contains(&format!("drm-pdev:\t{address}\n")), "fdinfo is {text:?}");
    Ok(())
}

/// fdinfo counts an object as total memory, and its pages as resident memory.
fn fdinfo_counts_objects(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let handle = works!(file.bo(3 * PAGE as u64));
    let text = file.0.fdinfo()?;
    holds!(text.contains("drm-total-memory:\t12 KiB\n"), "fdinfo is {text:?}");
    holds!(text.contains("drm-shared-memory:\t0\n"), "fdinfo is {text:?}");
    works!(file.0.gem_close(handle));
    let text = file.0.fdinfo()?;
    holds!(text.contains("drm-total-memory:\t0\n"), "fdinfo is {text:?}");
    Ok(())
}

/// `lsgpu` of intel-gpu-tools finds both nodes.
fn lsgpu_lists_it(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let told = said("lsgpu")?;
    for kind in ["card", "renderD"] {
        let node = gpu.node(kind)?.to_string_lossy().into_owned();
        holds!(told.contains(&node), "`lsgpu` lists {node}: {told:?}");
    }
    Ok(())
}

/// libdrm's `drmdevice` lists it, since it knows PCI devices of any vendor.
fn drmdevice_lists_it(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let told = said("drmdevice")?;
    for word in ["13b5".to_owned(), gpu.node("renderD")?.to_string_lossy().into_owned()] {
        holds!(told.contains(&word), "`drmdevice` prints {word}: {told:?}");
    }
    Ok(())
}

/// Returns a program's standard output.
fn said(program: &str) -> Outcome<String> {
    let output = Command::new(program).output()?;
    holds!(output.status.success(), "`{program}` ended with {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns the driver's log lines during a probe.
fn log_of_a_probe(guest: &Guest) -> Outcome<Vec<String>> {
    let gpu = Gpu::ready(guest)?;
    works!(gpu.unbind());
    let mut log = KernelLog::from_now();
    works!(gpu.bind());
    Ok(log.lines())
}

/// The probe logs the facts of the board's boot log: number, features, and present units.
fn probe_logs_the_gpus_features(guest: &Guest) -> Outcome {
    let lines = log_of_a_probe(guest)?;
    for fact in [
        "id 0xa867 major 0x67 minor 0x0 status 0x5",
        "Features: L2:0x7120306 Tiler:0x809 Mem:0x301 MMU:0x2830 AS:0xff",
        "shader_present=0x0000000000050005 l2_present=0x0000000000000001 tiler_present=0x0000000000000001",
    ] {
        let told = lines.iter().filter(|line| line.contains("tyr") && line.contains(fact)).count();
        holds!(told == 1, "`{fact}` is logged once in {lines:?}");
    }
    Ok(())
}

/// The probe logs the version that the firmware has in its interface.
fn probe_logs_the_firmware_version(guest: &Guest) -> Outcome {
    let lines = log_of_a_probe(guest)?;
    let told = |line: &&String| line.contains("tyr") && line.contains("interface v") && !line.contains("v0.0.0");
    holds!(lines.iter().any(|line| told(&line)), "the version of the interface is in {lines:?}");
    Ok(())
}

/// Each probe logs once that it uses huge pages, without any system setting: Debian's kernels have them.
fn probe_logs_huge_pages(guest: &Guest) -> Outcome {
    let lines = log_of_a_probe(guest)?;
    let told = lines.iter().filter(|line| line.contains("tyr") && line.contains("Using Transparent Hugepage")).count();
    holds!(told == 1, "`Using Transparent Hugepage` is logged once in {lines:?}");
    Ok(())
}
