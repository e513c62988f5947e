// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Everything that a boot needs, prepared once: toolchain, modules, guest programs, image, accelerator.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::console::{Line, Listener};
use crate::error::Error as VmError;
use crate::guest::Guest;
use crate::image::Image;
use crate::machine::Machine;
use crate::pace::{Pace, patient};
use crate::qemu::Accel;
use crate::symbols::Frame;
use drydock_base::error::Result;
use drydock_base::events::{Event, Events};
use drydock_toolchain::debug_kernel;
use drydock_toolchain::kernels::Flavour;
use drydock_toolchain::modules::{self, BuiltModules};
use drydock_toolchain::setup::{self, Toolchain};

use super::boot::Boot;
use super::content::{self, Content};
use super::launch::{BootKernel, Launcher};
use super::leaks;
use super::names::Names;
use super::scene::Scene;
use super::verdict::{self, Ending, machinery};

/// The time limit for a guest's agent to become ready where every instruction is translated. A boot takes a few seconds
/// on an idle host. How slow this host is becomes known only when a machine has booted, so the limit is a hundred times
/// as long, however many machines share the host: a boot that hangs is found and repeated then.
const BOOT_LIMIT: Duration = Duration::from_secs(300);

/// The time limit for ending a machine on an idle host.
const OFF_LIMIT: Duration = Duration::from_secs(30);

/// A command's requirements on its guest.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kernel, by its release or series; `None` means the one in use.
    pub kernel: Option<String>,
    /// The content to build for it.
    pub content: Content,
}

/// A checkout that is built and ready to boot.
pub struct Stage {
    launcher: Launcher,
    modules: BuiltModules,
    accel: Accel,
}

impl Stage {
    /// Prepares whatever is missing and builds whatever has changed.
    pub fn prepare(plan: &Plan, events: &Events) -> Result<Self> {
        let toolchain = setup::ensure_kernel(plan.kernel.as_deref(), events)?;
        let kernel = toolchain.repo.join("kernel");
        Self::build(toolchain, &kernel, &plan.content, events)
    }

    /// Like [`Self::prepare`], for a toolchain that is prepared, with the modules in the directory `kernel`.
    pub fn build(toolchain: Toolchain, kernel: &Path, content: &Content, events: &Events) -> Result<Self> {
        // Neither needs the other, and each leaves a processor idle for some of its time.
        let (modules, programs) = thread::scope(|scope| {
            let programs = scope.spawn(|| content::build(&toolchain, content, events));
            let modules = modules::build(&toolchain, kernel, content.modules.as_ref(), events);
            (modules, programs.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let (modules, programs) = (modules?, programs?);
        let mut files: Vec<_> = modules.modules.iter().chain(&content.module_files).cloned().collect();
        let mut stock_modules = content.stock_modules.clone();
        for driver in &content.source_drivers {
            match modules::build_of_source(&toolchain, driver, events)? {
                Some(file) => files.push(file),
                None => drop(stock_modules.insert(driver.module)),
            }
        }
        let step = events.step("making the guest image");
        let image = Image::make(&toolchain, &files, &stock_modules, &programs)?;
        let kernel = BootKernel::make(&toolchain)?;
        step.done_with(format!("{} MiB", image.size() >> 20));
        let launcher = Launcher { toolchain, image, kernel };
        let accel = launcher.choose_accel(events);
        Ok(Self { launcher, modules, accel })
    }

    /// Returns the toolchain it was built with.
    pub fn toolchain(&self) -> &Toolchain {
        &self.launcher.toolchain
    }

    /// Returns the modules it boots with.
    pub fn modules(&self) -> &BuiltModules {
        &self.modules
    }

    /// Returns the image that boots.
    pub fn image(&self) -> &Image {
        &self.launcher.image
    }

    /// Returns a stock kernel as an ELF file, or nothing if its boot image could not be unpacked.
    pub(super) fn kernel_image(&self) -> Result<Vec<u8>> {
        self.launcher.kernel.elf()
    }

    /// Returns how guest instructions are executed.
    pub fn accel(&self) -> Accel {
        self.accel
    }

    /// Boots, runs `story`, ends the machine and judges the log. A story that fails ends the machine; if the kernel
    /// reported something, that is the error.
    pub fn play<T>(
        &self,
        boot: &Boot,
        events: &Events,
        story: impl FnOnce(&mut Scene<'_>) -> Result<T, VmError>,
    ) -> Result<(T, Ending)> {
        let (mut machine, guest, _pace) = self.boot(boot, events)?;
        if let Err(error) = boot.mount(&guest) {
            return Err(verdict::failed(&self.names(), machine, error));
        }
        let (terminal, gpu) = (machine.terminal(), machine.gpu());
        let firmware = boot.gpu.as_ref().and_then(|gpu| gpu.firmware.as_ref());
        let mut scene =
            Scene::new(&guest, self.image(), terminal).with_gpu(gpu, firmware).with_monitor(machine.monitor());
        let told = story(&mut scene).and_then(|told| Ok((told, self.leave(&mut scene, events)?)));
        let told = told.and_then(|told| match scene.holders() {
            [] => Ok(told),
            holders if boot.may_leave_holders => {
                let message = "the client left processes behind that held the driver; they were killed";
                events.warn(format!("{message}: {}", holders.join(", ")));
                Ok(told)
            }
            holders => Err(VmError::LeftBehind { holders: holders.to_vec() }),
        });
        match told {
            Ok((told, leaks)) => {
                guest.power_off().map_err(machinery)?;
                let ended = machine.wait(patient(OFF_LIMIT)).map_err(machinery)?;
                let ending = verdict::judge(&self.names(), ended, &leaks)?;
                ending.unused_faults().for_each(|fault| events.warn(fault));
                Ok((told, ending))
            }
            Err(error) => Err(verdict::failed(&self.names(), machine, error)),
        }
    }

    /// Boots and runs a `story` that ends the machine or provokes a kernel report. Returns the log without a verdict.
    pub fn provoke(
        &self,
        boot: &Boot,
        events: &Events,
        story: impl FnOnce(&mut Scene<'_>) -> Result<(), VmError>,
    ) -> Result<Vec<Line>> {
        let (mut machine, guest, _pace) = self.boot(boot, events)?;
        let step = events.step("provoking a report of the kernel");
        let terminal = machine.terminal();
        let told = story(&mut Scene::new(&guest, self.image(), terminal));
        match told {
            // The machine has ended or is about to, and its log ends with it.
            Err(VmError::Ended { .. }) => {}
            Err(error) => return Err(verdict::failed(&self.names(), machine, error)),
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
        let release = &self.toolchain().kernel.release;
        let step = events.step(format!("booting {release}"));
        // A machine that counts instructions runs on a single host thread.
        let usual = self.flavour().patience() * if boot.counting { 3 } else { 1 };
        let pace = Pace::expect(usual);
        let archives = boot.archives()?;
        let whole = Instant::now();
        let attempt = || -> Result<Attempt> {
            let listener = boot.show_log.then(|| log_listener(events));
            let machine = self.launcher.start(boot, boot.accel(self.accel), &archives, listener);
            let mut machine = machine.map_err(machinery)?;
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
                let seconds = whole.elapsed().as_secs_f64();
                step.done();
                events.report(&Event::Booted { kernel: release.clone(), seconds });
                Ok((machine, guest, pace))
            }
            Attempt::Failed(machine, error) => Err(verdict::not_booted(&self.names(), machine, error)),
        }
    }

    /// Returns a function that gives frames of a call trace their names, and their lines where they can be found.
    pub fn symbolizer(&self) -> impl Fn(&Frame) -> String {
        |frame| self.names().describe(frame)
    }

    fn names(&self) -> Names<'_> {
        Names { toolchain: self.toolchain(), ours: &self.image().ours }
    }

    /// Returns the exact command that boots this image by hand with a shell on the console, and writes the image to a
    /// file for it.
    pub fn line_to_paste(&self, boot: &Boot) -> Result<String> {
        self.launcher.line_to_paste(boot, boot.accel(self.accel))
    }

    /// Unloads all modules that were loaded and, where the kernel can report it, lists leaked memory.
    fn leave(&self, scene: &mut Scene<'_>, events: &Events) -> Result<Vec<String>, VmError> {
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
    fn flavour(&self) -> Flavour {
        self.toolchain().kernel.flavour
    }

    /// Returns whether the kernel was built here with `option`, such as `CONFIG_KCOV=y`. No caller needs this for a
    /// distribution's kernel.
    pub fn is_built_with(&self, option: &str) -> bool {
        debug_kernel::of_release(&self.toolchain().kernel.release).is_some_and(|variant| variant.has(option))
    }
}

/// The result of starting a machine.
enum Attempt {
    Up(Machine, Guest),
    Failed(Machine, VmError),
}

/// Returns the guest if its kernel has reported nothing so far.
fn clean(machine: &Machine, guest: Guest) -> Result<Guest, VmError> {
    guest.settle_log()?;
    match machine.reports().first() {
        None => Ok(guest),
        Some(report) => Err(VmError::Unexpected { program: "the boot".into(), said: report.title.clone() }),
    }
}

/// Returns whether another attempt may succeed. It will not if QEMU ended by itself without a report of the guest's
/// kernel.
fn repeats(machine: &Machine, error: &VmError) -> bool {
    matches!(error, VmError::Hung { .. }) || !machine.reports().is_empty()
}

/// Describes in one line what went wrong in a boot.
fn reason(machine: &Machine, error: &VmError) -> String {
    if let Some(report) = machine.reports().first() {
        return format!("the kernel reported: {}", report.title);
    }
    let where_it_is = match error {
        VmError::Hung { place, .. } if !place.is_unknown() => format!(" ({})", place.lines().join(" | ")),
        _ => String::new(),
    };
    let error = error.to_string();
    format!("{}, and its kernel printed nothing{where_it_is}", error.lines().next().unwrap_or_default())
}

fn log_listener(events: &Events) -> Listener {
    let events = events.clone();
    Box::new(move |line| events.line(&line.to_string()))
}
