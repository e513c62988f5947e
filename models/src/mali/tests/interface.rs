// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests requests and their acknowledgements: to the firmware as a whole, groups, and streams.

use std::mem::offset_of;

use csf_iface::group::{self, EndpointRequest, state};
use csf_iface::{Handshake, global, stream};
use mali_regs::mcu::Status;

use super::driver::{Driver, INPUT, NO_EXECUTE, OUTPUT};
use super::*;

/// Addresses of the second group's blocks, and of its third stream's.
const GROUP: u32 = 1;
const GROUP_INPUT: u32 = 0x400_3080;
const GROUP_OUTPUT: u32 = 0x400_7040;
const STREAM: u32 = 2;
const STREAM_INPUT: u32 = 0x400_3900;
const STREAM_OUTPUT: u32 = 0x400_7c00;

/// The group's address space, and the driver's mappings in it.
const SPACE: usize = 3;
const RING: u64 = 0x1_0000_0000;
const RING_SIZE: u64 = 0x1_0000;
const OFFSETS: u64 = 0x2_0000_0000;
/// The addresses of buffers to which the firmware suspends the group.
const SUSPEND: u64 = 0x500_0000;
const PROTM_SUSPEND: u64 = 0x510_0000;
const DOORBELL: usize = 5;

/// Creates a driver with a group that could run.
fn with_group() -> Driver {
    with_group_of(csf_iface::Version::new(1, 5, 0))
}

/// Creates such a driver for another version of the interface.
fn with_group_of(version: csf_iface::Version) -> Driver {
    let mut driver = Driver::booted_of(version);
    driver.enable(SPACE);
    driver.map(SPACE, RING, RING_SIZE, NO_EXECUTE);
    driver.map(SPACE, OFFSETS, 0x2000, NO_EXECUTE);
    driver.map(0, SUSPEND, 0x2000, NO_EXECUTE);
    driver.map(0, PROTM_SUSPEND, 0x1000, NO_EXECUTE);
    let endpoints = EndpointRequest { compute: 4, fragment: 4, tiler: 1, priority: 3, ..EndpointRequest::default() };
    let wide = version >= csf_iface::Version::WIDE_ENDPOINT_REQUEST;
    let endpoint_req =
        if wide { offset_of!(group::Input, endpoint_req2) } else { offset_of!(group::Input, endpoint_req) };
    let fields: [(usize, u64, usize); 7] = [
        (offset_of!(group::Input, ack_irq_mask), u32::MAX.into(), 4),
        (offset_of!(group::Input, allow_compute), 0x50005, 8),
        (offset_of!(group::Input, allow_fragment), 0x50005, 8),
        (offset_of!(group::Input, allow_other), 1, 4),
        (endpoint_req, endpoints.bits().into(), 4),
        (offset_of!(group::Input, suspend_buf), SUSPEND, 8),
        (offset_of!(group::Input, protm_suspend_buf), PROTM_SUSPEND, 8),
    ];
    for (offset, value, bytes) in fields {
        driver.set(GROUP_INPUT, offset, value, bytes);
    }
    driver.set(GROUP_INPUT, offset_of!(group::Input, config), SPACE as u64, 4);
    let fields: [(usize, u64, usize); 6] = [
        (offset_of!(stream::Input, config), (DOORBELL as u64) << 8, 4),
        (offset_of!(stream::Input, ack_irq_mask), u32::MAX.into(), 4),
        (offset_of!(stream::Input, ringbuf_base), RING, 8),
        (offset_of!(stream::Input, ringbuf_size), RING_SIZE, 4),
        (offset_of!(stream::Input, ringbuf_input), OFFSETS, 8),
        (offset_of!(stream::Input, ringbuf_output), OFFSETS + 0x1000, 8),
    ];
    for (offset, value, bytes) in fields {
        driver.set(STREAM_INPUT, offset, value, bytes);
    }
    driver.interrupts();
    driver
}

/// Returns the handshake words of the group.
fn words(driver: &mut Driver) -> Handshake {
    Handshake { request: driver.word(GROUP_INPUT), acknowledge: driver.word(GROUP_OUTPUT) }
}

/// Requests a state of the group, with other requests.
fn request_state(driver: &mut Driver, state: u32, more: u32) {
    let words = words(driver);
    let request = words.set(state, group::req::STATE);
    let request = Handshake { request, ..words }.toggle(more);
    driver.set_word(GROUP_INPUT, request);
    driver.request_groups(1 << GROUP);
}

/// Requests a state of the stream. The next request notifies the group.
fn request_stream_state(driver: &mut Driver, state: u32) {
    let words = Handshake { request: driver.word(STREAM_INPUT), acknowledge: driver.word(STREAM_OUTPUT) };
    driver.set_word(STREAM_INPUT, words.set(state, stream::req::STATE));
    let at = offset_of!(group::Input, doorbell_req) as u32;
    let ack = driver.word(GROUP_OUTPUT + offset_of!(group::Output, doorbell_ack) as u32);
    let request = driver.word(GROUP_INPUT + at);
    driver.set_word(GROUP_INPUT + at, Handshake { request, acknowledge: ack }.toggle(1 << STREAM));
}

/// Creates a driver whose group runs, with an empty ring.
fn running() -> Driver {
    let mut driver = with_group();
    request_stream_state(&mut driver, stream::req::START);
    request_state(&mut driver, state::START, group::req::ENDPOINT_CONFIG);
    assert_eq!(words(&mut driver).pending(group::req::REQUESTS), 0);
    driver
}

/// Puts bytes into the ring.
fn insert(driver: &mut Driver, bytes: u64) {
    let entry = driver.entry(SPACE, OFFSETS);
    let pa = driver.peek(entry) & 0xffff_ffff_f000;
    driver.poke(pa, &bytes.to_le_bytes());
}

fn ring_stream(driver: &mut Driver) {
    driver.bench.write_at(doorbell::DOORBELL.at(DOORBELL), doorbell::RING);
    driver.bench.wait();
}

#[test]
fn ping_is_acknowledged_and_interrupts_if_enabled() {
    let mut driver = Driver::booted();
    driver.interrupts();
    driver.request(global::req::PING);
    assert_eq!((driver.handshake().pending(!0), driver.interrupts()), (0, 0));
    driver.set(INPUT, offset_of!(global::Input, ack_irq_mask), global::req::PING.into(), 4);
    driver.request(global::req::PING);
    assert_eq!((driver.handshake().pending(!0), driver.interrupts()), (0, irq::job::GLOBAL));
    // There is no request.
    driver.ring();
    assert_eq!(driver.interrupts(), 0);
    driver.is_right();
}

#[test]
fn settings_are_taken_over() {
    let mut driver = Driver::booted();
    driver.set(INPUT, offset_of!(global::Input, core_en_mask), 0x10001, 8);
    driver.set(INPUT, offset_of!(global::Input, poweroff_timer), global::Timer::new(800, 24_000_000, 0).0.into(), 4);
    let all = global::req::CFG_ALLOC_EN | global::req::CFG_POWEROFF_TIMER | global::req::CFG_PROGRESS_TIMER;
    driver.request(all | global::req::COUNTER_EN | global::req::FWCFG_UPDATE);
    assert_eq!(driver.handshake().pending(!0), 0);
    assert_eq!(driver.bench.query(json!("mcu"))["ok"]["firmware"]["cores"], 0x10001);
    driver.is_right();
    driver.set(INPUT, offset_of!(global::Input, core_en_mask), 0x10003, 8);
    driver.request(global::req::CFG_ALLOC_EN);
    driver.is_wrong("cores 0x2 are not there");
}

#[test]
fn idle_is_reported_once() {
    let mut driver = Driver::booted();
    driver.interrupts();
    driver.set(INPUT, offset_of!(global::Input, idle_timer), global::Timer::new(10_000, 24_000_000, 0).0.into(), 4);
    driver.set(INPUT, offset_of!(global::Input, ack_irq_mask), global::req::IDLE.into(), 4);
    let start = driver.bench.now;
    let request = driver.handshake().set(global::req::IDLE_EN, global::req::IDLE_EN);
    driver.set_word(INPUT, request);
    driver.ring();
    assert!(driver.bench.now - start >= Duration::from_millis(10));
    assert_eq!(driver.handshake().pending(!0), global::req::IDLE);
    assert_eq!(driver.interrupts(), irq::job::GLOBAL);
    assert_eq!(driver.bench.device.due(), None, "an idle device has nothing due");
    // The driver has seen it.
    let words = driver.handshake();
    driver.set_word(INPUT, words.set(words.acknowledge, global::req::EVENTS));
    driver.request(global::req::PING);
    assert_eq!((driver.handshake().pending(!0), driver.interrupts()), (0, 0));
    driver.is_right();
}

#[test]
fn unknown_request_is_a_violation_once() {
    let wrong = [
        (1 << 30, "global request 0x40000000: there is no such request"),
        (global::req::IDLE, "global event IDLE is acknowledged and did not happen"),
        (global::req::PERFCNT_EN, "global request PERFCNT_EN: not modelled"),
        (global::req::PROTM_ENTER, "global request PROTM_ENTER: not modelled"),
    ];
    for (bits, why) in wrong {
        let mut driver = Driver::booted();
        driver.request(bits);
        driver.ring();
        driver.is_wrong(why);
        assert_eq!(driver.handshake().pending(!0), bits, "it is not acknowledged");
    }
    let mut driver = Driver::booted();
    driver.request_groups(1 << 8);
    driver.is_wrong("there are no such groups");
}

#[test]
fn a_halt_ends_it() {
    let mut driver = Driver::booted();
    driver.interrupts();
    driver.request(global::req::HALT);
    assert_eq!(driver.status(), Status::Halted);
    assert_ne!(driver.bench.read(irq::GPU_IRQ_RAWSTAT) & irq::gpu::MCU_STATUS_CHANGED, 0);
    assert_eq!(driver.word(OUTPUT + offset_of!(global::Output, halt_status) as u32), 0);
    driver.bench.write(power::L2_PWROFF, 1);
    driver.bench.wait();
    driver.is_right();
    driver.ring();
    driver.is_wrong("a doorbell is rung while the MCU is halted");
}

#[test]
fn later_versions_have_a_state_and_wide_endpoint_requests() {
    let mut driver = with_group_of(csf_iface::Version::GLOBAL_STATE);
    request_state(&mut driver, state::START, group::req::ENDPOINT_CONFIG);
    assert_eq!(words(&mut driver).acknowledge & group::req::STATE, state::START);
    request_state(&mut driver, state::TERMINATE, 0);
    let request = driver.handshake().set(global::state::HALT, global::req::STATE);
    driver.set_word(INPUT, request);
    driver.ring();
    assert_eq!(driver.status(), Status::Halted);
    assert_eq!(driver.word(OUTPUT) & global::req::STATE, global::state::HALT);
    driver.is_right();
    // Before that version there is no such request.
    let mut driver = Driver::booted();
    driver.request(global::state::HALT);
    driver.is_wrong("global request STATE: there is no such request");
}

#[test]
fn halt_before_boot_is_a_violation() {
    let mut driver = Driver::booted();
    driver.request(global::req::HALT);
    driver.bench.write(registers::MCU_CONTROL, 0);
    driver.bench.wait();
    driver.boot();
    driver.is_wrong("the request to halt still there");
}

#[test]
fn group_starts_suspends_and_terminates() {
    let mut driver = running();
    let output = |field| GROUP_OUTPUT + field as u32;
    assert_eq!(driver.interrupts(), irq::job::group(GROUP));
    assert_eq!(words(&mut driver).acknowledge & group::req::STATE, state::START);
    let shown = driver.bench.query(json!("mcu"))["ok"]["firmware"]["groups"][1].clone();
    assert_eq!((&shown["state"], &shown["space"]), (&json!("running"), &json!(SPACE)));
    assert_eq!(shown["streams"][2]["doorbell"], DOORBELL);
    assert_eq!(driver.bench.read(power::SHADER_READY), 0x50005);
    // The group is idle.
    assert_eq!(words(&mut driver).pending(!0), group::req::IDLE);
    assert_eq!(driver.word(output(offset_of!(group::Output, status_state))), group::STATUS_IDLE);
    let request = words(&mut driver);
    driver.set_word(GROUP_INPUT, request.set(request.acknowledge, group::req::EVENTS));

    request_state(&mut driver, state::START, group::req::STATUS_UPDATE);
    assert_eq!(driver.word(output(offset_of!(group::Output, status_endpoint_current))) & 0xff, 4);
    request_state(&mut driver, state::SUSPEND, 0);
    assert_eq!(words(&mut driver).acknowledge & group::req::STATE, state::SUSPEND);
    let saved = driver.pa(SUSPEND);
    assert_ne!(driver.peek(saved), 0);
    driver.bench.wait();
    assert_eq!(driver.bench.read(power::SHADER_READY), 0, "no group needs the cores");

    request_stream_state(&mut driver, 0);
    request_state(&mut driver, state::RESUME, group::req::ENDPOINT_CONFIG);
    assert_eq!(words(&mut driver).acknowledge & group::req::STATE, state::RESUME);
    request_state(&mut driver, state::TERMINATE, 0);
    assert_eq!(driver.bench.query(json!("mcu"))["ok"]["firmware"]["groups"][1]["state"], "empty");
    driver.is_right();
}

#[test]
fn a_group_needs_what_it_names() {
    type Mistake = (&'static str, fn(&mut Driver));
    let wrong: &[Mistake] = &[
        ("names no address space", |driver| driver.set(GROUP_INPUT, offset_of!(group::Input, config), 6, 4)),
        ("config 0x13", |driver| driver.set(GROUP_INPUT, offset_of!(group::Input, config), 0x13, 4)),
        ("suspend_buf 0x500", |driver| driver.unmap(0, SUSPEND + 0x1000)),
        ("protm_suspend_buf", |driver| driver.unmap(0, PROTM_SUSPEND)),
        ("allow_fragment 0x3: 0x2 are not there", |driver| {
            driver.set(GROUP_INPUT, offset_of!(group::Input, allow_fragment), 3, 8);
            driver.set(GROUP_INPUT, offset_of!(group::Input, endpoint_req), 1, 4);
        }),
        ("4 endpoints are asked for, and allow_compute 0x1 has 1", |driver| {
            driver.set(GROUP_INPUT, offset_of!(group::Input, allow_compute), 1, 8);
        }),
    ];
    for (why, wrong) in wrong {
        let mut driver = with_group();
        wrong(&mut driver);
        request_state(&mut driver, state::START, group::req::ENDPOINT_CONFIG);
        driver.is_wrong(why);
        assert_eq!(words(&mut driver).acknowledge & group::req::STATE, state::TERMINATE);
    }
    let mut driver = with_group();
    request_state(&mut driver, state::START, 0);
    driver.is_wrong("nothing says what it may run on");
}

#[test]
fn states_follow_each_other() {
    let mut driver = with_group();
    request_state(&mut driver, state::SUSPEND, group::req::ENDPOINT_CONFIG);
    driver.is_wrong("is asked for state 2 while it is Empty");
    let mut driver = with_group();
    request_state(&mut driver, state::RESUME, group::req::ENDPOINT_CONFIG);
    driver.is_wrong("resumed from 0x5000000, where none was saved");
    let mut driver = running();
    request_state(&mut driver, state::RESUME, 0);
    driver.is_wrong("is asked for state 3 while it is Running(3)");
    let mut driver = running();
    driver.request(global::req::HALT);
    driver.is_wrong("halted while group 1 runs");
}

#[test]
fn a_stream_needs_what_it_names() {
    let fields = [
        ("ringbuf_size 0x1800 is no power of two", offset_of!(stream::Input, ringbuf_size), 0x1800, 4),
        ("ringbuf_base 0x100000800 is not aligned", offset_of!(stream::Input, ringbuf_base), RING + 0x800, 8),
        ("ringbuf_base 0x100001000", offset_of!(stream::Input, ringbuf_base), RING + 0x1000, 8),
        ("ringbuf_input 0x30", offset_of!(stream::Input, ringbuf_input), 0x30, 8),
        ("ringbuf_output 0x200002000", offset_of!(stream::Input, ringbuf_output), OFFSETS + 0x2000, 8),
        ("there is no doorbell 0", offset_of!(stream::Input, config), 0, 4),
        ("there is no doorbell 200", offset_of!(stream::Input, config), 200 << 8, 4),
    ];
    for (why, offset, value, bytes) in fields {
        let mut driver = with_group();
        driver.set(STREAM_INPUT, offset, value, bytes);
        request_stream_state(&mut driver, stream::req::START);
        request_state(&mut driver, state::START, group::req::ENDPOINT_CONFIG);
        driver.is_wrong(why);
        assert_eq!(driver.word(STREAM_OUTPUT) & stream::req::STATE, 0);
    }
    let mut driver = with_group();
    request_stream_state(&mut driver, stream::req::START);
    driver.request_groups(1 << GROUP);
    driver.is_wrong("it is started while its group does not run");
}

#[test]
fn ring_is_not_executed_and_reported() {
    let mut driver = running();
    ring_stream(&mut driver);
    driver.is_right();
    insert(&mut driver, 64);
    ring_stream(&mut driver);
    ring_stream(&mut driver);
    driver.is_wrong("stream 1.2: 64 bytes are to be executed, and that is not modelled");
    let mut driver = running();
    insert(&mut driver, RING_SIZE + 8);
    ring_stream(&mut driver);
    driver.is_wrong("do not fit the ring");
}

#[test]
fn fault_ends_the_stream_but_not_the_firmware() {
    let mut driver = running();
    driver.interrupts();
    driver.unmap(SPACE, OFFSETS);
    driver.flush(SPACE, OFFSETS, 0x1000);
    ring_stream(&mut driver);
    assert_eq!(driver.interrupts(), irq::job::group(GROUP));
    assert_eq!(driver.bench.read(irq::MMU_IRQ_RAWSTAT) & 0xffff, 1 << SPACE);
    let output = |field| STREAM_OUTPUT + field as u32;
    assert_eq!(driver.word(output(offset_of!(stream::Output, fatal))), exception::CS_BUS_FAULT);
    assert_eq!(driver.word(output(offset_of!(stream::Output, fatal_info)) + 4), (OFFSETS >> 32) as u32);
    assert_eq!((driver.word(STREAM_INPUT) ^ driver.word(STREAM_OUTPUT)) & stream::req::EVENTS, stream::req::FATAL);
    assert_eq!(driver.status(), Status::Enabled);
    driver.request(global::req::PING);
    assert_eq!(driver.handshake().pending(global::req::PING), 0);
    driver.is_right();
}

#[test]
fn a_stream_waits_for_its_address_space() {
    let mut driver = running();
    driver.lock(SPACE, OFFSETS, 0x1000);
    insert(&mut driver, 8);
    ring_stream(&mut driver);
    assert!(driver.bench.has_logged("stream 1.2 waits: the region is locked"));
    driver.is_right();
    driver.request(global::req::PING);
    assert_eq!(driver.handshake().pending(global::req::PING), 0, "the firmware does not wait with it");
    driver.command(SPACE, regs::Command::Unlock);
    driver.bench.wait();
    driver.is_wrong("8 bytes are to be executed");
}

#[test]
fn stream_start_is_reported_through_its_group() {
    let mut driver = running();
    let asked = driver.word(GROUP_OUTPUT + offset_of!(group::Output, cs_irq_req) as u32);
    let ack = driver.word(GROUP_INPUT + offset_of!(group::Input, cs_irq_ack) as u32);
    assert_eq!(asked ^ ack, 1 << STREAM);
    assert_eq!(driver.word(STREAM_OUTPUT) & stream::req::STATE, stream::req::START);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// With any content of the shared section and any doorbells, nothing panics and everything ends.
    #[test]
    fn no_request_makes_it_panic(
        words in prop::collection::vec((0u32..0x3000, any::<u32>(), 0usize..24), 1..40),
    ) {
        let mut driver = with_group();
        for (at, value, number) in words {
            driver.set_word(0x400_0000 + (at & !3) * 4, value);
            driver.set_word(INPUT + offset_of!(global::Input, doorbell_req) as u32, value);
            driver.bench.write_at(doorbell::DOORBELL.at(number), doorbell::RING);
            driver.ring();
        }
        driver.bench.query(json!("mcu"));
    }
}
