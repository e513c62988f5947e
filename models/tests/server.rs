// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests a device on its sockets, with a well-behaved client, a malicious one, and one that sends commands.

#![allow(clippy::unwrap_used, reason = "everything here is a test, its helpers too")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use drydock_models::fault::Plan;
use drydock_models::nova::Nova;
use drydock_models::server::{Control, Error, Socket, serve};
use drydock_models::{Device, Event, What};
use proptest::prelude::*;
use vfio_user::Client;

type Served = JoinHandle<Result<u64, Error>>;

const CONFIG: u32 = 7;
const MSI: u32 = 1;
/// `VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER`.
const EVENTFD: u32 = 1 << 2 | 1 << 5;

fn device() -> Device<Nova> {
    let now = Instant::now();
    Device::new(Nova::new(256, now).unwrap(), Plan::default(), now)
}

/// Serves a device at a path in `dir`.
fn start(dir: &Path, control: Option<Control>) -> (PathBuf, Served) {
    let path = dir.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    (path, thread::spawn(move || serve(device(), Socket::Listening(listener.into()), control)))
}

fn read(client: &mut Client, region: u32, offset: u64) -> u32 {
    let mut bytes = [0; 4];
    client.region_read(region, offset, &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

#[test]
fn a_client_finds_the_chip_and_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let (path, served) = start(dir.path(), None);
    let mut client = Client::new(&path).unwrap();
    assert_eq!(read(&mut client, CONFIG, 0), 0x2204_10de);
    assert_eq!(read(&mut client, 0, 0xa00), 0x172a_1000);
    assert_eq!((client.region(0).unwrap().size, client.region(1).unwrap().size), (16 << 20, 256 << 20));
    assert_eq!(client.get_irq_info(MSI).unwrap().count, 1);
    client.reset().unwrap();
    client.region_write(0, 0, &[0; 4]).unwrap();
    drop(client);
    assert_eq!(served.join().unwrap().unwrap(), 1, "a write to a register that can only be read");
}

#[test]
fn commands_are_answered_and_events_are_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (path, served) = start(dir.path(), Some(Control::Connected(theirs)));
    let mut client = Client::new(&path).unwrap();
    let event = File::from(rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap());
    client.set_irqs(MSI, EVENTFD, 0, 1, &[event.as_raw_fd()]).unwrap();
    (&ours).write_all(b"{\"fault\": {\"kind\": \"spurious-interrupt\"}}\n").unwrap();
    (&event).read_exact(&mut [0; 8]).unwrap();
    let mut lines = BufReader::new(&ours).lines().map(Result::unwrap);
    let fault = lines.find(|line| line.contains("\"fault\"")).unwrap();
    let fault: Event = serde_json::from_str(&fault).unwrap();
    assert_eq!(fault.what, What::Fault { text: "spurious-interrupt".into() });
    let interrupt: Event = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!(interrupt.what, What::Interrupt { vector: 0, delivered: true });
    assert_eq!(lines.next().unwrap(), r#"{"ok":null}"#);
    drop(client);
    assert_eq!(served.join().unwrap().unwrap(), 0);
}

#[test]
fn timed_fault_begins_without_an_access() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (path, _served) = start(dir.path(), Some(Control::Connected(theirs)));
    let mut client = Client::new(&path).unwrap();
    let plan = b"{\"fault\": {\"kind\": \"removal\", \"after\": {\"seconds\": 0.05}}}\n";
    (&ours).write_all(plan).unwrap();
    let mut lines = BufReader::new(&ours).lines().map(Result::unwrap);
    lines.find(|line| line == r#"{"ok":null}"#).unwrap();
    read(&mut client, 0, 0);
    lines.find(|line| line.contains("\"event\":\"fault\"")).unwrap();
    assert_eq!(read(&mut client, 0, 0), u32::MAX);
}

/// Returns the header of a message, with any fields.
fn message(id: u16, command: u16, size: u32, flags: u32, body: &[u8]) -> Vec<u8> {
    [&id.to_le_bytes(), &command.to_le_bytes(), &size.to_le_bytes()[..], &flags.to_le_bytes(), &[0; 4], body].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever comes over the socket, serving ends with a result, not with a panic.
    #[test]
    fn no_message_stops_the_server(
        messages in prop::collection::vec(
            (any::<u16>(), 0u16..18, prop_oneof![Just(16u32), 0u32..80, any::<u32>()], any::<u32>(),
             prop::collection::vec(any::<u8>(), 0..80)),
            1..8,
        )
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (path, served) = start(dir.path(), None);
        let mut stream = UnixStream::connect(&path).unwrap();
        let mut answers = stream.try_clone().unwrap();
        let drain = thread::spawn(move || std::io::copy(&mut answers, &mut std::io::sink()));
        for (id, command, size, flags, body) in messages {
            // Counts and sizes of gigabytes are well formed, but a test cannot wait for them.
            let body: Vec<u8> = body.into_iter().enumerate().map(|(at, byte)| if at % 4 == 3 { 0 } else { byte }).collect();
            let _ = stream.write_all(&message(id, command, size, flags, &body));
        }
        let _ = stream.shutdown(Shutdown::Both);
        let started = Instant::now();
        let _ = served.join().expect("the thread that serves does not panic");
        prop_assert!(started.elapsed() < Duration::from_secs(120));
        let _ = drain.join();
    }
}
