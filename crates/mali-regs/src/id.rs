// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The GPU's identity and resources: the values of the registers that never change.
//!
//! Source: `panthor_gpu_regs.h`, `panthor_hw.c` (products), `panthor_fw.c` (path of the firmware), `tyr/regs.rs`.

use core::fmt;

fields! {
    /// `GPU_ID`: architecture, product and version.
    GpuId(u32) {
        /// Status of the release.
        version_status, with_version_status: 0..4;
        /// Minor version ("p").
        version_minor, with_version_minor: 4..12;
        /// Major version ("r").
        version_major, with_version_major: 12..16;
        /// Product within its architecture.
        product_major, with_product_major: 16..20;
        /// Revision of the architecture.
        arch_revision, with_arch_revision: 20..24;
        /// Minor version of the architecture.
        arch_minor, with_arch_minor: 24..28;
        /// Major version of the architecture; 10 is the first with a command stream frontend.
        arch_major, with_arch_major: 28..32;
    }
}

impl GpuId {
    /// Returns the product's name, for products of architecture 10. Later ones need more registers to tell.
    pub const fn product(self) -> Option<&'static str> {
        match (self.arch_major(), self.product_major()) {
            (10, 2) => Some("Mali-G710"),
            (10, 3) => Some("Mali-G510"),
            (10, 4) => Some("Mali-G310"),
            (10, 7) => Some("Mali-G610"),
            _ => None,
        }
    }

    /// Returns the path of this GPU's firmware below a firmware directory, which implements `Display`.
    pub const fn firmware_path(self) -> FirmwarePath {
        FirmwarePath(self)
    }
}

/// The path of a GPU's firmware below a firmware directory.
#[derive(Clone, Copy, Debug)]
pub struct FirmwarePath(GpuId);

impl fmt::Display for FirmwarePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arm/mali/arch{}.{}/mali_csffw.bin", self.0.arch_major(), self.0.arch_minor())
    }
}

fields! {
    /// `L2_FEATURES`: the level 2 cache. All are logarithms to base 2.
    L2Features(u32) {
        /// Bytes of a line.
        line_size, with_line_size: 0..8;
        /// Ways.
        associativity, with_associativity: 8..16;
        /// Bytes of a slice.
        cache_size, with_cache_size: 16..24;
        /// Bits of the external bus.
        bus_width, with_bus_width: 24..32;
    }
}

fields! {
    /// `TILER_FEATURES`.
    TilerFeatures(u32) {
        /// Logarithm of the bytes of a bin.
        bin_size, with_bin_size: 0..6;
        /// Levels of the hierarchy.
        max_levels, with_max_levels: 8..12;
    }
}

fields! {
    /// `MEM_FEATURES`.
    MemFeatures(u32) {
        /// The cores of a group are coherent.
        coherent_core_group, with_coherent_core_group: 0..1;
        /// The groups are coherent.
        coherent_super_group, with_coherent_super_group: 1..2;
        /// Slices of the level 2 cache, less one.
        l2_slices, with_l2_slices: 8..12;
    }
}

fields! {
    /// `MMU_FEATURES`.
    MmuFeatures(u32) {
        /// Bits of a virtual address.
        va_bits, with_va_bits: 0..8;
        /// Bits of a physical address, to which the driver sets its DMA mask.
        pa_bits, with_pa_bits: 8..16;
    }
}

fields! {
    /// `CSF_ID`: versions of the microcontroller and of the command stream hardware.
    CsfId(u32) {
        /// Revision of the microcontroller.
        mcu_revision, with_mcu_revision: 0..4;
        /// Minor version of the microcontroller.
        mcu_minor, with_mcu_minor: 4..10;
        /// Major version of the microcontroller.
        mcu_major, with_mcu_major: 10..16;
        /// Revision of the command stream hardware.
        cshw_revision, with_cshw_revision: 16..20;
        /// Minor version of the command stream hardware.
        cshw_minor, with_cshw_minor: 20..26;
        /// Major version of the command stream hardware.
        cshw_major, with_cshw_major: 26..32;
    }
}

fields! {
    /// `THREAD_FEATURES`: the resources of a shader core for its threads.
    ThreadFeatures(u32) {
        /// Registers of a core.
        max_registers, with_max_registers: 0..22;
        /// 0: unspecified, 1: silicon, 2: FPGA, 3: software emulation.
        implementation, with_implementation: 22..24;
        /// Tasks that may queue.
        max_task_queue, with_max_task_queue: 24..32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_of_the_board() {
        // "id 0xa867 major 0x67 minor 0x0 status 0x5" is the line of a driver that splits the lower half in another
        // way.
        let id = GpuId(0xa867_0005);
        assert_eq!((id.arch_major(), id.arch_minor(), id.arch_revision()), (10, 8, 6));
        assert_eq!((id.product(), id.version_status()), (Some("Mali-G610"), 5));
        assert_eq!((id.0 >> 16 & 0xff, id.0 >> 8 & 0xff, id.0 & 0xff), (0x67, 0, 5));
        assert_eq!(id.firmware_path().to_string(), "arm/mali/arch10.8/mali_csffw.bin");
    }

    #[test]
    fn mmu_features_of_the_board() {
        let mmu = MmuFeatures(0x2830);
        assert_eq!((mmu.va_bits(), mmu.pa_bits()), (48, 40));
        let l2 = L2Features(0x0712_0306);
        assert_eq!((1 << l2.line_size(), 1 << l2.cache_size()), (64, 256 << 10));
        let mem = MemFeatures(0x301);
        assert_eq!((mem.coherent_core_group(), mem.l2_slices() + 1), (1, 4));
        assert_eq!((TilerFeatures(0x809).bin_size(), TilerFeatures(0x809).max_levels()), (9, 8));
    }

    #[test]
    fn another_architecture_has_no_name_here() {
        assert_eq!(GpuId(0xb867_0005).product(), None);
    }
}
