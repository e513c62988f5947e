// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The GPU's constant registers: those of a Mali-G610 on a Radxa ROCK 5B, from its boot log. Values that are not in the
//! log are zero, or marked.

use mali_regs::gpu;

/// Arm's number.
pub(super) const VENDOR: u16 = 0x13b5;
/// An invented number, with `e` for "emulated".
pub(super) const DEVICE: u16 = 0xe610;
/// Display controller, other.
pub(super) const CLASS: u32 = 0x03_80_00;

pub(super) const SHADER_PRESENT: u64 = 0x50005;
pub(super) const TILER_PRESENT: u64 = 0x1;
pub(super) const L2_PRESENT: u64 = 0x1;

/// Address spaces.
pub(super) const AS_PRESENT: u32 = 0xff;

/// Bits of a physical address.
pub(super) const PA_BITS: u32 = 40;

/// Returns the value of a register that never changes.
pub(super) fn fixed(offset: usize) -> Option<u32> {
    let registers = [
        (gpu::GPU_ID, 0xa867_0005),
        (gpu::L2_FEATURES, 0x0712_0306),
        (gpu::TILER_FEATURES, 0x809),
        (gpu::MEM_FEATURES, 0x301),
        (gpu::MMU_FEATURES, 0x2830),
        (gpu::AS_PRESENT, AS_PRESENT),
        (gpu::CORE_FEATURES, 0),
        (gpu::CSF_ID, 0),
        (gpu::REVIDR, 0),
        // These are not in the log, but the most that the architecture allows.
        (gpu::THREAD_MAX_THREADS, 2048),
        (gpu::THREAD_MAX_WORKGROUP_SIZE, 1024),
        (gpu::THREAD_MAX_BARRIER_SIZE, 1024),
        // These are 64 K registers, and an implementation in software.
        (gpu::THREAD_FEATURES, 3 << 22 | 0x1_0000),
        (gpu::COHERENCY_FEATURES, 1 << gpu::coherency::ACE_LITE),
    ];
    let texture = (0..gpu::TEXTURE_FEATURES.count).any(|index| gpu::TEXTURE_FEATURES.at(index) == offset);
    let found = registers.iter().find(|(register, _)| register.offset == offset).map(|(_, value)| *value);
    found.or(texture.then_some(0))
}
