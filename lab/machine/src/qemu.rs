// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! QEMU's command line, made by small pure functions from a typed description of the machine.
//!
//! Source: qemu-system-x86_64(1) of QEMU 11.1. The flags and their reasons were tested on Debian's stock kernel.

use drydock_agent::protocol;

/// The program's name inside the toolchain root.
pub(crate) const PROGRAM: &str = "qemu-system-x86_64";

/// The time in milliseconds for which QEMU waits for a reply of the emulated GPU. QEMU's default is five seconds, and then the
/// guest gets an error: a GPU that the host starves would look like broken hardware. The lab's own limits, which scale with the
/// host, find a GPU that does not answer.
const GPU_PATIENCE: u32 = 60 * 60 * 1000;

/// The way QEMU executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// The processor's virtualisation. Used only after a guest was seen to boot with it on this host.
    Kvm,
    /// QEMU's translator, one host thread per guest processor.
    Tcg,
    /// QEMU's translator with a clock that counts instructions: a time read in the guest is a number of instructions,
    /// one per nanosecond. One processor only.
    Counting,
}

/// The destination of a channel's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// A connected socket that QEMU inherits under this number.
    Fd(i32),
    /// No destination.
    Absent,
}

/// A directory of the host that the guest can mount by the 9P protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// The name by which the guest mounts it. It must be a plain word.
    pub(crate) tag: String,
    /// The directory, as a path inside the toolchain root.
    pub(crate) path: String,
    pub(crate) writable: bool,
}

/// A disk whose content the guest can only read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disk {
    /// The number by which the guest finds it. It must be a plain word.
    pub(crate) serial: String,
    /// The image, as a path inside the toolchain root.
    pub(crate) path: String,
}

/// A machine to boot.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// Kernel image, as a path inside the toolchain root.
    pub(crate) kernel: String,
    /// Initial file system, as a path inside the toolchain root.
    pub(crate) initrd: String,
    pub(crate) accel: Accel,
    /// The number of processors. Counting instructions always uses 1.
    pub(crate) cpus: u32,
    /// Memory in MiB.
    pub(crate) memory: u32,
    /// The channel of the agent's protocol.
    pub(crate) agent: Channel,
    /// Whether that channel is a serial line, which survives system sleep, instead of a virtio port, which is faster.
    pub(crate) serial: bool,
    /// The interactive shell's channel.
    pub(crate) shell: Channel,
    /// The channel of QEMU's monitor.
    pub(crate) monitor: Channel,
    /// The listening socket to which a debugger connects.
    pub(crate) debugger: Channel,
    /// Words appended to our own on the kernel's command line.
    pub(crate) words: Vec<String>,
    /// Further devices, each the value of one `-device`.
    pub(crate) devices: Vec<String>,
    /// The socket of an emulated GPU that speaks vfio-user, as a path inside the toolchain root.
    pub(crate) gpu: Option<String>,
    pub(crate) shares: Vec<Share>,
    pub(crate) disks: Vec<Disk>,
}

impl Spec {
    /// Returns the same machine for a person to start: nothing is inherited, and the initial file system and the GPU's
    /// socket are files at these paths inside the root.
    pub(crate) fn by_hand(self, initrd: String, gpu: Option<String>) -> Self {
        let absent = Channel::Absent;
        Self { initrd, gpu, agent: absent, shell: absent, monitor: absent, debugger: absent, ..self }
    }
}

/// Returns all arguments of QEMU for `spec`.
pub(crate) fn args(spec: &Spec) -> Vec<String> {
    let parts = [
        machine_args(spec),
        accel_args(spec),
        kernel_args(spec),
        console_args(),
        channel_args(spec),
        device_args(spec),
        share_args(&spec.shares),
        disk_args(&spec.disks),
    ];
    parts.concat()
}

/// Returns the command line as one line for a shell.
pub(crate) fn paste(program: &str, args: &[String]) -> String {
    let mut words = vec![quote(program)];
    words.extend(args.iter().map(|arg| quote(arg)));
    words.join(" ")
}

fn machine_args(spec: &Spec) -> Vec<String> {
    let memory = format!("{}M", spec.memory);
    let mut args = strings(&[
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        "-display",
        "none",
        "-machine",
        "q35,graphics=off,smbus=off,sata=off,usb=off",
        "-m",
        &memory,
    ]);
    if spec.gpu.is_some() {
        // Memory that another process must access has to be shared with it.
        args.extend(["-object".into(), format!("memory-backend-memfd,id=memory,size={memory},share=on")]);
        args.extend(strings(&["-machine", "memory-backend=memory"]));
    }
    args
}

fn accel_args(spec: &Spec) -> Vec<String> {
    let cpus = spec.cpus.to_string();
    match spec.accel {
        Accel::Kvm => strings(&["-accel", "kvm", "-cpu", "host", "-smp", &cpus]),
        Accel::Tcg => strings(&["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", &cpus]),
        Accel::Counting => {
            // A guest that waits for an emulated GPU waits by the host's clock. With `sleep=off`, its own clock would
            // jump to the driver's next timeout whenever it is idle.
            let count = if spec.gpu.is_some() { "shift=0,sleep=on" } else { "shift=0,sleep=off" };
            strings(&["-accel", "tcg,thread=single", "-icount", count, "-cpu", "max", "-smp", "1"])
        }
    }
}

/// Returns the kernel's command line.
///
/// An oops, or a processor that spins for 20 s, is a panic: nothing that a guest prints afterwards is useful.
/// `panic=-1` restarts at once on a panic, which `-no-reboot` turns into QEMU's end. While booting, log lines below
/// level 5 reach the console; the agent enables the rest when it starts. The lab sends an NMI to a guest that does not
/// answer. The NMI has an unknown reason, so the guest panics and the panic shows what the processor did. The check of
/// the timer's interrupt is off: it counts a loop against the clock, and fails in an emulator that the host starves.
fn kernel_args(spec: &Spec) -> Vec<String> {
    let mut words = strings(&[
        "console=ttyS0",
        "panic=-1",
        "oops=panic",
        "softlockup_panic=1",
        "unknown_nmi_panic",
        "loglevel=5",
        "no_timer_check",
    ]);
    words.extend(spec.serial.then(|| protocol::SERIAL_WORD.to_owned()));
    words.extend(spec.words.iter().cloned());
    strings(&["-kernel", &spec.kernel, "-initrd", &spec.initrd, "-append", &words.join(" ")])
}

/// Returns the console's arguments. The kernel's console is QEMU's standard output, and the lab handles Ctrl-C.
fn console_args() -> Vec<String> {
    strings(&["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"])
}

fn channel_args(spec: &Spec) -> Vec<String> {
    let mut args = strings(&["-device", "virtio-serial-pci"]);
    if let Channel::Fd(fd) = spec.shell {
        args.extend(strings(&["-chardev", &format!("socket,id=shell,fd={fd}")]));
        args.extend(strings(&["-device", "virtconsole,chardev=shell"]));
    }
    if let Channel::Fd(fd) = spec.agent {
        args.extend(strings(&["-chardev", &format!("socket,id=agent,fd={fd}")]));
        let port = format!("virtserialport,chardev=agent,name={}", protocol::AGENT_PORT);
        args.extend(strings(&if spec.serial { ["-serial", "chardev:agent"] } else { ["-device", &port] }));
    }
    if let Channel::Fd(fd) = spec.monitor {
        args.extend(strings(&["-chardev", &format!("socket,id=monitor,fd={fd}")]));
        args.extend(strings(&["-mon", "chardev=monitor,mode=control"]));
    }
    if let Channel::Fd(fd) = spec.debugger {
        args.extend(strings(&["-chardev", &format!("socket,id=debugger,fd={fd},server=on,wait=off")]));
        args.extend(strings(&["-gdb", "chardev:debugger"]));
    }
    args
}

fn device_args(spec: &Spec) -> Vec<String> {
    spec.devices
        .iter()
        .enumerate()
        .map(named)
        .chain(spec.gpu.iter().map(gpu_device))
        .flat_map(|value| ["-device".into(), value])
        .collect()
}

/// Gives a device a name, by which QEMU's monitor finds it, unless it has one.
fn named((number, value): (usize, &String)) -> String {
    if value.contains(",id=") { value.clone() } else { format!("{value},id=device{number}") }
}

/// Returns the GPU's device as JSON, because a socket's address has parts.
fn gpu_device(socket: &String) -> String {
    let socket = serde_json::json!({ "type": "unix", "path": socket });
    serde_json::json!({ "driver": "vfio-user-pci", "socket": socket, "x-msg-timeout": GPU_PATIENCE }).to_string()
}

/// Returns the shares. The guest's owners of new files are ignored: QEMU may not be able to change owners. Files of several file
/// systems get numbers that differ.
fn share_args(shares: &[Share]) -> Vec<String> {
    let args = |share: &Share| {
        let (tag, readonly) = (&share.tag, if share.writable { "" } else { ",readonly=on" });
        let backend = format!("local,id={tag},path={},security_model=none,multidevs=remap{readonly}", share.path);
        ["-fsdev".into(), backend, "-device".into(), format!("virtio-9p-pci,fsdev={tag},mount_tag={tag}")]
    };
    shares.iter().flat_map(args).collect()
}

fn disk_args(disks: &[Disk]) -> Vec<String> {
    let args = |Disk { serial, path }: &Disk| {
        let backend = format!("if=none,id={serial},file={path},format=raw,readonly=on");
        ["-drive".into(), backend, "-device".into(), format!("virtio-blk-pci,drive={serial},serial={serial}")]
    };
    disks.iter().flat_map(args).collect()
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=,./:+%@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(accel: Accel) -> Spec {
        Spec {
            kernel: "/vmlinuz".into(),
            initrd: "/initrd".into(),
            accel,
            cpus: 2,
            memory: 1024,
            agent: Channel::Fd(3),
            serial: false,
            shell: Channel::Absent,
            monitor: Channel::Absent,
            debugger: Channel::Absent,
            words: vec!["drydock.shell".into()],
            devices: Vec::new(),
            gpu: None,
            shares: Vec::new(),
            disks: Vec::new(),
        }
    }

    /// Returns the value after `flag`.
    fn value<'a>(args: &'a [String], flag: &str) -> &'a str {
        let at = args.iter().position(|arg| arg == flag).unwrap();
        &args[at + 1]
    }

    #[test]
    fn a_gpu_shares_the_memory_and_has_a_socket() {
        let mut spec = spec(Accel::Tcg);
        assert!(!args(&spec).iter().any(|arg| arg.contains("memory-backend")));
        spec.gpu = Some("/gpu".into());
        let args = args(&spec);
        assert_eq!(value(&args, "-object"), "memory-backend-memfd,id=memory,size=1024M,share=on");
        assert_eq!(
            args.last().unwrap(),
            r#"{"driver":"vfio-user-pci","socket":{"path":"/gpu","type":"unix"},"x-msg-timeout":3600000}"#
        );
    }

    #[test]
    fn shares_and_disks_can_only_be_read_unless_a_share_is_writable() {
        let share = |tag: &str, writable| Share { tag: tag.into(), path: format!("/shares/{tag}"), writable };
        let disk = Disk { serial: "root".into(), path: "/disk/root.erofs".into() };
        let spec = Spec { shares: vec![share("a", false), share("b", true)], disks: vec![disk], ..spec(Accel::Tcg) };
        insta::assert_snapshot!(paste("", &args(&spec)).split_once(" -fsdev ").unwrap().1.replace(" -", "\n-"), @r"
        local,id=a,path=/shares/a,security_model=none,multidevs=remap,readonly=on
        -device virtio-9p-pci,fsdev=a,mount_tag=a
        -fsdev local,id=b,path=/shares/b,security_model=none,multidevs=remap
        -device virtio-9p-pci,fsdev=b,mount_tag=b
        -drive if=none,id=root,file=/disk/root.erofs,format=raw,readonly=on
        -device virtio-blk-pci,drive=root,serial=root
        ");
    }

    #[test]
    fn every_device_has_a_name() {
        let devices = vec!["edu".into(), "bochs-display,id=mine".into(), "edu".into()];
        let args = args(&Spec { devices, ..spec(Accel::Tcg) });
        assert_eq!(
            args[args.len() - 6..],
            ["-device", "edu,id=device0", "-device", "bochs-display,id=mine", "-device", "edu,id=device2"]
        );
    }

    #[test]
    fn counting_instructions_uses_one_processor_whatever_was_asked() {
        let args = args(&spec(Accel::Counting));
        assert_eq!(value(&args, "-smp"), "1");
        assert_eq!(value(&args, "-icount"), "shift=0,sleep=off");
        assert_eq!(value(&args, "-accel"), "tcg,thread=single");
    }

    #[test]
    fn a_counting_guest_with_a_gpu_waits_for_it() {
        let args = args(&Spec { gpu: Some("/gpu".into()), ..spec(Accel::Counting) });
        assert_eq!(value(&args, "-icount"), "shift=0,sleep=on");
    }

    #[test]
    fn the_kernel_gets_our_words_and_then_the_callers() {
        let args = args(&spec(Accel::Tcg));
        assert_eq!(
            value(&args, "-append"),
            "console=ttyS0 panic=-1 oops=panic softlockup_panic=1 unknown_nmi_panic loglevel=5 no_timer_check drydock.shell"
        );
    }

    #[test]
    fn a_shell_brings_a_console_device_and_its_absence_brings_none() {
        let mut spec = spec(Accel::Tcg);
        assert!(!args(&spec).iter().any(|arg| arg.starts_with("virtconsole")));
        spec.shell = Channel::Fd(4);
        assert!(args(&spec).iter().any(|arg| arg == "virtconsole,chardev=shell"));
    }

    #[test]
    fn a_monitor_speaks_to_the_lab_only() {
        let spec = Spec { monitor: Channel::Fd(7), ..spec(Accel::Tcg) };
        let args = args(&spec);
        assert!(args.iter().any(|arg| arg == "socket,id=monitor,fd=7"));
        assert_eq!(value(&args, "-mon"), "chardev=monitor,mode=control");
    }

    #[test]
    fn debugger_connects_when_it_likes() {
        let args = args(&Spec { debugger: Channel::Fd(8), ..spec(Accel::Tcg) });
        assert!(args.iter().any(|arg| arg == "socket,id=debugger,fd=8,server=on,wait=off"));
        assert_eq!(value(&args, "-gdb"), "chardev:debugger");
    }

    #[test]
    fn machine_for_a_person_inherits_nothing() {
        let fds = |spec: &Spec| args(spec).iter().filter(|arg| arg.contains("fd=")).count();
        let spec =
            Spec { shell: Channel::Fd(4), monitor: Channel::Fd(7), debugger: Channel::Fd(8), ..spec(Accel::Tcg) };
        assert_eq!(fds(&spec), 4);
        assert_eq!(fds(&spec.by_hand("/initrd".into(), None)), 0);
    }

    #[test]
    fn the_agents_serial_line_is_the_second_and_the_agent_is_told() {
        let args = args(&Spec { serial: true, ..spec(Accel::Tcg) });
        let lines: Vec<_> = args.iter().filter(|arg| arg.starts_with("chardev:")).collect();
        assert_eq!(lines, ["chardev:console", "chardev:agent"]);
        assert!(value(&args, "-append").contains(" drydock.serial "));
        assert!(!args.iter().any(|arg| arg.starts_with("virtserialport")));
    }

    #[test]
    fn a_pasted_line_quotes_what_a_shell_would_split() {
        let line = paste("qemu", &["-append".into(), "a b".into(), "it's".into()]);
        assert_eq!(line, r"qemu -append 'a b' 'it'\''s'");
    }
}
