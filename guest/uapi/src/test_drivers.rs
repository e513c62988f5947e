// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The ioctls of our own drivers that exist to be tested or measured. Those of `sync_test` are in [`crate::sync`].
//!
//! Source: `kernel/tests/bus/edu/edu_drm.h`, `bus/auxiliary/aux_drm.h`, `lifecycle/lifecycle_drm.h`,
//! `attacks/attacks_drm.h`, `display/display_test_drm.h`, `display_attacks/display_attacks_drm.h` and
//! `noop/noop_drm.h`.

use super::*;

structures! {
    EduInfo: Plain = "edu_drm_info" { identification: u32, message_irq: u32, interrupts: u32, resumed: u32 }
    EduFactorial: Plain = "edu_drm_factorial" { n: u32, result: u32 }
    EduDma: Plain = "edu_drm_dma" { handle: u32, to_device: u32, offset: u64, length: u32, no_wait: u32 }
    AuxInfo: Plain = "aux_drm_info" { id: u32, calls: u32, resumed: u32, pad: u32 }
    Lifecycle: Plain = "drm_lifecycle" { what: u32, handle: u32, value: u64 }
    Attack: Plain = "drm_attack" { what: u32, handle: u32, value: u64 }
    Noop: Plain = "drm_noop" { value: u64 }
    DisplayAttack: Plain = "drm_display_attack" { what: u32, value: u32 }
    DisplayTest: Plain = "drm_display_test" {
        what: u32, value: u32, enabled: u32, disabled: u32, vblank_on: u32, vblank_off: u32, planes: u32, pixel: u32,
        planes_off: u32, alive: u32, held: u32, disturbed: u32,
        prepared: u32, refused: u32, damage: [u32; 4], dark: u32,
    }
}

requests! {
    EDU_INFO: EduInfo = DIR_READ, DRM, COMMAND_BASE, "DRM_IOCTL_EDU_INFO";
    EDU_FACTORIAL: EduFactorial = RW, DRM, COMMAND_BASE + 1, "DRM_IOCTL_EDU_FACTORIAL";
    EDU_DMA: EduDma = DIR_WRITE, DRM, COMMAND_BASE + 2, "DRM_IOCTL_EDU_DMA";
    AUX_INFO: AuxInfo = DIR_READ, DRM, COMMAND_BASE, "DRM_IOCTL_AUX_INFO";
    LIFECYCLE_CONTROL: Lifecycle = RW, DRM, COMMAND_BASE, "DRM_IOCTL_LIFECYCLE_CONTROL";
    LIFECYCLE_ENTER: Lifecycle = RW, DRM, COMMAND_BASE + 1, "DRM_IOCTL_LIFECYCLE_ENTER";
    LIFECYCLE_GUARDED: Lifecycle = RW, DRM, COMMAND_BASE + 2, "DRM_IOCTL_LIFECYCLE_GUARDED";
    LIFECYCLE_BLOCK: Lifecycle = RW, DRM, COMMAND_BASE + 3, "DRM_IOCTL_LIFECYCLE_BLOCK";
    LIFECYCLE_BLOCK_UNGUARDED: Lifecycle = RW, DRM, COMMAND_BASE + 4, "DRM_IOCTL_LIFECYCLE_BLOCK_UNGUARDED";
    LIFECYCLE_OBJECT: Lifecycle = RW, DRM, COMMAND_BASE + 5, "DRM_IOCTL_LIFECYCLE_OBJECT";
    LIFECYCLE_INFO: Lifecycle = RW, DRM, COMMAND_BASE + 6, "DRM_IOCTL_LIFECYCLE_INFO";
    LIFECYCLE_EARLY: Lifecycle = RW, DRM, COMMAND_BASE + 7, "DRM_IOCTL_LIFECYCLE_EARLY";
    LIFECYCLE_KEEP: Lifecycle = RW, DRM, COMMAND_BASE + 8, "DRM_IOCTL_LIFECYCLE_KEEP";
    LIFECYCLE_KEPT: Lifecycle = RW, DRM, COMMAND_BASE + 9, "DRM_IOCTL_LIFECYCLE_KEPT";
    LIFECYCLE_VMAP: Lifecycle = RW, DRM, COMMAND_BASE + 10, "DRM_IOCTL_LIFECYCLE_VMAP";
    LIFECYCLE_DMA: Lifecycle = RW, DRM, COMMAND_BASE + 11, "DRM_IOCTL_LIFECYCLE_DMA";
    LIFECYCLE_WORK: Lifecycle = RW, DRM, COMMAND_BASE + 12, "DRM_IOCTL_LIFECYCLE_WORK";
    LIFECYCLE_SYNCOBJ: Lifecycle = RW, DRM, COMMAND_BASE + 13, "DRM_IOCTL_LIFECYCLE_SYNCOBJ";
    ATTACK_RUN: Attack = RW, DRM, COMMAND_BASE, "DRM_IOCTL_ATTACK_RUN";
    ATTACK_PLUGGED: Attack = RW, DRM, COMMAND_BASE + 1, "DRM_IOCTL_ATTACK_PLUGGED";
    ATTACK_TRAP: Attack = RW, DRM, COMMAND_BASE + 2, "DRM_IOCTL_ATTACK_TRAP";
    NOOP_UNGUARDED: Noop = DIR_WRITE, DRM, COMMAND_BASE, "DRM_IOCTL_NOOP_UNGUARDED";
    DISPLAY_TEST: DisplayTest = RW, DRM, COMMAND_BASE, "DRM_IOCTL_DISPLAY_TEST";
    DISPLAY_ATTACK: DisplayAttack = RW, DRM, COMMAND_BASE, "DRM_IOCTL_DISPLAY_ATTACK";
    NOOP_GUARDED: Noop = DIR_WRITE, DRM, COMMAND_BASE + 1, "DRM_IOCTL_NOOP_GUARDED";
}

constants! {
    DISPLAY_TEST_TICK: u32 = 0, "DISPLAY_TEST_TICK";
    DISPLAY_TEST_ATTACH: u32 = 1, "DISPLAY_TEST_ATTACH";
    DISPLAY_TEST_COUNTS: u32 = 2, "DISPLAY_TEST_COUNTS";
    DISPLAY_TEST_HOLD: u32 = 16, "DISPLAY_TEST_HOLD";
    DISPLAY_TEST_FAIL_PLANE: u32 = 17, "DISPLAY_TEST_FAIL_PLANE";
    DISPLAY_TEST_FAIL_CRTC: u32 = 18, "DISPLAY_TEST_FAIL_CRTC";
    DISPLAY_TEST_FAIL_PREPARE: u32 = 19, "DISPLAY_TEST_FAIL_PREPARE";
    DISPLAY_TEST_FIRST_KEY: u32 = 20, "DISPLAY_TEST_FIRST_KEY";
    DISPLAY_TEST_ON_FENCE: u32 = 21, "DISPLAY_TEST_ON_FENCE";
    DISPLAY_TEST_KEEP: u32 = 3, "DISPLAY_TEST_KEEP";
    DISPLAY_TEST_BREAK: u32 = 4, "DISPLAY_TEST_BREAK";
    DISPLAY_TEST_REENTER: u32 = 5, "DISPLAY_TEST_REENTER";
    DISPLAY_TEST_PULL_ASLEEP: u32 = 6, "DISPLAY_TEST_PULL_ASLEEP";
    DISPLAY_ATTACK_TICK: u32 = 0, "DISPLAY_ATTACK_TICK";
    DISPLAY_ATTACK_TRAP: u32 = 1, "DISPLAY_ATTACK_TRAP";
    DISPLAY_ATTACK_CHECK_FAILS: u32 = 2, "DISPLAY_ATTACK_CHECK_FAILS";
    DISPLAY_ATTACK_PREPARE_FAILS: u32 = 3, "DISPLAY_ATTACK_PREPARE_FAILS";
    DISPLAY_ATTACK_NO_STATES: u32 = 4, "DISPLAY_ATTACK_NO_STATES";
    DISPLAY_ATTACK_WRONG_SETUPS: u32 = 5, "DISPLAY_ATTACK_WRONG_SETUPS";
    DISPLAY_ATTACK_SCREEN: u32 = 6, "DISPLAY_ATTACK_SCREEN";
    DISPLAY_ATTACK_BORDERS: u32 = 7, "DISPLAY_ATTACK_BORDERS";
    DISPLAY_ATTACK_KEEP: u32 = 8, "DISPLAY_ATTACK_KEEP";
    DISPLAY_ATTACK_WAIT_IN_FLUSH: u32 = 9, "DISPLAY_ATTACK_WAIT_IN_FLUSH";
    DISPLAY_ATTACK_HOTPLUGS: u32 = 10, "DISPLAY_ATTACK_HOTPLUGS";
    DISPLAY_ATTACK_EDID: u32 = 11, "DISPLAY_ATTACK_EDID";
    DISPLAY_ATTACK_MAP_AGAIN: u32 = 12, "DISPLAY_ATTACK_MAP_AGAIN";
}
