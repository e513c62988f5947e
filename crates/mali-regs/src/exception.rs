// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Exception codes in fault status registers and in a stream's fault words.
//!
//! Source: `panthor_device.h` (`enum drm_panthor_exception_type`).

/// Codes up to here are no faults.
pub const MAX_NON_FAULT: u32 = 0x3f;

macro_rules! exceptions {
    ($($(#[$meta:meta])* $name:ident = $code:literal;)*) => {
        $($(#[$meta])* pub const $name: u32 = $code;)*

        /// Returns the name of a code.
        pub const fn name(code: u32) -> Option<&'static str> {
            match code {
                $($code => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}

exceptions! {
    /// Nothing happened.
    OK = 0x00;
    /// The work was ended by request.
    TERMINATED = 0x04;
    /// A job reported a failure.
    KABOOM = 0x05;
    /// A job reported that it found something.
    EUREKA = 0x06;
    /// The work is still in progress.
    ACTIVE = 0x08;
    /// A stream lost a resource.
    CS_RES_TERM = 0x0f;
    /// A stream is configured wrongly.
    CS_CONFIG_FAULT = 0x40;
    /// A stream cannot continue.
    CS_UNRECOVERABLE = 0x41;
    /// A stream's endpoint faulted.
    CS_ENDPOINT_FAULT = 0x44;
    /// A stream's memory access failed.
    CS_BUS_FAULT = 0x48;
    /// A stream contains an invalid instruction.
    CS_INSTR_INVALID = 0x49;
    /// A stream's calls are nested too deeply.
    CS_CALL_STACK_OVERFLOW = 0x4a;
    /// A stream waited for another that faulted.
    CS_INHERIT_FAULT = 0x4b;
    /// A shader's program counter is wrong.
    INSTR_INVALID_PC = 0x50;
    /// A shader's instruction does not exist.
    INSTR_INVALID_ENC = 0x51;
    /// A shader's barrier failed.
    INSTR_BARRIER_FAULT = 0x55;
    /// A descriptor is wrong.
    DATA_INVALID_FAULT = 0x58;
    /// A tile is outside its range.
    TILE_RANGE_FAULT = 0x59;
    /// An address is outside its range.
    ADDR_RANGE_FAULT = 0x5a;
    /// Something failed, without any details.
    IMPRECISE_FAULT = 0x5b;
    /// The tiler's heap is exhausted.
    OOM = 0x60;
    /// The firmware failed.
    CSF_FW_INTERNAL_ERROR = 0x68;
    /// The firmware could not evict a resource in time.
    CSF_RES_EVICTION_TIMEOUT = 0x69;
    /// The GPU's bus access failed.
    GPU_BUS_FAULT = 0x80;
    /// Shareability is wrong inside the GPU.
    GPU_SHAREABILITY_FAULT = 0x88;
    /// Shareability is wrong outside the GPU.
    SYS_SHAREABILITY_FAULT = 0x89;
    /// Cacheability is wrong.
    GPU_CACHEABILITY_FAULT = 0x8a;
    /// The address is not mapped: found at the level of the root.
    TRANSLATION_FAULT_0 = 0xc0;
    /// The address is not mapped: found at level 1.
    TRANSLATION_FAULT_1 = 0xc1;
    /// The address is not mapped: found at level 2.
    TRANSLATION_FAULT_2 = 0xc2;
    /// The address is not mapped: found at level 3.
    TRANSLATION_FAULT_3 = 0xc3;
    /// The address space has no tables.
    TRANSLATION_FAULT_4 = 0xc4;
    /// The mapping does not permit the access: found at level 0.
    PERM_FAULT_0 = 0xc8;
    /// The mapping does not permit the access: found at level 1.
    PERM_FAULT_1 = 0xc9;
    /// The mapping does not permit the access: found at level 2.
    PERM_FAULT_2 = 0xca;
    /// The mapping does not permit the access: found at level 3.
    PERM_FAULT_3 = 0xcb;
    /// An entry without its access flag, at level 1.
    ACCESS_FLAG_1 = 0xd9;
    /// An entry without its access flag, at level 2.
    ACCESS_FLAG_2 = 0xda;
    /// An entry without its access flag, at level 3.
    ACCESS_FLAG_3 = 0xdb;
    /// The virtual address is too large.
    ADDR_SIZE_FAULT_IN = 0xe0;
    /// A physical address is too large: the root's, or found at level 0.
    ADDR_SIZE_FAULT_OUT0 = 0xe4;
    /// A physical address is too large: found at level 1.
    ADDR_SIZE_FAULT_OUT1 = 0xe5;
    /// A physical address is too large: found at level 2.
    ADDR_SIZE_FAULT_OUT2 = 0xe6;
    /// A physical address is too large: found at level 3.
    ADDR_SIZE_FAULT_OUT3 = 0xe7;
    /// A memory attribute that faults: found at level 0.
    MEM_ATTR_FAULT_0 = 0xe8;
    /// A memory attribute that faults: found at level 1.
    MEM_ATTR_FAULT_1 = 0xe9;
    /// A memory attribute that faults: found at level 2.
    MEM_ATTR_FAULT_2 = 0xea;
    /// A memory attribute that faults: found at level 3.
    MEM_ATTR_FAULT_3 = 0xeb;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_a_name() {
        assert_eq!(name(TRANSLATION_FAULT_0 + 3), Some("TRANSLATION_FAULT_3"));
        assert_eq!(name(PERM_FAULT_0 + 2), Some("PERM_FAULT_2"));
        assert_eq!(name(0x77), None);
    }
}
