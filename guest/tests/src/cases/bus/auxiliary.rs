// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The auxiliary bus: a parent that makes two children, whose driver uses the parent's data (L5, L18).
//!
//! Source: Documentation/driver-api/auxiliary_bus.rst; `kernel/tests/bus/auxiliary`.

use sys::klog::KernelLog;
use sys::{Answer, write};
use uapi::{AUX_INFO, AuxInfo, PAGE};

use crate::harness::check::{Outcome, fail};
use crate::harness::failnth::enomem;
use crate::harness::modules;
use crate::subjects::bus::{failing, load, nodes, open, unload};
use crate::subjects::device::{self, DrmFile};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "auxiliary":
    children_use_the_parent, imports_attach_the_parent, child_unbind_leaves_parent_and_sibling,
    parent_unbind_removes_children, children_unbind_before_parent_teardown, late_driver_binds_existing_children,
    child_module_holds_the_parent_module, open_child_file_holds_the_child_module, failed_parent_takes_its_children,
    repeated_bind_and_unbind within 60,
}

const PARENT: &str = "/sys/bus/platform/drivers/aux_parent";
const CHILD: &str = "/sys/bus/auxiliary/drivers/aux_child_rust.aux_child";
/// The list of all dma-bufs, with the attached devices.
const DMA_BUFS: &str = "/sys/kernel/debug/dma_buf/bufinfo";
const FIRST: &str = "aux_parent_rust.part.0";

/// Loads and binds both drivers.
fn both(guest: &Guest) -> Outcome {
    load(guest, "aux_child_rust")?;
    load(guest, "aux_parent_rust")?;
    if nodes("aux_parent").is_empty() {
        works!(write(&format!("{PARENT}/bind"), "aux_parent"));
    }
    match (nodes("aux_parent").len(), nodes("aux_child").len()) {
        (1, 2) => Ok(()),
        (parents, children) => fail(format!("there are {parents} parents and {children} children")),
    }
}

fn info(file: &DrmFile) -> Answer<AuxInfo> {
    file.ioctl(&AUX_INFO, AuxInfo::default())
}

/// Opens the two children, ordered by their ids.
fn children() -> Outcome<[DrmFile; 2]> {
    let mut files = [None, None];
    for node in nodes("aux_child") {
        let file = works!(DrmFile::open(node));
        let id = works!(info(&file)).id as usize;
        holds!(id < 2, "the child has one of two ids");
        files[id] = Some(file);
    }
    match files {
        [Some(first), Some(second)] => Ok([first, second]),
        _ => fail("the children do not have the ids 0 and 1"),
    }
}

/// The effects of one child's call are visible to the other child and the parent.
fn children_use_the_parent(guest: &Guest) -> Outcome {
    both(guest)?;
    let ([first, second], parent) = (children()?, open("aux_parent")?);
    let calls = works!(info(&parent)).calls;
    same!(works!(info(&first)).calls, calls + 1);
    same!(works!(info(&second)).calls, calls + 2);
    same!(works!(info(&parent)).calls, calls + 2);
    Ok(())
}

/// A child does no DMA, so its import is attached to the device that does DMA for it, until the buffer is freed.
fn imports_attach_the_parent(guest: &Guest) -> Outcome {
    both(guest)?;
    let [first, _] = children()?;
    let foreign = works!(device::heap_buffer(PAGE));
    let attached =
        || std::fs::read_to_string(DMA_BUFS).map(|text| text.lines().any(|line| line.trim() == "aux_parent"));
    holds!(!attached()?, "there is no import yet");
    let handle = works!(first.import(&foreign));
    holds!(attached()?, "the parent is attached");
    works!(first.gem_close(handle));
    holds!(!attached()?, "the attachment is gone with the buffer");
    Ok(())
}

/// Unbinding one child affects neither the parent nor the other child.
fn child_unbind_leaves_parent_and_sibling(guest: &Guest) -> Outcome {
    both(guest)?;
    let ([first, second], parent) = (children()?, open("aux_parent")?);
    works!(write(&format!("{CHILD}/unbind"), FIRST));
    refuses!(info(&first), NODEV);
    works!(info(&second));
    works!(info(&parent));
    works!(write(&format!("{CHILD}/bind"), FIRST));
    works!(info(&children()?[0]));
    Ok(())
}

/// Unbinding the parent removes its children, and calls on their open files fail with ENODEV.
fn parent_unbind_removes_children(guest: &Guest) -> Outcome {
    both(guest)?;
    let ([first, second], parent) = (children()?, open("aux_parent")?);
    works!(write(&format!("{PARENT}/unbind"), "aux_parent"));
    for file in [&first, &second, &parent] {
        refuses!(info(file), NODEV);
    }
    same!(nodes("aux_child").len(), 0);
    both(guest)?;
    refuses!(info(&first), NODEV);
    same!(works!(info(&children()?[0])).id, 0);
    Ok(())
}

/// L5: the children's drivers finish while the parent is still whole.
fn children_unbind_before_parent_teardown(guest: &Guest) -> Outcome {
    both(guest)?;
    let mut log = KernelLog::from_now();
    works!(write(&format!("{PARENT}/unbind"), "aux_parent"));
    let lines: Vec<_> = log.lines().into_iter().filter(|line| line.contains("at rest")).collect();
    let told = |part: &str| lines.iter().position(|line| line.contains(part));
    let order = [told("child 1 at rest"), told("child 0 at rest"), told("parent at rest")];
    holds!(order == [Some(0), Some(1), Some(2)], "the log shows the order: {lines:?}");
    both(guest)
}

/// Children that exist before their driver is loaded are bound when it is.
fn late_driver_binds_existing_children(guest: &Guest) -> Outcome {
    both(guest)?;
    works!(unload("aux_child_rust"));
    same!(nodes("aux_child").len(), 0);
    works!(info(&open("aux_parent")?));
    both(guest)?;
    children().map(drop)
}

/// The parent's module cannot be unloaded before the children's, whose driver may keep the parent's data, bound or not.
fn child_module_holds_the_parent_module(guest: &Guest) -> Outcome {
    both(guest)?;
    refuses!(modules::remove("aux_parent_rust"), AGAIN);
    works!(write(&format!("{PARENT}/unbind"), "aux_parent"));
    same!(nodes("aux_child").len(), 0);
    refuses!(modules::remove("aux_parent_rust"), AGAIN);
    works!(unload("aux_child_rust"));
    works!(unload("aux_parent_rust"));
    both(guest)
}

/// Unloading the children's module fails with EAGAIN while a child's file is open. After the close both modules can be
/// unloaded, the children's first.
fn open_child_file_holds_the_child_module(guest: &Guest) -> Outcome {
    both(guest)?;
    let files = children()?;
    refuses!(modules::remove("aux_child_rust"), AGAIN);
    drop(files);
    works!(unload("aux_child_rust"));
    works!(unload("aux_parent_rust"));
    both(guest)
}

/// The parent's own registration fails when its children are bound already; the children are removed.
fn failed_parent_takes_its_children(guest: &Guest) -> Outcome {
    both(guest)?;
    works!(write(&format!("{PARENT}/unbind"), "aux_parent"));
    let bind = || write(&format!("{PARENT}/bind"), "aux_parent");
    let (bound, hit) = failing(guest, enomem("drm_dev_register"), 3, bind)?;
    holds!(hit && bound.is_err(), "the third registration is the parent's, and fails");
    same!(nodes("aux_child").len(), 0);
    holds!(!std::fs::exists(format!("/sys/bus/auxiliary/devices/{FIRST}"))?, "the child is gone");
    both(guest)
}

/// Many rounds of binding and unbinding with open files work.
fn repeated_bind_and_unbind(guest: &Guest) -> Outcome {
    for _ in 0..20 {
        both(guest)?;
        let files = children()?;
        works!(write(&format!("{PARENT}/unbind"), "aux_parent"));
        refuses!(info(&files[1]), NODEV);
    }
    both(guest)
}
