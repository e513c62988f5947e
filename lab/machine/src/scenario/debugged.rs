// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A guest that waits for a debugger: after the driver is loaded, because only then the addresses of its code are known, and
//! before the driver probes its devices.
//!
//! Source: Documentation/ABI/testing/sysfs-bus and drivers/base/bus.c, `drivers_autoprobe` and `drivers_probe`.

use drydock_base::cache::write_atomically;
use drydock_base::error::Result;
use drydock_toolchain::kernels::Flavour;
use drydock_toolchain::kmod::{Module, Stock};

use super::scene::Scene;
use super::stage::Stage;
use crate::debugger::{self, Loaded, Session, script, symbol_file};
use crate::error::Error as VmError;
use crate::guest::Guest;
use crate::pace;

/// The buses on which a probe can be delayed. A device of the faux bus would fail without its driver.
const BUSES: [&str; 2] = ["pci", "platform"];

/// The list of the kernel's symbols in the guest.
const SYMBOLS: &str = "/proc/kallsyms";

/// Keeps drivers that are loaded from now on from probing devices, until [`probe`].
pub fn delay_probes(scene: &Scene<'_>) -> Result<(), VmError> {
    BUSES.iter().try_for_each(|bus| scene.guest().write(&format!("/sys/bus/{bus}/drivers_autoprobe"), "0"))
}

/// Lets drivers probe their devices.
pub fn probe(scene: &Scene<'_>) -> Result<(), VmError> {
    let guest = scene.guest();
    for bus in BUSES.map(|bus| format!("/sys/bus/{bus}")) {
        guest.write(&format!("{bus}/drivers_autoprobe"), "1")?;
        for device in guest.list(&format!("{bus}/devices"))? {
            if !guest.list(&format!("{bus}/devices/{device}"))?.iter().any(|file| file == "driver") {
                // A probe that fails is the driver's matter, as it is when the driver is loaded. The kernel logs it.
                let _ = guest.write(&format!("{bus}/drivers_probe"), &device);
            }
        }
    }
    Ok(())
}

/// The places of code that only the guest knows.
pub struct Layout {
    /// The text of [`SYMBOLS`].
    symbols: String,
    /// The loaded modules, by name, with the addresses of their sections.
    modules: Vec<(String, Sections)>,
}

/// The names of a module's sections and their addresses.
type Sections = Vec<(String, u64)>;

/// Reads where the kernel's code is. From then on QEMU reports what a debugger does.
pub fn layout(scene: &mut Scene<'_>) -> Result<Layout, VmError> {
    scene.monitor().ask_for_events().map_err(VmError::Start)?;
    let guest = scene.guest();
    let modules = guest.read("/proc/modules")?;
    let names = modules.lines().filter_map(|line| line.split(' ').next());
    let modules = names.map(|name| Ok((name.to_owned(), sections(guest, name)?))).collect::<Result<_, VmError>>()?;
    Ok(Layout { symbols: guest.read(SYMBOLS)?, modules })
}

/// Returns the sections of a loaded module that a debugger needs.
fn sections(guest: &Guest, module: &str) -> Result<Sections, VmError> {
    let directory = format!("/sys/module/{module}/sections");
    let mut sections = Vec::new();
    for name in guest.list(&directory)?.into_iter().filter(|name| debugger::is_kept(name)) {
        let text = guest.read(&format!("{directory}/{name}"))?;
        let address = u64::from_str_radix(text.trim().trim_start_matches("0x"), 16);
        let address =
            address.map_err(|_| VmError::Unexpected { program: format!("{directory}/{name}"), said: text })?;
        sections.push((name, address));
    }
    Ok(sections)
}

/// Waits until gdb has stopped the guest, then calls `connected`, then waits until gdb lets it run. There is no time limit
/// from now on.
pub fn wait_for_debugger(scene: &mut Scene<'_>, connected: impl FnOnce()) -> Result<(), VmError> {
    pace::without_limits();
    let mut monitor = scene.monitor();
    let waited = monitor.wait_until_stopped().and_then(|()| {
        connected();
        monitor.wait_until_running()
    });
    // QEMU has ended. `kill` in gdb does that.
    waited.map_err(|_| VmError::Ended { status: "its channel closed".into(), said: String::new(), console: Vec::new() })
}

impl Stage {
    /// Writes gdb's script, and the file with a stock kernel's symbols that it loads.
    pub fn write_debugger_script(&self, session: &Session, layout: Layout) -> Result<()> {
        let kernel = &self.toolchain().kernel;
        let stock = Stock::index(&kernel.modules_dir)?.files();
        let mut with_lines = Vec::new();
        let mut without_lines = Vec::new();
        for (name, sections) in layout.modules {
            match (self.image().ours.get(&name), stock.get(&name), kernel.flavour) {
                (Some(file), _, _) | (None, Some(file), Flavour::Debug) => with_lines.push((file.clone(), sections)),
                (None, Some(file), Flavour::Stock) => {
                    without_lines.push((name, Loaded { bytes: Module::read(file)?.bytes, sections }));
                }
                (None, None, _) => {}
            }
        }
        let symbols = match kernel.flavour {
            Flavour::Debug => kernel.tree.join("vmlinux"),
            Flavour::Stock => {
                let file = symbol_file(&self.kernel_image()?, &layout.symbols, &without_lines);
                write_atomically(&session.symbol_file(), file)?;
                session.symbol_file()
            }
        };
        write_atomically(&session.script(), script(self.toolchain(), &symbols, &with_lines, &session.socket()))
    }
}
