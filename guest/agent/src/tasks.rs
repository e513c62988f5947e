// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The tasks that run in the guest: their places in the kernel, the devices they hold, and their end.
//!
//! Source: proc(5), `stack`, `stat`, `cmdline`, `fd` and `maps`.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use drydock_agent::protocol::{CLIENT_ROOT, Call, Failure, Reply, Task};
use rustix::process::{Pid, Signal, kill_process};

/// The first character of the name of a thread that executes a request.
const REQUEST: char = '@';

/// The kernel keeps this many bytes of a thread's name.
const LONGEST_NAME: usize = 15;

/// The process number of the agent.
const INIT: u32 = 1;

/// The parent of the kernel's own threads.
const KTHREADD: u32 = 2;

/// The number and the distance of the looks at a running task, which has no visible stack until it is preempted.
const LOOKS: u32 = 200;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Time limit until killed processes are gone.
const END_LIMIT: Duration = Duration::from_secs(20);

/// The most functions of a stack that are listed.
const DEEPEST: usize = 24;

/// Prefixes of the files through which a process holds a driver: nodes, and what was exported from them.
const DEVICES: &[&str] =
    &["/dev/dri/", "/dev/accel/", "/dmabuf:", "anon_inode:sync_file", "anon_inode:syncobj", "anon_inode:dma"];

/// Directories whose files hold the module that serves them.
const SERVED: &[&str] = &["/sys/kernel/debug/"];

/// Returns the name of the thread that executes `what`, without spaces, since the kernel prints it among words.
pub(crate) fn name_of(what: &Call) -> String {
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let name = match what {
        Call::Insmod { name, .. } => format!("insmod:{name}"),
        Call::Rmmod { name } => format!("rmmod:{name}"),
        Call::ReadFile { path } => format!("read:{}", last(path)),
        Call::WriteFile { path, .. } => format!("write:{}", last(path)),
        Call::ListDir { path } => format!("list:{}", last(path)),
        Call::MakeRoot { .. } => "root".to_owned(),
        Call::Share { at, .. } => format!("share:{}", last(at)),
        // These threads look at the others.
        _ => return String::from("tasks"),
    };
    let clean: String = name.chars().filter(|c| *c != '\0').collect();
    let mut text = format!("{REQUEST}{clean}");
    while text.len() > LONGEST_NAME {
        text.pop();
    }
    text
}

/// Lists the threads of all processes, the agent's threads that execute requests, and busy kernel threads.
pub(crate) fn list() -> Vec<Task> {
    let mut tasks: Vec<Task> = numbers("/proc").into_iter().flat_map(tasks_of).collect();
    look_for_stacks(&mut tasks);
    // A running kernel thread was caught by chance, unless it stays in a function.
    tasks.retain(|task| !(task.holds.is_empty() && task.stack.is_empty() && is_of_kernel(task.pid)));
    tasks
}

/// Kills every process but the agent, and waits until they are gone.
pub(crate) fn end_all() -> Result<Reply, Failure> {
    let start = Instant::now();
    loop {
        let left: Vec<u32> = numbers("/proc").into_iter().filter(|pid| *pid != INIT && !is_of_kernel(*pid)).collect();
        let left: Vec<u32> = left.into_iter().filter(|pid| stat(Path::new("/proc"), *pid).is_some()).collect();
        if left.is_empty() {
            return Ok(Reply::Done);
        }
        if start.elapsed() > END_LIMIT {
            let numbers: Vec<String> = left.iter().map(u32::to_string).collect();
            let message = format!("killed, but not gone after {} s: {}", END_LIMIT.as_secs(), numbers.join(", "));
            return Err(Failure { errno: 0, message });
        }
        for pid in left.iter().filter_map(|pid| Pid::from_raw(*pid as i32)) {
            // A process that has exited meanwhile is fine.
            let _ = kill_process(pid, Signal::KILL);
        }
        // There is no event for the end of a process that is not our child.
        thread::sleep(BETWEEN_LOOKS);
    }
}

/// Returns the threads of process `pid` that are of interest.
fn tasks_of(pid: u32) -> Vec<Task> {
    let process = format!("/proc/{pid}");
    let Some(Stat { parent, state, name }) = stat(Path::new("/proc"), pid) else { return Vec::new() };
    let is_kernels = pid == KTHREADD || parent == KTHREADD;
    if is_kernels {
        let busy = state == "D" || state == "R";
        return busy
            .then(|| Task { pid, tid: pid, parent, command: name, state, ..Task::default() })
            .into_iter()
            .collect();
    }
    let command = if pid == INIT { None } else { command_line(&process) };
    let holds = if pid == INIT { Vec::new() } else { holds(&process) };
    let directory = format!("{process}/task");
    let mut tasks = Vec::new();
    for tid in numbers(&directory) {
        let Some(Stat { name, state, .. }) = stat(Path::new(&directory), tid) else { continue };
        let command = match (pid, name.strip_prefix(REQUEST)) {
            (INIT, None) => continue,
            (INIT, Some(request)) => request.replacen(':', " ", 1),
            _ => command.clone().unwrap_or(name),
        };
        let holds = if tid == pid { holds.clone() } else { Vec::new() };
        tasks.push(Task { pid, tid, parent, command, state, stack: Vec::new(), holds });
    }
    tasks
}

/// Looks at each task until its stack is visible; at a running one often enough to find it preempted.
fn look_for_stacks(tasks: &mut [Task]) {
    let mut without: HashSet<usize> = (0..tasks.len()).collect();
    for look in 0..LOOKS {
        without.retain(|at| {
            let task = &mut tasks[*at];
            task.stack = stack(task.pid, task.tid);
            // A task that waits and has no stack is not in the kernel; one that has exited has none.
            task.stack.is_empty() && task.state == "R"
        });
        if without.is_empty() {
            return;
        }
        if look + 1 < LOOKS {
            thread::sleep(BETWEEN_LOOKS);
        }
    }
}

fn stack(pid: u32, tid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/stack")).unwrap_or_default();
    let calls = text.lines().filter_map(|line| line.split_once("] ")).map(|(_, call)| call.trim());
    // The entry into the kernel is the same for all.
    calls.filter(|call| call.contains("+0x")).take(DEEPEST).map(str::to_owned).collect()
}

fn is_of_kernel(pid: u32) -> bool {
    pid == KTHREADD || stat(Path::new("/proc"), pid).is_some_and(|stat| stat.parent == KTHREADD)
}

fn command_line(process: &str) -> Option<String> {
    let bytes = fs::read(format!("{process}/cmdline")).ok()?;
    let words = String::from_utf8_lossy(&bytes).trim_end_matches('\0').replace('\0', " ");
    (!words.is_empty()).then_some(words)
}

/// Returns the device files that a process has open or mapped.
fn holds(process: &str) -> Vec<String> {
    let mut held = Vec::new();
    for fd in numbers(&format!("{process}/fd")) {
        let Ok(target) = fs::read_link(format!("{process}/fd/{fd}")) else { continue };
        let target = target.to_string_lossy();
        let target = as_client_sees(&target);
        if is_held(target) {
            held.push(format!("fd {fd}: {target}"));
        }
    }
    let maps = fs::read_to_string(format!("{process}/maps")).unwrap_or_default();
    for path in maps.lines().filter_map(mapped_file).map(as_client_sees).filter(|path| is_held(path)) {
        let line = format!("mapped: {path}");
        if !held.contains(&line) {
            held.push(line);
        }
    }
    held
}

/// Returns the path that a client in another root has for a file. To this process it is in the client's root.
fn as_client_sees(path: &str) -> &str {
    path.strip_prefix(CLIENT_ROOT).filter(|rest| rest.starts_with('/')).unwrap_or(path)
}

fn is_held(path: &str) -> bool {
    DEVICES.iter().chain(SERVED).any(|prefix| path.starts_with(prefix))
}

/// Returns the file of a line of `maps`: `ADDRESSES RIGHTS OFFSET DEVICE INODE   PATH`.
fn mapped_file(line: &str) -> Option<&str> {
    let mut rest = line;
    for _ in 0..5 {
        rest = rest.trim_start().split_once(' ')?.1;
    }
    Some(rest.trim_start()).filter(|path| !path.is_empty())
}

/// Returns the names in `directory` that are numbers.
fn numbers(directory: &str) -> Vec<u32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The fields of a task's `stat`.
struct Stat {
    name: String,
    state: String,
    parent: u32,
}

/// Returns the state of a task that has not exited; a task that only waits to be collected has.
fn stat(directory: &Path, number: u32) -> Option<Stat> {
    let text = fs::read_to_string(directory.join(number.to_string()).join("stat")).ok()?;
    parse_stat(&text).filter(|stat| stat.state != "Z" && stat.state != "X")
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name is in brackets, and may itself contain spaces and brackets.
    let (before, after) = text.rsplit_once(')')?;
    let mut words = after.split_whitespace();
    let name = before.split_once('(')?.1.to_owned();
    Some(Stat { name, state: words.next()?.to_owned(), parent: words.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_thread_within_what_the_kernel_keeps() {
        let insmod = Call::Insmod { name: "drm_shmem_helper".into(), params: String::new() };
        assert_eq!(name_of(&insmod), "@insmod:drm_shm");
        let bind = Call::WriteFile { path: "/sys/bus/pci/drivers/tyr/bind".into(), bytes: Vec::new() };
        assert_eq!(name_of(&bind), "@write:bind");
        let wide = Call::Rmmod { name: "äöüäöüäöü".into() };
        assert!(name_of(&wide).len() <= LONGEST_NAME, "a name is cut between characters");
    }

    #[test]
    fn a_name_with_brackets_does_not_hide_the_state() {
        let stat = parse_stat("12 (a) R (b)) S 7 12 12 0").unwrap();
        assert_eq!((stat.name.as_str(), stat.state.as_str(), stat.parent), ("a) R (b)", "S", 7));
    }

    #[test]
    fn a_mapped_file_is_the_sixth_word_with_its_spaces() {
        let line = "7f0000-7f1000 rw-s 100000 00:05 12    /dev/dri/render D128";
        assert_eq!(mapped_file(line), Some("/dev/dri/render D128"));
        assert_eq!(mapped_file("7f0000-7f1000 rw-p 00000000 00:00 0 "), None);
    }

    #[test]
    fn an_open_file_of_a_device_is_held_and_a_plain_one_is_not() {
        assert!(is_held("/dev/dri/renderD128") && is_held("/dmabuf:") && is_held("anon_inode:sync_file"));
        assert!(!is_held("/dev/null") && !is_held("/tmp/dev/dri/card0") && !is_held("anon_inode:[eventfd]"));
    }

    #[test]
    fn device_is_held_in_any_root() {
        assert!(is_held(as_client_sees("/client/dev/dri/card0")) && is_held(as_client_sees("/dev/dri/card0")));
        assert!(!is_held(as_client_sees("/clients/dev/dri/card0")) && !is_held(as_client_sees("/client/dev/null")));
    }

    #[test]
    fn this_process_is_listed_with_its_command() {
        let own = tasks_of(std::process::id());
        assert!(own.iter().any(|task| task.tid == task.pid && !task.command.is_empty()), "{own:?}");
    }
}
