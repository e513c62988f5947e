// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A whole device without its sockets: configuration space, BARs, faults and time around a model.
//!
//! Every access first does everything that was due before it. So the hardware does not look late on a host that gives
//! the clock's thread no processor.
//!
//! Source: Linux, include/uapi/linux/vfio.h for the numbers of regions.

use std::borrow::Cow;
use std::time::Instant;

use serde_json::{Value, json};

use crate::bus::Bus;
use crate::command::{Answer, Command, Mailbox};
use crate::config::Config;
use crate::event::What;
use crate::fault::{Common, Fault, Plan, Planned};
use crate::gpu::{Access, Function, Gpu, Interrupts, Width};

/// The region of the configuration space; those before it are the BARs by number.
pub const CONFIG_REGION: u32 = 7;

/// The size of table and pending bits of MSI-X together.
const MSI_X_SIZE: usize = 4096;

/// The size of a page that clients may map.
const CLIENT_PAGE: u64 = 4096;

/// The longest access of a bus, in bytes.
const MOST: usize = 8;

/// A device: its model, and the machine around it.
pub struct Device<G: Gpu> {
    gpu: G,
    function: Function,
    config: Config,
    bus: Bus,
    planned: Vec<Planned<G::Fault>>,
    mailbox: Mailbox,
    /// Table and pending bits of MSI-X, for a client that does not keep them itself.
    msi_x: Vec<u8>,
    accesses: u64,
}

impl<G: Gpu> Device<G> {
    /// Creates a device that was just plugged in, with the faults of a plan.
    pub fn new(gpu: G, plan: Plan<G::Fault>, now: Instant) -> Self {
        let function = gpu.function();
        let config = Config::new(&function);
        let bus = Bus::new(function.interrupts.vectors(), now);
        let msi_x = match function.interrupts {
            Interrupts::MsiX { .. } => vec![0; MSI_X_SIZE],
            Interrupts::Msi { .. } => Vec::new(),
        };
        let mailbox = Mailbox::default();
        let mut device = Self { gpu, function, config, bus, planned: plan.0, mailbox, msi_x, accesses: 0 };
        device.gpu.reset(&mut device.bus);
        device.begin_faults();
        device
    }

    /// Returns the description of the PCI function.
    pub fn function(&self) -> &Function {
        &self.function
    }

    /// Returns the machine around the model.
    pub fn bus(&mut self) -> &mut Bus {
        &mut self.bus
    }

    /// Returns the model.
    pub fn gpu(&mut self) -> &mut G {
        &mut self.gpu
    }

    /// Reads a region. Whatever the access, `data` is filled as a bus would.
    pub fn read(&mut self, region: u32, offset: u64, data: &mut [u8], now: Instant) {
        self.tick(now);
        if region == CONFIG_REGION {
            return self.read_config(offset, data);
        }
        if self.is_for_clients(region, offset, data.len()) {
            return self.read_for_client(offset, data);
        }
        let Some(access) = self.access(region, offset, data.len()) else {
            self.bus.violation(format!("BAR{region} has no {} bytes to read at {offset:#x}", data.len()));
            // An invalid length may be huge, so only the beginning is filled.
            return data.iter_mut().take(MOST).for_each(|byte| *byte = 0xff);
        };
        if let Some(table) = self.msi_x(access) {
            return data.copy_from_slice(table);
        }
        let name = self.gpu.register(access.bar, offset);
        let value = self.read_register(access, name.as_deref());
        data.copy_from_slice(&value.to_le_bytes()[..data.len()]);
        self.count(name);
    }

    /// A write to a region.
    pub fn write(&mut self, region: u32, offset: u64, data: &[u8], now: Instant) {
        self.tick(now);
        if region == CONFIG_REGION {
            return self.write_config(offset, data);
        }
        let Some(access) = self.access(region, offset, data.len()) else {
            return self.bus.violation(format!("BAR{region} has no {} bytes to write at {offset:#x}", data.len()));
        };
        if let Some(table) = self.msi_x(access) {
            return table.copy_from_slice(data);
        }
        let mut bytes = [0; 8];
        bytes[..data.len()].copy_from_slice(data);
        let name = self.gpu.register(access.bar, offset);
        self.write_register(access, u64::from_le_bytes(bytes), name.as_deref());
        self.count(name);
    }

    /// Resets the function.
    pub fn reset(&mut self, now: Instant) {
        self.tick(now);
        self.config.reset();
        self.bus.master = self.config.is_master();
        self.bus.emit(What::Reset);
        self.gpu.reset(&mut self.bus);
    }

    /// Returns when [`Device::tick`] must be called next.
    pub fn due(&self) -> Option<Instant> {
        let gpu = self.gpu.due().filter(|_| !self.bus.conditions.removed);
        self.planned.iter().filter_map(Planned::due).chain(gpu).min()
    }

    /// Does everything that is due by `now`, each thing at its own time, so that its consequences are not late either.
    pub fn tick(&mut self, now: Instant) {
        while let Some(due) = self.due().filter(|due| *due <= now) {
            self.bus.now = self.bus.now.max(due);
            self.begin_faults();
            if self.gpu.due().is_some_and(|due| due <= self.bus.now) && !self.bus.conditions.removed {
                self.gpu.tick(&mut self.bus);
            }
        }
        self.bus.now = now;
    }

    /// Executes a command, as [`crate::command`] lists them, and returns the answer; both are JSON.
    pub fn command(&mut self, line: &[u8], now: Instant) -> Vec<u8> {
        self.tick(now);
        let answer = match serde_json::from_slice::<Command>(line) {
            Ok(command) => self.execute(command).map_or_else(Answer::Error, Answer::Ok),
            Err(error) => Answer::Error(format!("the command cannot be read: {error}")),
        };
        serde_json::to_vec(&answer).expect("an answer has string keys")
    }

    /// Reports the faults that never began. Called at the end.
    pub fn finish(&mut self) {
        for planned in std::mem::take(&mut self.planned) {
            self.bus.emit(What::FaultUnused { text: planned.text });
        }
    }

    fn execute(&mut self, command: Command) -> Result<Value, String> {
        match command {
            Command::Fault(table) => {
                self.planned.push(Planned::parse::<G>(table).map_err(|error| error.to_string())?);
                self.begin_faults();
                Ok(Value::Null)
            }
            Command::Repair => {
                self.repair();
                Ok(Value::Null)
            }
            Command::Status => Ok(json!({
                "accesses": self.accesses,
                "violations": self.bus.violations(),
                "removed": self.bus.conditions.removed,
            })),
            Command::Query(question) => self.gpu.query(&mut self.bus, &question),
        }
    }

    fn repair(&mut self) {
        self.planned.clear();
        let conditions = std::mem::take(&mut self.bus.conditions);
        if conditions.removed {
            // Writes of the machine during the removal did not arrive.
            self.config.plug_in();
            self.bus.master = false;
        }
        self.bus.emit(What::Repaired);
        self.gpu.repair(&mut self.bus);
    }

    fn read_config(&mut self, offset: u64, data: &mut [u8]) {
        match Mailbox::at(offset, data.len()) {
            Some(at) => data.copy_from_slice(&self.mailbox.read(at)),
            None if self.bus.conditions.removed => data.fill(0xff),
            None => self.config.read(offset, data),
        }
    }

    fn write_config(&mut self, offset: u64, data: &[u8]) {
        if let (Some(at), Ok(word)) = (Mailbox::at(offset, data.len()), data.try_into()) {
            if let Some(command) = self.mailbox.write(at, word) {
                let answer = self.command(&command, self.bus.now);
                self.mailbox.answer(answer);
            }
        } else if !self.bus.conditions.removed {
            self.config.write(offset, data);
            self.bus.master = self.config.is_master();
        }
    }

    /// Whether a read stays within a page that clients may map.
    fn is_for_clients(&self, region: u32, offset: u64, length: usize) -> bool {
        let page = self.function.client_page;
        page.is_some_and(|page| {
            let within = offset.checked_sub(page.offset).and_then(|at| at.checked_add(length as u64));
            u32::from(page.bar) == region && length <= MOST && within.is_some_and(|end| end <= CLIENT_PAGE)
        })
    }

    /// Reads from a page that clients may map. Clients read bytes anywhere in it, and the driver cannot prevent that.
    /// Each byte is that of the 32-bit register in which it lies, or zero.
    fn read_for_client(&mut self, offset: u64, data: &mut [u8]) {
        let Some(bar) = self.function.client_page.map(|page| page.bar) else { return };
        let mut name = None;
        for (byte, at) in data.iter_mut().zip(offset..) {
            let access = Access { bar, offset: at & !3, width: Width::Four };
            let found = self.gpu.register(bar, access.offset);
            let there = found.is_some() || self.bus.conditions.removed;
            let value = if there { self.read_register(access, found.as_deref()) } else { 0 };
            *byte = value.to_le_bytes()[(at & 3) as usize];
            name = name.or(found);
        }
        self.count(name);
    }

    fn read_register(&mut self, access: Access, name: Option<&str>) -> u64 {
        if self.bus.conditions.removed {
            return access.width.ones();
        }
        let shown = Bus::shown(access, 0, name.map(str::to_owned));
        self.bus.access = Some((shown.clone(), false));
        let value = self.gpu.read(&mut self.bus, access) & access.width.ones();
        self.bus.access = None;
        self.bus.emit_read(crate::event::Register { value, ..shown });
        value
    }

    fn write_register(&mut self, access: Access, value: u64, name: Option<&str>) {
        if self.bus.conditions.removed {
            return;
        }
        let shown = Bus::shown(access, value, name.map(str::to_owned));
        self.bus.emit(What::Write(shown.clone()));
        self.bus.access = Some((shown, true));
        self.gpu.write(&mut self.bus, access, value);
        self.bus.access = None;
    }

    /// Returns the access, if the BAR has it: inside, of a width that the bus knows, and aligned to it.
    fn access(&self, region: u32, offset: u64, length: usize) -> Option<Access> {
        let width = Width::of(length)?;
        let bar = self.function.bars.iter().find(|bar| u32::from(bar.index) == region)?;
        let inside = offset.checked_add(length as u64)? <= bar.size;
        (inside && offset % length as u64 == 0).then_some(Access { bar: bar.index, offset, width })
    }

    /// Returns the bytes of an access to the BAR of MSI-X: it is memory, whatever the client does with it.
    fn msi_x(&mut self, access: Access) -> Option<&mut [u8]> {
        let is_table = matches!(self.function.interrupts, Interrupts::MsiX { bar, .. } if bar == access.bar);
        // The memory repeats behind table and pending bits.
        let from = access.offset as usize % MSI_X_SIZE;
        is_table.then(|| &mut self.msi_x[from..from + access.width.bytes()])
    }

    /// Counts an access for the faults that wait for it.
    fn count(&mut self, name: Option<Cow<'static, str>>) {
        self.accesses += 1;
        let now = self.bus.now;
        self.planned.iter_mut().for_each(|planned| planned.count(name.as_deref(), now));
        self.begin_faults();
    }

    fn begin_faults(&mut self) {
        let now = self.bus.now;
        let (begin, wait) = std::mem::take(&mut self.planned).into_iter().partition(|planned| planned.begins(now));
        self.planned = wait;
        for planned in begin {
            self.begin(planned);
        }
    }

    fn begin(&mut self, planned: Planned<G::Fault>) {
        self.bus.emit(What::Fault { text: planned.text });
        let conditions = &mut self.bus.conditions;
        match planned.fault {
            Fault::Common(Common::Removal {}) => conditions.removed = true,
            Fault::Common(Common::LostInterrupt { count }) => {
                conditions.lost_interrupts = conditions.lost_interrupts.saturating_add(count);
            }
            Fault::Common(Common::SpuriousInterrupt { vector }) => self.bus.interrupt(vector),
            Fault::Common(Common::Slow { factor }) => conditions.slowness = factor,
            Fault::Common(Common::DmaRefusal {}) => conditions.dma_refused = true,
            Fault::Gpu(fault) => self.gpu.fault(&mut self.bus, &fault),
        }
    }
}

#[cfg(test)]
mod tests;
