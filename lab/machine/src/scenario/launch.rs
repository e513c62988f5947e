// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Starts machines that boot one image: with which files, how their instructions are executed, and the line to do the same by
//! hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::console::Listener;
use crate::error::Error as VmError;
use crate::gpu::{self, Wanted};
use crate::image::Image;
use crate::machine::{self, Machine};
use crate::qemu::{self, Accel, Channel, Spec};
use crate::{accel, debugger, payload};
use drydock_base::cache::{make_dir, write_atomically};
use drydock_base::error::{Context, Result};
use drydock_base::events::Events;
use drydock_toolchain::kernels::Flavour;
use drydock_toolchain::root::Binds;
use drydock_toolchain::setup::Toolchain;

use super::boot::Boot;

/// The boot limit where the processor's virtualisation works. A boot then takes under a second on an idle host.
const KVM_LIMIT: Duration = Duration::from_secs(20);

/// The emulated GPU's socket in the directory with the unpacked kernel, for a machine that is started by hand.
const GPU_SOCKET: &str = "gpu.socket";

/// The path inside the root of the directory with the unpacked kernel.
const BOOT_DIR: &str = "/boot-image";

/// The unpacked kernel in that directory.
const UNPACKED: &str = "vmlinux";

/// The path inside the root of the unpacked kernel.
const UNPACKED_KERNEL: &str = "/boot-image/vmlinux";

/// The path inside the root of the kernel's image as packaged.
const PACKED_KERNEL: &str = "/kernel/vmlinuz";

/// The path inside the root of the linked kernel in its build tree.
const BUILT_KERNEL: &str = "/kernel/tree/vmlinux";

/// Words for the debug kernel's command line: report all findings and not only the first, and tolerate its own
/// slowness.
const DEBUG_WORDS: &[&str] = &["kasan_multi_shot", "no5lvl", "watchdog_thresh=60"];

/// The additional memory in MiB for a guest with the debug kernel, which its checkers use.
const DEBUG_MEMORY: u32 = 1024;

/// The kernel as QEMU starts it.
pub(super) struct BootKernel {
    /// The directory of the unpacked kernel, on the host; [`BOOT_DIR`] inside the root.
    dir: PathBuf,
    /// The path of the kernel inside the root.
    inside: &'static str,
}

impl BootKernel {
    /// Unpacks the kernel of `toolchain`, if that was not done before.
    pub(super) fn make(toolchain: &Toolchain) -> Result<Self> {
        let dir = toolchain.cache.base().join("boot").join(&toolchain.kernel.release);
        make_dir(&dir)?;
        let inside = unpack(toolchain, &dir)?;
        Ok(Self { dir, inside })
    }
}

/// Unpacks the kernel into `dir` once and returns its path for QEMU. Returns the boot image itself if its kind is unknown. A
/// kernel that was built here needs no unpacking.
fn unpack(toolchain: &Toolchain, dir: &Path) -> Result<&'static str> {
    if toolchain.kernel.flavour == Flavour::Debug {
        return Ok(BUILT_KERNEL);
    }
    let unpacked = dir.join(UNPACKED);
    if !unpacked.exists() {
        let path = &toolchain.kernel.vmlinuz;
        let image = fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))?;
        let Some(kernel) = payload::extract(&image) else { return Ok(PACKED_KERNEL) };
        write_atomically(&unpacked, kernel)?;
    }
    Ok(UNPACKED_KERNEL)
}

impl BootKernel {
    /// Returns the kernel as an ELF file, or nothing if its boot image could not be unpacked.
    pub(super) fn elf(&self) -> Result<Vec<u8>> {
        let file = self.dir.join(UNPACKED);
        match file.exists() {
            true => fs::read(&file).with_context(|| format!("failed to read `{}`", file.display())),
            false => Ok(Vec::new()),
        }
    }
}

/// Everything that a machine is started with.
pub(super) struct Launcher {
    pub(super) toolchain: Toolchain,
    pub(super) image: Image,
    pub(super) kernel: BootKernel,
}

impl Launcher {
    /// Returns whose build the kernel is.
    pub(super) fn flavour(&self) -> Flavour {
        self.toolchain.kernel.flavour
    }

    /// Starts a machine. `archives` are those of the boot ([`Boot::archives`]).
    pub(super) fn start(
        &self,
        boot: &Boot,
        accel: Accel,
        archives: &[u8],
        listener: Option<Listener>,
    ) -> Result<Machine, VmError> {
        let mut command = self.toolchain.command(qemu::PROGRAM, &self.binds(boot));
        command.args(qemu::args(&self.spec(boot, accel)));
        let debugger = boot.debugger.as_ref().map(|session| session.listener()).transpose().map_err(VmError::Start)?;
        let archives = [&self.image.base, &self.image.fresh, archives];
        Machine::start(command, &archives, boot.gpu.as_ref(), debugger, listener)
    }

    fn binds(&self, boot: &Boot) -> Binds {
        Binds::none().read(&self.kernel.dir, BOOT_DIR).and(&boot.binds())
    }

    fn spec(&self, boot: &Boot, accel: Accel) -> Spec {
        let (words, more_memory) = match self.flavour() {
            Flavour::Stock => (&[][..], 0),
            Flavour::Debug => (DEBUG_WORDS, DEBUG_MEMORY),
        };
        let debugger_words = if boot.debugger.is_some() { debugger::WORDS } else { &[] };
        Spec {
            kernel: if boot.sleeps { PACKED_KERNEL } else { self.kernel.inside }.into(),
            initrd: machine::INITRD.into(),
            accel,
            cpus: boot.cpus,
            memory: boot.memory + more_memory,
            agent: machine::AGENT,
            serial: boot.sleeps,
            shell: machine::SHELL,
            monitor: machine::MONITOR,
            debugger: if boot.debugger.is_some() { machine::DEBUGGER } else { Channel::Absent },
            words: words.iter().chain(debugger_words).map(|&word| word.to_owned()).chain(boot.words.clone()).collect(),
            devices: boot.devices.clone(),
            gpu: boot.gpu.as_ref().map(|_| machine::GPU.into()),
            shares: boot.qemu_shares(),
            disks: boot.qemu_disks(),
        }
    }

    /// Returns the exact command that boots this image by hand with a shell on the console, and writes the image to a
    /// file for it.
    pub(super) fn line_to_paste(&self, boot: &Boot, accel: Accel) -> Result<String> {
        let initrd = self.kernel.dir.join("initrd");
        let bytes = [self.image.base.as_slice(), &self.image.fresh, &boot.archives()?].concat();
        write_atomically(&initrd, bytes)?;
        let mut spec = self.spec(boot, accel);
        spec.words.push(drydock_agent::protocol::SHELL_WORD.into());
        let gpu = boot.gpu.as_ref().map(|_| format!("{BOOT_DIR}/{GPU_SOCKET}"));
        let spec = spec.by_hand(format!("{BOOT_DIR}/initrd"), gpu);
        let mut command = self.toolchain.command(qemu::PROGRAM, &self.binds(boot));
        command.args(qemu::args(&spec));
        let args: Vec<String> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let program = std::env::current_exe().context("cannot find this program")?;
        let program = program.to_string_lossy();
        let machine = qemu::paste(&program, &args);
        Ok(match &boot.gpu {
            Some(wanted) => format!("{}\n{machine}", self.gpu_to_paste(&program, wanted)),
            None => machine,
        })
    }

    /// Returns the command that starts the emulated GPU and waits until QEMU can connect to it.
    fn gpu_to_paste(&self, program: &str, wanted: &Wanted) -> String {
        let socket = self.kernel.dir.join(GPU_SOCKET).to_string_lossy().into_owned();
        let mut args = gpu::arguments(wanted);
        args.extend(["--socket".into(), socket.clone()]);
        let wait = qemu::paste("test", &["-S".into(), socket]);
        format!("{} & until {wait}; do sleep 0.1; done", qemu::paste(program, &args))
    }

    /// Returns the best way to execute instructions on this host. Boots a machine if it is not known yet.
    pub(super) fn choose_accel(&self, events: &Events) -> Accel {
        let version = &self.toolchain.kernel.release;
        let probe = || {
            let step = events.step("trying /dev/kvm");
            let result = self.try_kvm();
            match &result {
                Ok(()) => step.done_with("it works"),
                Err(_) => step.done_with("no guest boots with it, so instructions are translated"),
            }
            result
        };
        accel::judge(&self.kernel.dir.join("kvm"), version, probe).accel()
    }

    fn try_kvm(&self) -> Result<(), String> {
        let boot = Boot { cpus: 1, ..Boot::default() };
        let mut machine = self.start(&boot, Accel::Kvm, &[], None).map_err(|error| error.to_string())?;
        let guest = machine.guest(KVM_LIMIT * self.flavour().patience()).map_err(|error| error.to_string())?;
        drop(guest);
        machine.kill().map(drop).map_err(|error| error.to_string())
    }
}
