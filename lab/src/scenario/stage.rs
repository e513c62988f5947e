// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Everything that a boot needs, prepared once: toolchain, modules, guest programs, image, accelerator.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::debug_kernel;
use crate::error::{Context, Error, Kind, Result};
use crate::events::Events;
use crate::guestbin;
use crate::kernels::Flavour;
use crate::modules::{self, BuiltModules};
use crate::root::Binds;
use crate::setup::{self, Toolchain};
use crate::vm::console::{Line, Listener};
use crate::vm::gpu::{self, Wanted};
use crate::vm::guest::Guest;
use crate::vm::image::{self, Image, Sources};
use crate::vm::machine::{self, Machine};
use crate::vm::pace::{Pace, patient};
use crate::vm::qemu::{self, Accel, Spec};
use crate::vm::symbols::Frame;
use crate::vm::{accel, error as vm_error, payload};

use super::content::{Content, Program};
use super::leaks;
use super::scene::Scene;
use super::verdict::{self, Ending};

/// How long a guest may take until its agent is ready, where every instruction is translated. It takes a few seconds on an idle
/// host. How much less this one gives is known only when a machine has booted, so this is a hundred times as long.
const BOOT_LIMIT: Duration = Duration::from_secs(300);

/// How long a guest may take where the processor's virtualisation works; it takes under a second then, on an idle host.
const KVM_LIMIT: Duration = Duration::from_secs(20);

/// How long ending a machine may take on an idle host.
const OFF_LIMIT: Duration = Duration::from_secs(30);

/// The emulated GPU's socket in the directory with the unpacked kernel, for a machine that is started by hand.
const GPU_SOCKET: &str = "gpu.socket";

/// Where the directory with the unpacked kernel is seen inside the root.
const BOOT_DIR: &str = "/boot-image";

/// The kernel's image as its package has it, inside the root.
const PACKED_KERNEL: &str = "/kernel/vmlinuz";

/// The linked kernel in the tree that it was built in, inside the root.
const BUILT_KERNEL: &str = "/kernel/tree/vmlinux";

/// What the debug kernel is told: to report all that it finds and not only the first, and to take its own slowness for
/// granted.
const DEBUG_WORDS: &[&str] = &["kasan_multi_shot", "no5lvl", "watchdog_thresh=60"];

/// Memory in MiB that a guest has more of on the debug kernel: what its checkers keep.
const DEBUG_MEMORY: u32 = 1024;

/// What a command needs in its guest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// The kernel, by its release or series; `None` is the one in use.
    pub(crate) kernel: Option<String>,
    /// What is built for it.
    pub(crate) content: Content,
}

/// How to boot.
#[derive(Clone, Debug)]
pub(crate) struct Boot {
    /// Number of processors.
    pub(crate) cpus: u32,
    /// Memory in MiB.
    pub(crate) memory: u32,
    /// Count instructions instead of time.
    pub(crate) counting: bool,
    /// The system will sleep. That takes what is slower: a kernel that was started packed and in real mode, as firmware
    /// does, or it does not find back; and an agent on a serial line.
    pub(crate) sleeps: bool,
    /// Show the kernel's log on stderr as it comes.
    pub(crate) show_log: bool,
    /// Further devices, each the value of one `-device`.
    pub(crate) devices: Vec<String>,
    /// An emulated GPU.
    pub(crate) gpu: Option<Wanted>,
    /// Further words of the kernel's command line.
    pub(crate) words: Vec<String>,
    /// Further programs: where they are in the guest, and their files.
    pub(crate) programs: Vec<(String, PathBuf)>,
    /// The story runs a user's program, which may leave processes behind that hold the driver: they are told and ended. Of
    /// our own programs that is a failure.
    pub(crate) may_leave_holders: bool,
}

impl Default for Boot {
    fn default() -> Self {
        Self {
            cpus: 2,
            memory: 1024,
            counting: false,
            sleeps: false,
            show_log: false,
            devices: Vec::new(),
            gpu: None,
            words: Vec::new(),
            programs: Vec::new(),
            may_leave_holders: false,
        }
    }
}

/// A checkout that is built and ready to boot.
pub(crate) struct Stage {
    toolchain: Toolchain,
    modules: BuiltModules,
    image: Image,
    accel: Accel,
    boot_dir: PathBuf,
    kernel: &'static str,
}

impl Stage {
    /// Prepares whatever is missing and builds whatever changed.
    pub(crate) fn prepare(plan: &Plan, events: &Events) -> Result<Self> {
        let toolchain = setup::ensure_kernel(plan.kernel.as_deref(), events)?;
        let kernel = toolchain.repo.join("kernel");
        let modules = modules::build(&toolchain, &kernel, plan.content.modules.as_ref(), events)?;
        Self::with_modules(toolchain, modules, &plan.content.programs, events)
    }

    /// The same with modules that were built elsewhere.
    pub(crate) fn with_modules(
        toolchain: Toolchain,
        modules: BuiltModules,
        programs: &BTreeSet<Program>,
        events: &Events,
    ) -> Result<Self> {
        let programs = build_programs(&toolchain, programs, events)?;
        let step = events.step("making the guest image");
        let image = make_image(&toolchain, &modules.modules, &programs).map_err(machinery)?;
        let boot_dir = toolchain.cache.base().join("boot").join(&toolchain.kernel.release);
        let kernel = unpack_kernel(&toolchain, &boot_dir)?;
        step.done_with(format!("{} MiB", image.size() >> 20));
        let mut stage = Self { toolchain, modules, image, accel: Accel::Tcg, boot_dir, kernel };
        stage.accel = stage.choose_accel(events);
        Ok(stage)
    }

    /// The toolchain it was built with.
    pub(crate) fn toolchain(&self) -> &Toolchain {
        &self.toolchain
    }

    /// The modules it boots with.
    pub(crate) fn modules(&self) -> &BuiltModules {
        &self.modules
    }

    /// The image that boots.
    pub(crate) fn image(&self) -> &Image {
        &self.image
    }

    /// Whether guest instructions are translated.
    pub(crate) fn accel(&self) -> Accel {
        self.accel
    }

    /// Boots, lets `story` act, ends the machine and judges the log. A story that fails ends the machine; if the kernel
    /// reported something, that is the error.
    pub(crate) fn play<T>(
        &self,
        boot: &Boot,
        events: &Events,
        story: impl FnOnce(&mut Scene<'_>) -> Result<T, vm_error::Error>,
    ) -> Result<(T, Ending)> {
        let (mut machine, guest, _pace) = self.boot(boot, events)?;
        let terminal = machine.terminal();
        let firmware = boot.gpu.as_ref().and_then(|gpu| gpu.firmware.as_ref());
        let mut scene = Scene::new(&guest, &self.image, terminal).with_gpu(machine.gpu(), firmware);
        let told = story(&mut scene).and_then(|told| Ok((told, self.leave(&mut scene, events)?)));
        let told = told.and_then(|told| match scene.holders() {
            [] => Ok(told),
            holders if boot.may_leave_holders => {
                let message = "the client left processes behind that held the driver; they were ended";
                events.warn(format!("{message}: {}", holders.join(", ")));
                Ok(told)
            }
            holders => Err(vm_error::Error::LeftBehind { holders: holders.to_vec() }),
        });
        match told {
            Ok((told, leaks)) => {
                guest.power_off().map_err(machinery)?;
                let ended = machine.wait(patient(OFF_LIMIT)).map_err(machinery)?;
                let ending = verdict::judge(self, ended, &leaks)?;
                ending.unused_faults().for_each(|fault| events.warn(fault));
                Ok((told, ending))
            }
            Err(error) => Err(verdict::failed(self, machine, error)),
        }
    }

    /// Boots and lets `story` do what ends the machine, or what the kernel reports; gives the log and no verdict.
    pub(crate) fn provoke(
        &self,
        boot: &Boot,
        events: &Events,
        story: impl FnOnce(&mut Scene<'_>) -> Result<(), vm_error::Error>,
    ) -> Result<Vec<Line>> {
        let (mut machine, guest, _pace) = self.boot(boot, events)?;
        let step = events.step("doing what the kernel is to report");
        let terminal = machine.terminal();
        let told = story(&mut Scene::new(&guest, &self.image, terminal));
        match told {
            // The machine has ended, or is about to: its log ends with it.
            Err(vm_error::Error::Ended { .. }) => {}
            Err(error) => return Err(verdict::failed(self, machine, error)),
            Ok(()) => guest.power_off().map_err(machinery)?,
        }
        let ended = machine.wait(patient(OFF_LIMIT)).map_err(machinery)?;
        step.done();
        Ok(ended.log)
    }

    /// A machine whose guest answers and whose kernel has reported nothing. Until then nothing of ours is in it but the agent, so
    /// what goes wrong is no driver's fault, and the boot is repeated once: an emulated machine that its host starves stops without
    /// a word now and then, or its kernel finds timers late.
    fn boot(&self, boot: &Boot, events: &Events) -> Result<(Machine, Guest, Pace)> {
        let step = events.step(format!("booting {}", self.toolchain.kernel.release));
        // One host thread does all of a machine that counts.
        let usual = self.flavour().patience() * if boot.counting { 3 } else { 1 };
        let pace = Pace::expect(usual);
        let attempt = || -> Result<Attempt> {
            let mut machine = self.start(boot, events).map_err(machinery)?;
            let begun = Instant::now();
            Ok(match machine.guest(pace.of_boot(BOOT_LIMIT)).and_then(|guest| clean(&machine, guest)) {
                Ok(guest) => {
                    pace.measure(begun.elapsed());
                    Attempt::Up(machine, guest)
                }
                Err(error) => Attempt::Failed(machine, error),
            })
        };
        let booted = match attempt()? {
            Attempt::Failed(machine, error) if repeats(&machine, &error) => {
                let why = reason(&machine, &error);
                drop(machine);
                events.warn(format!("the boot is repeated, no driver was loaded yet: {why}"));
                attempt()?
            }
            booted => booted,
        };
        match booted {
            Attempt::Up(machine, guest) => {
                step.done();
                Ok((machine, guest, pace))
            }
            Attempt::Failed(machine, error) => Err(verdict::not_booted(self, machine, error)),
        }
    }

    /// What gives frames of a call trace their names, and where they can be found their lines.
    pub(crate) fn symbolizer(&self) -> impl Fn(&Frame) -> String {
        verdict::symbolizer(self)
    }

    /// Unloads all that came in and, where the kernel can tell, lists what memory was left behind.
    fn leave(&self, scene: &mut Scene<'_>, events: &Events) -> Result<Vec<String>, vm_error::Error> {
        if self.flavour() == Flavour::Stock {
            return scene.leave().map(|()| Vec::new());
        }
        let step = events.step("looking for memory that was left behind");
        let first = leaks::after_story(scene.guest())?;
        scene.leave()?;
        let second = leaks::after_leaving(scene.guest())?;
        step.done();
        Ok(leaks::together(first, second))
    }

    /// Whose build the kernel is.
    pub(crate) fn flavour(&self) -> Flavour {
        self.toolchain.kernel.flavour
    }

    /// Whether the kernel was built here with `option`, such as `CONFIG_KCOV=y`. Of a distribution's kernel nobody has to know.
    pub(crate) fn is_built_with(&self, option: &str) -> bool {
        debug_kernel::of_release(&self.toolchain.kernel.release).is_some_and(|variant| variant.has(option))
    }

    /// Like [`Self::play`] for a story that needs the machine's terminal.
    pub(crate) fn start(&self, boot: &Boot, events: &Events) -> Result<Machine, vm_error::Error> {
        let accel = if boot.counting { Accel::Counting } else { self.accel };
        let listener = boot.show_log.then(|| log_listener(events));
        self.start_with(boot, accel, listener)
    }

    fn start_with(&self, boot: &Boot, accel: Accel, listener: Option<Listener>) -> Result<Machine, vm_error::Error> {
        let mut command = self.toolchain.command(qemu::PROGRAM, &self.binds());
        command.args(qemu::args(&self.spec(boot, accel)));
        let more = further(boot)?;
        Machine::start(command, &[&self.image.base, &self.image.fresh, &more], boot.gpu.as_ref(), listener)
    }

    fn binds(&self) -> Binds {
        Binds::none().read(&self.boot_dir, BOOT_DIR)
    }

    fn spec(&self, boot: &Boot, accel: Accel) -> Spec {
        let (words, more_memory) = match self.flavour() {
            Flavour::Stock => (&[][..], 0),
            Flavour::Debug => (DEBUG_WORDS, DEBUG_MEMORY),
        };
        Spec {
            kernel: if boot.sleeps { PACKED_KERNEL } else { self.kernel }.into(),
            initrd: machine::INITRD.into(),
            accel,
            cpus: boot.cpus,
            memory: boot.memory + more_memory,
            agent: machine::AGENT,
            serial: boot.sleeps,
            shell: machine::SHELL,
            monitor: machine::MONITOR,
            words: words.iter().map(|&word| word.to_owned()).chain(boot.words.clone()).collect(),
            devices: boot.devices.clone(),
            gpu: boot.gpu.as_ref().map(|_| machine::GPU.into()),
        }
    }

    /// The exact line that boots this image by hand, with a shell on the console, and the image as a file for it.
    pub(crate) fn line_to_paste(&self, boot: &Boot) -> Result<String> {
        let initrd = self.boot_dir.join("initrd");
        let more = further(boot).map_err(machinery)?;
        let bytes = [self.image.base.as_slice(), &self.image.fresh, &more].concat();
        crate::cache::write_atomically(&initrd, bytes)?;
        let mut spec = self.spec(boot, if boot.counting { Accel::Counting } else { self.accel });
        spec.words.push(drydock_agent::protocol::SHELL_WORD.into());
        let spec = Spec {
            initrd: format!("{BOOT_DIR}/initrd"),
            agent: qemu::Channel::Absent,
            shell: qemu::Channel::Absent,
            gpu: boot.gpu.as_ref().map(|_| format!("{BOOT_DIR}/{GPU_SOCKET}")),
            ..spec
        };
        let mut command = self.toolchain.command(qemu::PROGRAM, &self.binds());
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

    /// The line that starts the emulated GPU, and waits until QEMU can connect to it.
    fn gpu_to_paste(&self, program: &str, wanted: &Wanted) -> String {
        let socket = self.boot_dir.join(GPU_SOCKET).to_string_lossy().into_owned();
        let mut args = gpu::arguments(wanted);
        args.extend(["--socket".into(), socket.clone()]);
        let wait = qemu::paste("test", &["-S".into(), socket]);
        format!("{} & until {wait}; do sleep 0.1; done", qemu::paste(program, &args))
    }

    fn choose_accel(&self, events: &Events) -> Accel {
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
        accel::judge(&self.boot_dir.join("kvm"), version, probe).accel()
    }

    fn try_kvm(&self) -> Result<(), String> {
        let boot = Boot { cpus: 1, ..Boot::default() };
        let mut machine = self.start_with(&boot, Accel::Kvm, None).map_err(|error| error.to_string())?;
        let guest = machine.guest(KVM_LIMIT * self.flavour().patience()).map_err(|error| error.to_string())?;
        drop(guest);
        machine.kill().map(drop).map_err(|error| error.to_string())
    }
}

/// What came of starting a machine.
enum Attempt {
    Up(Machine, Guest),
    Failed(Machine, vm_error::Error),
}

/// The guest, if its kernel has reported nothing until now.
fn clean(machine: &Machine, guest: Guest) -> Result<Guest, vm_error::Error> {
    guest.settle_log()?;
    match machine.reports().first() {
        None => Ok(guest),
        Some(report) => Err(vm_error::Error::Unexpected { program: "the boot".into(), said: report.title.clone() }),
    }
}

/// Whether what went wrong may go well the next time. A QEMU that ends by itself without a report of its guest's kernel does not.
fn repeats(machine: &Machine, error: &vm_error::Error) -> bool {
    matches!(error, vm_error::Error::Hung { .. }) || !machine.reports().is_empty()
}

/// What went wrong in a boot, in a line.
fn reason(machine: &Machine, error: &vm_error::Error) -> String {
    match machine.reports().first() {
        Some(report) => format!("the kernel reported: {}", report.title),
        None => format!("{}, and its kernel says nothing", error.to_string().lines().next().unwrap_or_default()),
    }
}

/// What this boot alone has in its file system.
fn further(boot: &Boot) -> Result<Vec<u8>, vm_error::Error> {
    let firmware = boot.gpu.as_ref().and_then(|gpu| gpu.firmware.as_ref());
    let mut more = firmware.map(image::firmware).transpose()?.unwrap_or_default();
    if !boot.programs.is_empty() {
        more.extend(image::programs(&boot.programs)?);
    }
    Ok(more)
}

fn log_listener(events: &Events) -> Listener {
    let events = events.clone();
    Box::new(move |line| events.line(&line.to_string()))
}

/// Builds the agent and `programs`, as far as the checkout has them, and tells their places in the guest.
///
/// Each by itself: cargo builds what several depend on with the features of all that are built together, so that another
/// selection would build it again.
fn build_programs(
    toolchain: &Toolchain,
    programs: &BTreeSet<Program>,
    events: &Events,
) -> Result<Vec<(String, PathBuf)>> {
    let there = programs.iter().filter(|program| program.exists(&toolchain.repo));
    let mut built = vec![("/init".to_owned(), guestbin::build(toolchain, Program::AGENT.name, events)?)];
    for program in there {
        built.push((format!("/usr/bin/{}", program.name), guestbin::build(toolchain, program.name, events)?));
    }
    Ok(built)
}

fn make_image(
    toolchain: &Toolchain,
    modules: &[PathBuf],
    programs: &[(String, PathBuf)],
) -> Result<Image, vm_error::Error> {
    let root_stamp = fs::read_to_string(toolchain.root.with_extension("stamp")).unwrap_or_default();
    let version = format!("{} {}", toolchain.kernel.release, root_stamp.trim());
    let sources = Sources {
        root: &toolchain.root,
        stock_modules: &toolchain.kernel.modules_dir,
        version: &version,
        cache: &toolchain.cache.base().join("image"),
    };
    Image::make(&sources, modules, programs)
}

/// Unpacks the kernel once, and returns where QEMU finds it: the boot image itself if it is of an unknown kind, and nothing is
/// to be unpacked of a kernel that was built here.
fn unpack_kernel(toolchain: &Toolchain, boot_dir: &Path) -> Result<&'static str> {
    fs::create_dir_all(boot_dir).with_context(|| format!("failed to create `{}`", boot_dir.display()))?;
    if toolchain.kernel.flavour == Flavour::Debug {
        return Ok(BUILT_KERNEL);
    }
    let unpacked = boot_dir.join("vmlinux");
    if !unpacked.exists() {
        let path = &toolchain.kernel.vmlinuz;
        let image = fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))?;
        let Some(kernel) = payload::extract(&image) else { return Ok(PACKED_KERNEL) };
        crate::cache::write_atomically(&unpacked, kernel)?;
    }
    Ok("/boot-image/vmlinux")
}

/// An error of the machine where no kernel can be to blame yet.
pub(super) fn machinery(error: vm_error::Error) -> Error {
    let kind = match verdict::kind_of(&error) {
        kind @ (Kind::Kernel | Kind::Silent) if !matches!(error, vm_error::Error::Refused { .. }) => kind,
        _ => Kind::Machinery,
    };
    verdict::convert(kind, error)
}
