// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Names for the fields of a register's value.

/// Declares a type for a register's value. Each field has a getter, a setter and its bits; a setter drops the bits of its
/// argument that do not fit.
macro_rules! fields {
    (
        $(#[$meta:meta])*
        $name:ident($int:ty) {
            $($(#[$field_meta:meta])* $get:ident, $with:ident: $low:literal .. $end:literal;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name(
            /// The register's value.
            pub $int,
        );

        impl $name {
            $(
                $(#[$field_meta])*
                pub const fn $get(self) -> $int {
                    (self.0 >> $low) & (<$int>::MAX >> (<$int>::BITS - ($end - $low)))
                }

                #[doc = concat!("The same value with another `", stringify!($get), "`.")]
                pub const fn $with(self, value: $int) -> Self {
                    let mask = (<$int>::MAX >> (<$int>::BITS - ($end - $low))) << $low;
                    Self((self.0 & !mask) | ((value << $low) & mask))
                }
            )*
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let mut fields = f.debug_struct(stringify!($name));
                $(fields.field(stringify!($get), &format_args!("{:#x}", self.$get()));)*
                fields.finish()
            }
        }

        #[cfg(test)]
        impl $name {
            /// Each field as its name and its mask.
            pub(crate) const FIELDS: &'static [(&'static str, u64)] = &[
                $((stringify!($get), Self(0).$with(<$int>::MAX).0 as u64),)*
            ];
        }
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    fields! {
        /// A sample value for the macro.
        Sample(u64) {
            /// The whole lower half.
            lower, with_lower: 0..32;
            /// One bit.
            flag, with_flag: 40..41;
            /// The top.
            top, with_top: 60..64;
        }
    }

    proptest! {
        #[test]
        fn a_field_keeps_what_fits_and_leaves_the_others(before: u64, value: u64) {
            let after = Sample(before).with_flag(value);
            prop_assert_eq!(after.flag(), value & 1);
            prop_assert_eq!(after.0 & !(1 << 40), before & !(1 << 40));
            let after = Sample(before).with_top(value);
            prop_assert_eq!(after.top(), value & 0xf);
            prop_assert_eq!((after.lower(), after.flag()), (before & 0xffff_ffff, before >> 40 & 1));
            prop_assert_eq!(Sample(before).with_lower(value).lower(), value & 0xffff_ffff);
        }
    }

    #[test]
    fn fields_of_a_register_do_not_overlap() {
        let types: &[&[(&str, u64)]] = &[
            Sample::FIELDS,
            crate::GpuId::FIELDS,
            crate::id::L2Features::FIELDS,
            crate::id::TilerFeatures::FIELDS,
            crate::id::MemFeatures::FIELDS,
            crate::id::MmuFeatures::FIELDS,
            crate::id::CsfId::FIELDS,
            crate::id::ThreadFeatures::FIELDS,
            crate::gpu::FaultStatus::FIELDS,
            crate::mmu::TransCfg::FIELDS,
            crate::mmu::FaultStatus::FIELDS,
        ];
        for fields in types {
            let mut taken = 0;
            for (name, mask) in *fields {
                assert_eq!(taken & mask, 0, "`{name}` overlaps another field");
                taken |= mask;
            }
        }
    }

    #[test]
    fn a_value_is_shown_field_by_field() {
        let shown = format!("{:?}", Sample(0xa000_0100_0000_0012));
        assert_eq!(shown, "Sample { lower: 0x12, flag: 0x1, top: 0xa }");
    }
}
