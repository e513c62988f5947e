// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A booted guest as a scenario sees it: the modules it has loaded, and what must be unloaded when it leaves.

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::sync::MutexGuard;
use std::thread;
use std::time::{Duration, Instant};

use drydock_agent::protocol::Failure;
use rustix::io::Errno;

use crate::error::Error as VmError;
use crate::guest::Guest;
use crate::image::Image;
use crate::monitor::{self, Monitor};
use crate::pace::patient;
use crate::{gpu, place};
use drydock_base::error::{Error, Kind, Result};
use drydock_toolchain::firmware::Supply;

use super::content::own_modules;

/// The limit on rounds of unloading, one per module. No kernel of ours has as many. It bounds a guest that lists a
/// module forever.
const ROUNDS: usize = 256;

/// How long a module may stay in use after the end of its scenario, on an idle host: longer than the ten seconds of
/// vgem's fences.
const TO_LET_GO: Duration = Duration::from_secs(15);

/// The time between two attempts.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The kernel's list of dma-bufs, and its last line if there are none (drivers/dma-buf/dma-buf.c).
const DMA_BUFS: &str = "/sys/kernel/debug/dma_buf/bufinfo";
const NO_DMA_BUFS: &str = "Total 0 objects, 0 bytes";

/// The guest of one boot.
pub struct Scene<'s> {
    guest: &'s Guest,
    image: &'s Image,
    terminal: Option<UnixStream>,
    gpu: Option<gpu::Handle>,
    firmware: Option<&'s Supply>,
    monitor: Option<monitor::Shared>,
    /// Modules that [`Self::insmod`] loaded, in order.
    loaded: Vec<String>,
    /// The processes that held a driver at the end of the scenario.
    holders: Vec<String>,
}

impl<'s> Scene<'s> {
    pub(super) fn new(guest: &'s Guest, image: &'s Image, terminal: UnixStream) -> Self {
        Self {
            guest,
            image,
            terminal: Some(terminal),
            gpu: None,
            firmware: None,
            monitor: None,
            loaded: Vec::new(),
            holders: Vec::new(),
        }
    }

    /// Adds the emulated GPU and the firmware that its driver loads.
    pub(super) fn with_gpu(self, gpu: Option<gpu::Handle>, firmware: Option<&'s Supply>) -> Self {
        Self { gpu, firmware, ..self }
    }

    /// Adds the requests to QEMU itself.
    pub(super) fn with_monitor(self, monitor: monitor::Shared) -> Self {
        Self { monitor: Some(monitor), ..self }
    }

    /// Returns the requests to QEMU itself.
    pub(super) fn monitor(&self) -> MutexGuard<'_, Monitor> {
        monitor::lock(self.monitor.as_ref().expect("a scenario that is debugged has a monitor"))
    }

    /// Returns the guest itself.
    pub fn guest(&self) -> &'s Guest {
        self.guest
    }

    /// Returns the emulated GPU, if the machine has one.
    pub fn gpu(&self) -> Option<&gpu::Handle> {
        self.gpu.as_ref()
    }

    /// Returns the firmware that the GPU's driver loads, if it loads one.
    pub fn firmware(&self) -> Option<&'s Supply> {
        self.firmware
    }

    /// Returns our end of the machine's terminal.
    pub fn terminal(&mut self) -> UnixStream {
        self.terminal.take().expect("a machine's terminal is taken once")
    }

    /// Loads a module and its dependencies. All of them must be unloaded again by the end.
    pub fn insmod(&mut self, module: &str) -> Result<(), VmError> {
        self.insmod_with(module, "")
    }

    /// Like [`Self::insmod`], with parameters for the module, as `insmod` takes them.
    pub fn insmod_with(&mut self, module: &str, parameters: &str) -> Result<(), VmError> {
        let loaded = self.guest.insmod(module, parameters)?;
        self.loaded.extend(loaded);
        Ok(())
    }

    /// Like [`Self::insmod`], but succeeds if the module is already loaded.
    pub fn require(&mut self, module: &str) -> Result<(), VmError> {
        match self.insmod(module) {
            Err(VmError::Refused { failure, .. }) if failure.errno == Errno::EXIST.raw_os_error() => Ok(()),
            other => other,
        }
    }

    /// Loads a module that stays until the machine ends, with its dependencies, unless it is loaded already.
    pub fn keep(&self, module: &str) -> Result<(), VmError> {
        match self.guest.insmod(module, "") {
            Err(VmError::Refused { failure, .. }) if failure.errno == Errno::EXIST.raw_os_error() => Ok(()),
            other => other.map(drop),
        }
    }

    /// Unloads one module.
    pub fn rmmod(&mut self, module: &str) -> Result<(), VmError> {
        self.guest.rmmod(module)?;
        self.loaded.retain(|loaded| loaded != module);
        Ok(())
    }

    /// Unloads every module that this scene has loaded, and every module of ours that a program in the guest has loaded,
    /// users first. Other modules stay, with what they need: those of [`Self::keep`], and the kernel's own that a program
    /// has loaded. A module that cannot be unloaded is leaked: something still refers to it.
    pub fn leave(&mut self) -> Result<(), VmError> {
        let (begun, mut rounds) = (Instant::now(), 0);
        while rounds < ROUNDS {
            let all = parse_modules(&self.guest.read("/proc/modules")?);
            let left = to_unload(&all, |module| self.loaded.contains(module) || self.image.ours.contains_key(module));
            let Some(next) = next_to_go(&left) else { return Ok(()) };
            match self.guest.rmmod(next) {
                Err(VmError::Refused { failure, .. }) if is_in_use(&failure) && self.end_holders()? => {}
                Err(VmError::Refused { failure, .. }) if is_in_use(&failure) && self.end_exported_console(next)? => {}
                // A module may stay in use for a while: by the timer of a client's fence, or because the kernel
                // releases what a process held only some time after its end. No event reports that, so poll.
                Err(VmError::Refused { failure, .. })
                    if is_in_use(&failure) && begun.elapsed() < patient(TO_LET_GO) =>
                {
                    thread::sleep(BETWEEN_LOOKS);
                }
                other => {
                    other.map_err(|error| leaked(next, error))?;
                    rounds += 1;
                }
            }
        }
        let said = format!("modules remain after {ROUNDS} were unloaded");
        Err(VmError::Unexpected { program: "/proc/modules".into(), said })
    }

    /// Returns the processes that held a driver when it was unloaded and that [`Self::leave`] has killed.
    pub fn holders(&self) -> &[String] {
        &self.holders
    }

    /// Kills the guest's processes, one of which may hold a driver. Returns `false` if there are none.
    fn end_holders(&mut self) -> Result<bool, VmError> {
        let left = self.guest.processes()?;
        if left.is_empty() {
            return Ok(false);
        }
        let holds = left.iter().filter(|task| !task.holds.is_empty()).count();
        let told = left.iter().filter(|task| holds == 0 || !task.holds.is_empty());
        self.holders.extend(told.map(place::name));
        self.guest.end_processes()?;
        Ok(true)
    }

    /// Unbinds the devices of `module` if a dma-buf exists that no process holds. It may be the console's buffer: once a
    /// client has exported it, C keeps it, and with it the driver, until the console ends (docs/reference/c-core-faults.md,
    /// "Displays"). Returns `false` if nothing was unbound.
    fn end_exported_console(&self, module: &str) -> Result<bool, VmError> {
        // A kernel without debugfs shows no list.
        let list = self.guest.read(DMA_BUFS).unwrap_or_else(|_| NO_DMA_BUFS.into());
        if list.trim_end().ends_with(NO_DMA_BUFS) {
            return Ok(false);
        }
        let drivers = format!("/sys/module/{module}/drivers");
        let mut unbound = false;
        // A module without drivers has no such directory.
        for driver in self.guest.list(&drivers).unwrap_or_default() {
            let driver = format!("{drivers}/{driver}");
            for device in self.guest.list(&driver)? {
                // The other entries are attributes and the module.
                if self.guest.list(&format!("{driver}/{device}/driver")).is_ok() {
                    self.guest.write(&format!("{driver}/unbind"), &device)?;
                    unbound = true;
                }
            }
        }
        Ok(unbound)
    }
}

/// Returns whether unloading failed because something refers to the module.
fn is_in_use(failure: &Failure) -> bool {
    [Errno::AGAIN, Errno::BUSY].iter().any(|errno| errno.raw_os_error() == failure.errno)
}

/// A line of `/proc/modules`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Present {
    name: String,
    /// The number of its users.
    count: u32,
    /// The modules among its users.
    users: Vec<String>,
}

/// Returns the modules that are ours and that no other module needs.
fn to_unload(all: &[Present], is_ours: impl Fn(&String) -> bool) -> Vec<&Present> {
    let mut stay: BTreeSet<&String> = all.iter().map(|module| &module.name).filter(|name| !is_ours(name)).collect();
    loop {
        let before = stay.len();
        let needed = all.iter().filter(|module| module.users.iter().any(|user| stay.contains(user)));
        let needed: Vec<_> = needed.map(|module| &module.name).collect();
        stay.extend(needed);
        if stay.len() == before {
            return all.iter().filter(|module| !stay.contains(&module.name)).collect();
        }
    }
}

/// Returns the module to unload first: the first without users, if there is one.
fn next_to_go<'p>(left: &[&'p Present]) -> Option<&'p str> {
    let next = left.iter().find(|module| module.count == 0).or(left.first());
    next.map(|module| module.name.as_str())
}

/// Parses `/proc/modules`: `NAME SIZE COUNT USER,… STATE ADDRESS`.
fn parse_modules(text: &str) -> Vec<Present> {
    let module = |line: &str| {
        let mut words = line.split(' ');
        let name = words.next()?.to_owned();
        // A kernel without module unloading prints `-`; such a module is never free.
        let count = words.nth(1)?.parse().unwrap_or(u32::MAX);
        let users = words.next().unwrap_or_default().split(',');
        // `-` means none, and `[permanent]` is no module.
        let users = users.filter(|user| !user.is_empty() && !user.starts_with(['-', '['])).map(str::to_owned).collect();
        Some(Present { name, count, users })
    };
    text.lines().filter_map(module).collect()
}

/// Parses any bytes as `/proc/modules`, for fuzzing.
/// Simulates unloading the modules one after the other.
pub fn parse_any(bytes: &[u8]) {
    let all = parse_modules(&String::from_utf8_lossy(bytes));
    let mut left = to_unload(&all, |name| name.len() % 2 == 0);
    while let Some(next) = next_to_go(&left) {
        let count = left.len();
        left.retain(|module| module.name != next);
        assert!(left.len() < count, "what goes was there");
    }
    assert!(left.is_empty(), "all go in the end");
}

/// Converts the kernel's refusal to unload at the end of a scenario.
fn leaked(module: &str, error: VmError) -> VmError {
    match error {
        VmError::Refused { failure, console } => {
            let message = format!("module `{module}` is leaked: it is still in use at the end ({})", failure.message);
            VmError::Leaked { failure: Failure { message, ..failure }, console }
        }
        other => other,
    }
}

/// Returns the modules of `driver` in loading order: ours, or the stock one for `c-DRIVER`.
pub fn driver_modules(driver: &str, image: &Image) -> Result<Vec<String>> {
    match own_modules(driver, |name| image.ours.contains_key(name)) {
        Some(modules) => Ok(modules),
        None => stock_module(driver, image).map(|module| vec![module]),
    }
}

/// Returns the module of `driver` if it is a single one.
pub fn driver_module(driver: &str, image: &Image) -> Result<String> {
    let mut modules = driver_modules(driver, image)?;
    Ok(modules.remove(0))
}

fn stock_module(driver: &str, image: &Image) -> Result<String> {
    let stock = driver.strip_prefix("c-").map(|name| name.replace('-', "_"));
    if let Some(stock) = stock.filter(|stock| image.modules.contains(stock)) {
        return Ok(stock);
    }
    let mut known: Vec<String> =
        image.ours.keys().filter(|name| *name != "drm_rust").map(|name| driver_name(name)).collect();
    known.push("c-vgem".into());
    Err(Error::new(Kind::Usage, format!("driver `{driver}` not found (known drivers: {})", known.join(", "))))
}

fn driver_name(module: &str) -> String {
    module.strip_suffix("_rust").unwrap_or(module).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use drydock_agent::frame;
    use drydock_agent::protocol::{Call, Event, Reply, Request, Task};

    use crate::console::Console;

    fn image(ours: &[&str]) -> Image {
        Image {
            base: Vec::new(),
            fresh: Vec::new(),
            ours: ours.iter().map(|name| ((*name).into(), "x".into())).collect::<BTreeMap<_, _>>(),
            modules: ours.iter().chain(&["vgem", "drm"]).map(|name| (*name).into()).collect(),
        }
    }

    #[test]
    fn a_driver_is_the_module_of_its_name() {
        let image = image(&["drm_rust", "vgem_rust", "my_gpu"]);
        assert_eq!(driver_module("vgem", &image).unwrap(), "vgem_rust");
        assert_eq!(driver_module("my-gpu", &image).unwrap(), "my_gpu");
        assert_eq!(driver_module("c-vgem", &image).unwrap(), "vgem");
    }

    #[test]
    fn a_driver_may_be_several_modules_in_order() {
        let image = image(&["drm_rust", "nova_drm", "nova_core", "vgem_rust"]);
        assert_eq!(driver_modules("nova", &image).unwrap(), ["nova_core", "nova_drm"]);
        assert_eq!(driver_modules("vgem", &image).unwrap(), ["vgem_rust"]);
    }

    #[test]
    fn users_of_a_module_are_counted() {
        let text = "vgem_rust 20480 1 - Live 0x0 (OE)\ndrm 2270128 3 vgem_rust,drm_rust, Live 0x0\n";
        let counts: Vec<_> = parse_modules(text).into_iter().map(|module| (module.name, module.count)).collect();
        assert_eq!(counts, [("vgem_rust".into(), 1), ("drm".into(), 3)]);
    }

    #[test]
    fn other_modules_stay_with_what_they_need() {
        let text = "virtio_gpu 1 0 - Live 0x0\nvgem_rust 1 0 - Live 0x0\ndrm_rust 1 1 vgem_rust, Live 0x0\n\
                    drm_shmem_helper 1 2 virtio_gpu,vgem_rust, Live 0x0\ndrm 1 1 drm_shmem_helper,drm_rust, Live 0x0\n\
                    ext4 1 1 - Live 0x0\nfirm 1 1 [permanent], Live 0x0\n";
        let all = parse_modules(text);
        let ours = ["vgem_rust", "drm_rust", "drm_shmem_helper", "drm"];
        let left = to_unload(&all, |name| ours.contains(&name.as_str()));
        let names: Vec<_> = left.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["vgem_rust", "drm_rust"]);
        assert_eq!(next_to_go(&left), Some("vgem_rust"));
    }

    /// An agent that reports the same modules as loaded whatever was unloaded.
    fn stubborn(mut port: UnixStream) {
        frame::write(&mut port, &Event::Ready { release: String::new() }).unwrap();
        while let Ok(Some(Request { call, what })) = frame::read(&mut port) {
            let reply = match what {
                Call::ReadFile { .. } => Reply::Bytes(b"vgem_rust 20480 0 - Live 0x0 (OE)\n".into()),
                _ => Reply::Done,
            };
            frame::write(&mut port, &Event::Answer { call, result: Ok(reply) }).unwrap();
        }
    }

    /// Returns a guest whose agent is `script`.
    fn guest(script: impl FnOnce(UnixStream) + Send + 'static) -> Guest {
        let (ours, theirs) = UnixStream::pair().unwrap();
        thread::spawn(move || script(theirs));
        let (console, _) = Console::read(std::io::empty(), None);
        Guest::connect(ours, console, Duration::from_secs(30)).unwrap()
    }

    #[test]
    fn a_module_that_is_listed_for_ever_does_not_keep_us() {
        let guest = guest(stubborn);
        let (terminal, _theirs) = UnixStream::pair().unwrap();
        let error = Scene::new(&guest, &image(&["vgem_rust"]), terminal).leave().unwrap_err();
        assert!(matches!(error, VmError::Unexpected { .. }), "{error}");
    }

    /// An agent whose module can be unloaded once a process that holds it was killed. Without a holder it never can.
    fn holding(mut port: UnixStream, is_held: bool) {
        frame::write(&mut port, &Event::Ready { release: String::new() }).unwrap();
        let (mut alive, mut loaded) = (is_held, true);
        // A refusal with any other error than "in use" is not waited for.
        let refusal = if is_held { Errno::AGAIN } else { Errno::PERM };
        while let Ok(Some(Request { call, what })) = frame::read(&mut port) {
            let holds = vec!["fd 3: /dev/dri/card0".to_owned()];
            let holder = Task { pid: 7, tid: 7, parent: 1, command: "sleep 9".into(), holds, ..Task::default() };
            let result = match what {
                Call::ReadFile { .. } if loaded => Ok(Reply::Bytes(b"vgem_rust 1 1 - Live 0x0 (OE)\n".into())),
                Call::ReadFile { .. } => Ok(Reply::Bytes(Vec::new())),
                Call::Rmmod { .. } if alive || !is_held => {
                    Err(Failure { errno: refusal.raw_os_error(), message: "in use".into() })
                }
                Call::Tasks => Ok(Reply::Tasks(if alive { vec![holder] } else { Vec::new() })),
                what => {
                    alive &= what != Call::EndProcesses;
                    loaded &= !matches!(what, Call::Rmmod { .. });
                    Ok(Reply::Done)
                }
            };
            frame::write(&mut port, &Event::Answer { call, result }).unwrap();
        }
    }

    /// An agent whose module is in use for the first two attempts to unload it, and then free.
    fn hesitant(mut port: UnixStream) {
        frame::write(&mut port, &Event::Ready { release: String::new() }).unwrap();
        let mut attempts = 0;
        while let Ok(Some(Request { call, what })) = frame::read(&mut port) {
            let in_use = || Failure { errno: Errno::AGAIN.raw_os_error(), message: "in use".into() };
            let result = match what {
                Call::ReadFile { .. } if attempts < 3 => {
                    Ok(Reply::Bytes(b"vgem_rust 20480 1 - Live 0x0 (OE)\n".into()))
                }
                Call::ReadFile { .. } => Ok(Reply::Bytes(Vec::new())),
                Call::Rmmod { .. } => {
                    attempts += 1;
                    if attempts < 3 { Err(in_use()) } else { Ok(Reply::Done) }
                }
                Call::Tasks => Ok(Reply::Tasks(Vec::new())),
                // The refusal settles the log with this request.
                _ => Err(in_use()),
            };
            frame::write(&mut port, &Event::Answer { call, result }).unwrap();
        }
    }

    /// An agent whose module can be unloaded once its device is unbound, since the console has exported its buffer.
    fn exported(mut port: UnixStream) {
        frame::write(&mut port, &Event::Ready { release: "7.3.4".into() }).unwrap();
        let (mut bound, mut loaded) = (true, true);
        let refused = |errno: Errno| Err(Failure { errno: errno.raw_os_error(), message: "refused".into() });
        let names = |names: &[&str]| Ok(Reply::Names(names.iter().map(|&name| name.to_owned()).collect()));
        while let Ok(Some(Request { call, what })) = frame::read(&mut port) {
            let result = match what {
                Call::ReadFile { path } if path == DMA_BUFS => Ok(Reply::Bytes(b"\nTotal 1 objects, 8 bytes\n".into())),
                Call::ReadFile { .. } if loaded => Ok(Reply::Bytes(b"vgem_rust 1 1 - Live 0x0 (OE)\n".into())),
                Call::ReadFile { .. } => Ok(Reply::Bytes(Vec::new())),
                Call::Rmmod { .. } if bound => refused(Errno::AGAIN),
                Call::Rmmod { .. } => {
                    loaded = false;
                    Ok(Reply::Done)
                }
                Call::Tasks => Ok(Reply::Tasks(Vec::new())),
                Call::ListDir { path } => match path.strip_prefix("/sys/module/vgem_rust/drivers") {
                    Some("") => names(&["platform:vgem"]),
                    Some("/platform:vgem") if bound => names(&["bind", "module", "uevent", "unbind", "vgem"]),
                    Some("/platform:vgem") => names(&["bind", "module", "uevent", "unbind"]),
                    Some("/platform:vgem/vgem/driver") => names(&["bind"]),
                    _ => refused(Errno::NOTDIR),
                },
                Call::WriteFile { path, bytes } if path.ends_with("/platform:vgem/unbind") => {
                    bound &= bytes != b"vgem";
                    Ok(Reply::Done)
                }
                // The refusal settles the log with this request.
                Call::WriteFile { .. } => refused(Errno::PERM),
                _ => Ok(Reply::Done),
            };
            frame::write(&mut port, &Event::Answer { call, result }).unwrap();
        }
    }

    #[test]
    fn a_display_whose_console_is_exported_is_unbound() {
        let guest = guest(exported);
        let (terminal, _theirs) = UnixStream::pair().unwrap();
        Scene::new(&guest, &image(&["vgem_rust"]), terminal).leave().unwrap();
    }

    #[test]
    fn a_process_that_holds_a_module_is_named_and_ended_and_one_that_nobody_holds_is_leaked() {
        for is_held in [true, false] {
            let guest = guest(move |port| holding(port, is_held));
            let (terminal, _theirs) = UnixStream::pair().unwrap();
            let image = image(&["vgem_rust"]);
            let mut scene = Scene::new(&guest, &image, terminal);
            match scene.leave() {
                Ok(()) => assert!(is_held),
                Err(error) => assert!(!is_held && matches!(error, VmError::Leaked { .. }), "{error}"),
            }
            let named: &[&str] = if is_held { &["`sleep 9`, process 7 (fd 3: /dev/dri/card0)"] } else { &[] };
            assert_eq!(scene.holders(), named);
        }
    }

    #[test]
    fn a_module_that_is_in_use_for_a_moment_is_not_leaked() {
        let guest = guest(hesitant);
        let (terminal, _theirs) = UnixStream::pair().unwrap();
        Scene::new(&guest, &image(&["vgem_rust"]), terminal).leave().unwrap();
    }

    #[test]
    fn an_unknown_driver_lists_the_known() {
        let error = driver_module("nova", &image(&["drm_rust", "vgem_rust"])).unwrap_err();
        assert_eq!(error.to_string(), "driver `nova` not found (known drivers: vgem, c-vgem)");
        assert_eq!(error.kind(), Kind::Usage);
    }
}
