// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The life of a tyr device. Its firmware is loaded through a device that is not registered yet, and boots; only then
//! does userspace see the device. A client maps memory for the GPU, which reports what it sees there. The driver is
//! unbound while the client holds its file, and the GPU pulled out while another client does.
//!
//! Source: `crates/csf-fw` for the sections and their addresses.

use csf_fw::{CacheMode, Firmware, Flags, Section};
use drydock_models::What;
use drydock_models::command::Command as Order;
use drydock_models::event::Register;
use serde_json::{Value, json};

use crate::report::{State, Thing};
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::{Output, Process};
use drydock_machine::pace;
use drydock_machine::scenario::{LIMIT, Program, Scene};
use drydock_machine::timeline::{Entry, Told};

use super::plug::{Function, held, let_go, nodes, order};
use super::recorder::{Recorder, Tale};
use super::{contains, lines_with, summary, unexpected};

/// The GPU's PCI function.
const FUNCTION: Function = Function {
    driver: "/sys/bus/pci/drivers/tyr",
    subject: "the driver",
    things: &[Thing::Bound, Thing::DriverObject, Thing::Firmware, Thing::Nodes],
    look,
};

/// The title for a client that holds the device.
const HELD: &str = "a client maps a buffer for the GPU, and holds it";

/// The firmware's address space.
const FIRMWARE_SPACE: usize = 0;

/// The number of bytes of each page of a client's buffer that are compared with what the client claims to have written.
const BEGINNING: usize = 16;

/// The size of a page in bytes.
const PAGE: usize = 4096;

/// Records the life of the device, from the first module to the last.
pub(super) fn story(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.exists(Thing::Gpu);
    birth(recorder)?;
    used(recorder)?;
    let client = mapped(recorder)?;
    let address = FUNCTION.unbound(recorder)?;
    release(recorder, client)?;
    FUNCTION.bound(recorder, &address, ", and the firmware boots again")?;
    let client = mapped(recorder)?;
    FUNCTION.pulled_out(recorder, &address)?;
    release(recorder, client)?;
    FUNCTION.plugged_in(recorder)?;
    gone(recorder)
}

fn birth(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.exists(Thing::Library);
    recorder.step("the library is loaded", State::Absent, |scene| scene.insmod("drm_rust").map(|()| Vec::new()))?;
    let patience = pace::patience().to_string();
    let mut watcher = recorder.guest().spawn(&[Program::CLIENT.name, "--first", "--patience", &patience])?;
    watcher.wait_for_line("waiting", LIMIT)?;
    let mut first = None;
    // The client's line is in the log only after the client has ended.
    let mut tale = recorder.tale("loading the driver", |scene| {
        scene.insmod("tyr")?;
        first = Some(watcher.wait(LIMIT)?);
        Ok(())
    })?;
    tale.happened_in_order(&[&is_identified, &is_start, &is_up]);
    let registers = summary::registers(tale.entries(), block);
    recorder.exists(Thing::Module);
    recorder.exists(Thing::Bound);
    recorder.chapter(&mut tale, "the driver identifies the GPU", State::Absent, is_identified, |_| Vec::new())?;
    firmware(recorder, &mut tale)?;
    recorder.exists(Thing::Nodes);
    let mut seen = first_sight(&tale, first.expect("it was waited for"))?;
    seen.extend(registers);
    recorder.rest(tale, "registered: userspace sees it, and a first client opens it", State::Registered, seen);
    Ok(())
}

/// Compares the time when the first client, which waited for the device, had it open with the time of the kernel's
/// message that it is there.
fn first_sight(tale: &Tale, first: Output) -> Result<Vec<String>, VmError> {
    if !first.status.success() {
        let said = format!("{}{}", first.out, first.err);
        return Err(VmError::Program { program: "the first client".into(), status: first.status, said });
    }
    let time = |needle: &str| {
        let entry = tale.entries().iter().find(|entry| entry.is_line_with(needle));
        entry.map(|entry| entry.time).ok_or_else(|| unexpected("the kernel's log", &format!("no line with `{needle}`")))
    };
    let (opened, told) = (time("drydock-client: opened")?, time("Initialized panthor")?);
    let mut seen: Vec<String> = first.out.lines().filter(|line| *line != "waiting").map(str::to_owned).collect();
    seen.push(format!("A client had the device open at {opened:.6}; the kernel's own message is from {told:.6}."));
    Ok(seen)
}

/// Records the steps from the device's allocation to a running firmware.
fn firmware(recorder: &mut Recorder<'_, '_>, tale: &mut Tale) -> Result<(), VmError> {
    recorder.exists(Thing::DriverObject);
    let sections = sections(recorder.scene())?;
    let title = "allocated, but not registered: the firmware is mapped through the device";
    recorder.chapter(tale, title, State::Unregistered, is_start, |_| sections)?;
    recorder.exists(Thing::Firmware);
    let title = "the firmware boots and reports the version of its interface";
    recorder.chapter(tale, title, State::Unregistered, is_up, |_| Vec::new())
}

/// Returns whether the driver reports which GPU it has found.
fn is_identified(entry: &Entry) -> bool {
    entry.is_line_with("architecture")
}

/// Returns whether the driver reports the firmware's interface.
fn is_up(entry: &Entry) -> bool {
    entry.is_line_with("CSF FW using interface")
}

/// Returns whether the microcontroller is switched on.
fn is_start(entry: &Entry) -> bool {
    let name = |register: &Register| register.to_string();
    matches!(&entry.told, Told::Gpu(What::Write(register)) if name(register) == "MCU_CONTROL" && register.value != 0)
}

/// Lists the firmware's sections: their addresses in the GPU's memory and their access rights. Checks that the GPU sees
/// the bytes of the file, as far as the firmware cannot have changed them.
fn sections(scene: &Scene<'_>) -> Result<Vec<String>, VmError> {
    let Some(supply) = scene.firmware() else { return Err(unexpected("the lab", "it has no firmware for tyr")) };
    let unreadable = |why: String| unexpected(&supply.path.display().to_string(), &why);
    let file = std::fs::read(&supply.path).map_err(|error| unreadable(error.to_string()))?;
    let firmware = Firmware::parse(&file).map_err(|error| unreadable(error.to_string()))?;
    let mut lines = vec![format!("{}, {} bytes, {}", supply.name, file.len(), supply.origin)];
    for section in firmware.sections() {
        let checked = match section.flags().has(Flags::WRITE) {
            true => "the firmware's to write",
            false => same(scene, &section)?,
        };
        lines.push(format!("{}  {checked}", line(&section)));
    }
    Ok(lines)
}

fn line(section: &Section<'_>) -> String {
    let flag = |bit: u32, letter: char| if section.flags().has(bit) { letter } else { '-' };
    let rights: String =
        [(Flags::READ, 'r'), (Flags::WRITE, 'w'), (Flags::EXECUTE, 'x')].map(|(bit, c)| flag(bit, c)).iter().collect();
    let cache = match section.flags().cache_mode() {
        CacheMode::None => "uncached",
        CacheMode::Cached => "cached",
        CacheMode::UncachedCoherent => "uncached, coherent",
        CacheMode::CachedCoherent => "cached, coherent",
    };
    let shared = if section.flags().has(Flags::SHARED) { ", shared with the driver" } else { "" };
    let at = section.addresses();
    format!("{:#010x}..{:#010x} {rights} {:>6} bytes  {cache}{shared}", at.start, at.end, section.data().len())
}

/// Checks that the GPU sees a section's bytes at its address.
fn same(scene: &Scene<'_>, section: &Section<'_>) -> Result<&'static str, VmError> {
    let va = u64::from(section.addresses().start);
    match load(scene, FIRMWARE_SPACE, va, section.data().len())? == section.data() {
        true => Ok("the GPU sees the file's bytes"),
        false => Err(unexpected("the GPU", &format!("it does not see the file's bytes at {va:#x}"))),
    }
}

/// Returns what the GPU sees at an address of one of its address spaces.
fn load(scene: &Scene<'_>, space: usize, va: u64, length: usize) -> Result<Vec<u8>, VmError> {
    let answer = ask(scene, json!({ "load": { "space": space, "va": va, "length": length } }))?;
    let bytes = answer.get("bytes").and_then(|bytes| serde_json::from_value(bytes.clone()).ok());
    bytes.ok_or_else(|| unexpected("the GPU", &format!("it sees nothing at {va:#x}: {answer}")))
}

/// Sends the model a question about what the GPU sees.
fn ask(scene: &Scene<'_>, question: Value) -> Result<Value, VmError> {
    order(scene, &Order::Query(question))
}

fn used(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.step("drmdevice lists it", State::Registered, |scene| {
        let out = scene.guest().check(&["drmdevice"], LIMIT)?.out;
        contains(&out, "drmdevice", "/dev/dri/card0")?;
        Ok(lines_with(&out, &["Devices reported", "/dev/dri/", "vendor_id", "device_id"], 6))
    })?;
    recorder.step("lsgpu lists it", State::Registered, |scene| {
        let out = scene.guest().check(&["lsgpu"], LIMIT)?.out;
        contains(&out, "lsgpu", "card0")?;
        Ok(out.lines().map(str::to_owned).collect())
    })?;
    recorder.step("a client on the crate `drm` uses it", State::Registered, |scene| {
        let out = scene.guest().check(&[Program::CLIENT.name], LIMIT)?.out;
        Ok(out.lines().map(str::to_owned).collect())
    })
}

/// Starts a client that holds a file with memory mapped for the GPU, and shows that the GPU sees what the client wrote.
fn mapped<'s>(recorder: &mut Recorder<'_, 's>) -> Result<Process<'s>, VmError> {
    recorder.exists(Thing::Mapping);
    recorder.exists(Thing::GpuMapping);
    let client = held(recorder, HELD)?;
    let said = client.out();
    recorder.step("the GPU sees what the client wrote", State::Registered, |scene| seen_by_gpu(scene, &said))?;
    Ok(client)
}

/// Lists the mappings in the GPU's address spaces other than the firmware's, and compares the first bytes of each page
/// with what the client `said`.
fn seen_by_gpu(scene: &Scene<'_>, said: &str) -> Result<Vec<String>, VmError> {
    let mut lines = Vec::new();
    let spaces = ask(scene, json!("spaces"))?;
    let numbers = spaces.as_array().into_iter().flatten().filter_map(|space| space.get("space")?.as_u64());
    for space in numbers.filter(|space| *space != FIRMWARE_SPACE as u64) {
        let ranges = ask(scene, json!({ "mappings": { "space": space } }))?;
        for range in ranges.as_array().into_iter().flatten() {
            let number = |key: &str| range.get(key).and_then(Value::as_u64).unwrap_or_default();
            let (va, size, pa) = (number("va"), number("size"), number("pa"));
            lines.push(format!("address space {space}: {va:#x}..{:#x} leads to {pa:#x}", va + size));
            for va in (va..va + size).step_by(PAGE) {
                let bytes = load(scene, space as usize, va, BEGINNING)?;
                let bytes = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
                contains(said, "the client", &bytes)?;
                lines.push(format!("  the GPU reads {bytes} … at {va:#x}, as the client wrote"));
            }
        }
    }
    match lines.is_empty() {
        true => Err(unexpected("the GPU", &format!("nothing is mapped for a client: {spaces}"))),
        false => Ok(lines),
    }
}

fn release(recorder: &mut Recorder<'_, '_>, client: Process<'_>) -> Result<(), VmError> {
    recorder.vanishes(Thing::Mapping);
    recorder.vanishes(Thing::GpuMapping);
    let_go(recorder, client)
}

fn gone(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    FUNCTION.detach(recorder);
    recorder.vanishes(Thing::Module);
    recorder.step("the driver is unloaded", State::Absent, |scene| {
        scene.rmmod("tyr")?;
        nodes(scene, 0)
    })?;
    recorder.vanishes(Thing::Library);
    recorder.step("the library is unloaded", State::Absent, |scene| scene.rmmod("drm_rust").map(|()| Vec::new()))
}

/// Checks the nodes: a primary and a render one.
fn look(scene: &Scene<'_>, bound: bool) -> Result<Vec<String>, VmError> {
    nodes(scene, if bound { 2 } else { 0 })
}

/// Returns the part of the register block that contains a register.
fn block(register: &Register) -> &'static str {
    match register.offset {
        0..0x700 | 0x800..0x1000 => "GPU control",
        0x700..0x800 => "microcontroller",
        0x1000..0x2000 => "job interrupts",
        0x2000..0x3000 => "MMU",
        _ => "doorbells",
    }
}
