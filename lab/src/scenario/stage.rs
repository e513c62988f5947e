// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Everything that a boot needs, prepared once: toolchain, modules, guest programs, image, accelerator.

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

/// The time limit for a guest's agent to become ready where every instruction is translated. A boot takes a few seconds
/// on an idle host. How slow this host is becomes known only when a machine has booted, so the limit is a hundred times
/// as long, however many machines share the host: a boot that hangs is found and repeated then.
const BOOT_LIMIT: Duration = Duration::from_secs(300);

/// The boot limit where the processor's virtualisation works. A boot then takes under a second on an idle host.
const KVM_LIMIT: Duration = Duration::from_secs(20);

/// The time limit for ending a machine on an idle host.
const OFF_LIMIT: Duration = Duration::from_secs(30);

/// The emulated GPU's socket in the directory with the unpacked kernel, for a machine that is started by hand.
const GPU_SOCKET: &str = "gpu.socket";

/// The path inside the root of the directory with the unpacked kernel.
const BOOT_DIR: &str = "/boot-image";

/// The path inside the root of the kernel's image as packaged.
const PACKED_KERNEL: &str = "/kernel/vmlinuz";

/// The path inside the root of the linked kernel in its build tree.
const BUILT_KERNEL: &str = "/kernel/tree/vmlinux";

/// Words for the debug kernel's command line: report all findings and not only the first, and tolerate its own
/// slowness.
const DEBUG_WORDS: &[&str] = &["kasan_multi_shot", "no5lvl", "watchdog_thresh=60"];

/// The additional memory in MiB for a guest with the debug kernel, which its checkers use.
const DEBUG_MEMORY: u32 = 1024;

/// A command's requirements on its guest.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The kernel, by its release or series; `None` means the one in use.
    pub(crate) kernel: Option<String>,
    /// The content to build for it.
    pub(crate) content: Content,
}

/// The parameters of a boot.
#[derive(Clone, Debug)]
pub(crate) struct Boot {
    /// The number of processors.
    pub(crate) cpus: u32,
    /// Memory in MiB.
    pub(crate) memory: u32,
    /// Count instructions instead of time.
    pub(crate) counting: bool,
    /// The system will sleep. That requires slower choices: a packed kernel started in real mode, as firmware does,
    /// because another one cannot resume, and an agent on a serial line.
    pub(crate) sleeps: bool,
    /// Show the kernel's log on stderr as it comes.
    pub(crate) show_log: bool,
    /// Further devices, each the value of one `-device`.
    pub(crate) devices: Vec<String>,
    /// An emulated GPU.
    pub(crate) gpu: Option<Wanted>,
    /// Further words of the kernel's command line.
    pub(crate) words: Vec<String>,
    /// Additional programs: their paths in the guest, and their files.
    pub(crate) programs: Vec<(String, PathBuf)>,
    /// The scenario runs a user's program, which may leave processes behind that hold the driver. They are reported and
    /// killed. For our own programs that is a failure.
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
    /// Prepares whatever is missing and builds whatever has changed.
    pub(crate) fn prepare(plan: &Plan, events: &Events) -> Result<Self> {
        let toolchain = setup::ensure_kernel(plan.kernel.as_deref(), events)?;
        let kernel = toolchain.repo.join("kernel");
        let modules = modules::build(&toolchain, &kernel, plan.content.modules.as_ref(), events)?;
        Self::with_modules(toolchain, modules, &plan.content, events)
    }

    /// Like [`Self::prepare`], with modules that were built elsewhere, and the programs of `content`.
    pub(crate) fn with_modules(
        toolchain: Toolchain,
        modules: BuiltModules,
        content: &Content,
        events: &Events,
    ) -> Result<Self> {
        let programs = build_programs(&toolchain, content, events)?;
        let step = events.step("making the guest image");
        let image = make_image(&toolchain, &modules.modules, &programs).map_err(machinery)?;
        let boot_dir = toolchain.cache.base().join("boot").join(&toolchain.kernel.release);
        let kernel = unpack_kernel(&toolchain, &boot_dir)?;
        step.done_with(format!("{} MiB", image.size() >> 20));
        let mut stage = Self { toolchain, modules, image, accel: Accel::Tcg, boot_dir, kernel };
        stage.accel = stage.choose_accel(events);
        Ok(stage)
    }

    /// Returns the toolchain it was built with.
    pub(crate) fn toolchain(&self) -> &Toolchain {
        &self.toolchain
    }

    /// Returns the modules it boots with.
    pub(crate) fn modules(&self) -> &BuiltModules {
        &self.modules
    }

    /// Returns the image that boots.
    pub(crate) fn image(&self) -> &Image {
        &self.image
    }

    /// Returns how guest instructions are executed.
    pub(crate) fn accel(&self) -> Accel {
        self.accel
    }

    /// Boots, runs `story`, ends the machine and judges the log. A story that fails ends the machine; if the kernel
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
                let message = "the client left processes behind that held the driver; they were killed";
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

    /// Boots and runs a `story` that ends the machine or provokes a kernel report. Returns the log without a verdict.
    pub(crate) fn provoke(
        &self,
        boot: &Boot,
        events: &Events,
        story: impl FnOnce(&mut Scene<'_>) -> Result<(), vm_error::Error>,
    ) -> Result<Vec<Line>> {
        let (mut machine, guest, _pace) = self.boot(boot, events)?;
        let step = events.step("provoking a report of the kernel");
        let terminal = machine.terminal();
        let told = story(&mut Scene::new(&guest, &self.image, terminal));
        match told {
            // The machine has ended or is about to, and its log ends with it.
            Err(vm_error::Error::Ended { .. }) => {}
            Err(error) => return Err(verdict::failed(self, machine, error)),
            Ok(()) => guest.power_off().map_err(machinery)?,
        }
        let ended = machine.wait(patient(OFF_LIMIT)).map_err(machinery)?;
        step.done();
        Ok(ended.log)
    }

    /// Boots a machine whose agent answers and whose kernel has reported nothing. Until then, nothing of ours but the
    /// agent is in the machine, so no driver can be at fault, and a failed boot is repeated once: an emulated machine
    /// that its host starves sometimes stops without output, or its kernel finds timers late.
    fn boot(&self, boot: &Boot, events: &Events) -> Result<(Machine, Guest, Pace)> {
        let step = events.step(format!("booting {}", self.toolchain.kernel.release));
        // A machine that counts instructions runs on a single host thread.
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
                events.warn(format!("no driver was loaded yet, so the boot is retried once: {why}"));
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

    /// Returns a function that gives frames of a call trace their names, and their lines where they can be found.
    pub(crate) fn symbolizer(&self) -> impl Fn(&Frame) -> String {
        verdict::symbolizer(self)
    }

    /// Unloads all modules that were loaded and, where the kernel can report it, lists leaked memory.
    fn leave(&self, scene: &mut Scene<'_>, events: &Events) -> Result<Vec<String>, vm_error::Error> {
        if self.flavour() == Flavour::Stock {
            return scene.leave().map(|()| Vec::new());
        }
        let step = events.step("looking for leaked memory");
        let first = leaks::after_story(scene.guest())?;
        scene.leave()?;
        let second = leaks::after_leaving(scene.guest())?;
        step.done();
        Ok(leaks::together(first, second))
    }

    /// Returns whose build the kernel is.
    pub(crate) fn flavour(&self) -> Flavour {
        self.toolchain.kernel.flavour
    }

    /// Returns whether the kernel was built here with `option`, such as `CONFIG_KCOV=y`. No caller needs this for a
    /// distribution's kernel.
    pub(crate) fn is_built_with(&self, option: &str) -> bool {
        debug_kernel::of_release(&self.toolchain.kernel.release).is_some_and(|variant| variant.has(option))
    }

    /// Like [`Self::play`], for a caller that needs the machine's terminal.
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

    /// Returns the exact command that boots this image by hand with a shell on the console, and writes the image to a
    /// file for it.
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

    /// Returns the command that starts the emulated GPU and waits until QEMU can connect to it.
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

/// The result of starting a machine.
enum Attempt {
    Up(Machine, Guest),
    Failed(Machine, vm_error::Error),
}

/// Returns the guest if its kernel has reported nothing so far.
fn clean(machine: &Machine, guest: Guest) -> Result<Guest, vm_error::Error> {
    guest.settle_log()?;
    match machine.reports().first() {
        None => Ok(guest),
        Some(report) => Err(vm_error::Error::Unexpected { program: "the boot".into(), said: report.title.clone() }),
    }
}

/// Returns whether another attempt may succeed. It will not if QEMU ended by itself without a report of the guest's
/// kernel.
fn repeats(machine: &Machine, error: &vm_error::Error) -> bool {
    matches!(error, vm_error::Error::Hung { .. }) || !machine.reports().is_empty()
}

/// Describes in one line what went wrong in a boot.
fn reason(machine: &Machine, error: &vm_error::Error) -> String {
    if let Some(report) = machine.reports().first() {
        return format!("the kernel reported: {}", report.title);
    }
    let where_it_is = match error {
        vm_error::Error::Hung { place, .. } if !place.is_unknown() => format!(" ({})", place.lines().join(" | ")),
        _ => String::new(),
    };
    let error = error.to_string();
    format!("{}, and its kernel printed nothing{where_it_is}", error.lines().next().unwrap_or_default())
}

/// Makes the archives that only this boot has.
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

/// Builds the agent and the programs of `content`, as far as the checkout has them, and returns their paths in the
/// guest.
///
/// Each is built by itself: cargo builds shared dependencies with the features of everything that is built together, so
/// another selection would rebuild them.
fn build_programs(toolchain: &Toolchain, content: &Content, events: &Events) -> Result<Vec<(String, PathBuf)>> {
    let there = content.programs.iter().filter(|program| program.exists(&toolchain.repo));
    let mut built = vec![("/init".to_owned(), guestbin::build(toolchain, Program::AGENT.name, events)?)];
    for program in there {
        built.push((format!("/usr/bin/{}", program.name), guestbin::build(toolchain, program.name, events)?));
    }
    for (name, source) in &content.clients {
        built.push((format!("/usr/bin/{name}"), guestbin::build_client(toolchain, source, name, events)?));
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

/// Unpacks the kernel once and returns its path for QEMU. Returns the boot image itself if its kind is unknown. A
/// kernel that was built here needs no unpacking.
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

/// Converts an error of the machine at a stage where no kernel can be at fault yet.
pub(super) fn machinery(error: vm_error::Error) -> Error {
    let kind = match verdict::kind_of(&error) {
        kind @ (Kind::Kernel | Kind::Silent) if !matches!(error, vm_error::Error::Refused { .. }) => kind,
        _ => Kind::Machinery,
    };
    verdict::convert(kind, error)
}
