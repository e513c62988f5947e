// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Walks tables for each access, as the hardware does.

use crate::entry::{Attributes, Entry};
use crate::geometry::{Geometry, LAST_LEVEL, index, span};

/// The kind of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A read.
    Read,
    /// A write.
    Write,
    /// Execution.
    Execute,
}

/// The translation of a virtual address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The physical address.
    pub address: u64,
    /// The number of bytes from there that the same entry maps.
    pub length: u64,
    /// The level of the entry: 3 for a page, 2 for a block of 2 MiB, 1 for one of 1 GiB.
    pub level: u32,
    /// The allowed uses of the memory.
    pub attributes: Attributes,
}

impl Translation {
    /// Returns the number of bytes that the entry maps, including those before the address.
    pub const fn span(&self) -> u64 {
        span(self.level)
    }

    /// Whether the mapping permits the access.
    pub const fn allows(&self, access: Access) -> bool {
        match access {
            Access::Read => true,
            Access::Write => !self.attributes.read_only,
            Access::Execute => !self.attributes.no_execute,
        }
    }
}

/// The kind of fault that an access causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The virtual address has more bits than the address space.
    InputSize,
    /// A physical address in the tables, including the root's, has more bits than the GPU.
    OutputSize,
    /// The address is not mapped.
    Translation,
    /// The mapping lacks its access flag.
    AccessFlag,
    /// The mapping does not permit the access.
    Permission,
}

/// The fault that an access causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind of fault.
    pub kind: FaultKind,
    /// The level of the table with the faulting entry.
    pub level: u32,
}

/// The reason why a walk ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkError<E> {
    /// The access faults.
    Fault(Fault),
    /// An entry could not be read.
    Read(E),
}

/// Walks the tables below `root` for an access to `va`, as the hardware would. `read` reads the eight bytes of an entry
/// at a physical address.
///
/// At most four entries are read, whatever their values.
pub fn walk<E>(
    geometry: Geometry,
    root: u64,
    va: u64,
    access: Access,
    mut read: impl FnMut(u64) -> Result<u64, E>,
) -> Result<Translation, WalkError<E>> {
    let mut level = geometry.root_level();
    let fault = |kind, level| Err(WalkError::Fault(Fault { kind, level }));
    if va >= geometry.va_end() {
        return fault(FaultKind::InputSize, level);
    }
    let mut table = root;
    loop {
        if table >= geometry.pa_end() {
            return fault(FaultKind::OutputSize, level);
        }
        let bits = read(table + 8 * index(level, va) as u64).map_err(WalkError::Read)?;
        let leaf = match Entry::decode(level, bits) {
            Entry::Invalid => return fault(FaultKind::Translation, level),
            Entry::Table(next) if level < LAST_LEVEL => {
                table = next;
                level += 1;
                continue;
            }
            // On the last level `decode` returns no table, since such entries do not exist.
            Entry::Table(_) => return fault(FaultKind::Translation, level),
            Entry::Leaf(leaf) => leaf,
        };
        let offset = va & (span(level) - 1);
        let (address, length) = (leaf.address | offset, span(level) - offset);
        let translation = Translation { address, length, level, attributes: leaf.attributes };
        return match () {
            () if leaf.address >= geometry.pa_end() => fault(FaultKind::OutputSize, level),
            () if !leaf.accessed => fault(FaultKind::AccessFlag, level),
            () if !leaf.unprivileged || !translation.allows(access) => fault(FaultKind::Permission, level),
            () => Ok(translation),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GEOMETRY: Geometry = match Geometry::new(48, 40) {
        Some(geometry) => geometry,
        None => panic!("widths of the Mali-G610"),
    };

    /// Walks tables in which the `n`-th entry that is read is `entries[n]`.
    fn walk_by(entries: &[u64], va: u64, access: Access) -> Result<Translation, WalkError<()>> {
        let mut entries = entries.iter();
        walk(GEOMETRY, 0x1000, va, access, |_| entries.next().copied().ok_or(()))
    }

    fn fault(kind: FaultKind, level: u32) -> Result<Translation, WalkError<()>> {
        Err(WalkError::Fault(Fault { kind, level }))
    }

    #[test]
    fn entries_are_read_where_they_stand() {
        let va = 0x80_4030_3abc; // index 1 on each level, but 0x103 on the last
        let mut places = Vec::new();
        let walked = walk(GEOMETRY, 0x1000, va, Access::Write, |at| {
            places.push(at);
            Ok::<_, ()>(places.len() as u64 * 0x10_0000 | 0x443)
        });
        assert_eq!(places, [0x1008, 0x10_0008, 0x20_0008, 0x30_0818]);
        let translation = walked.unwrap();
        assert_eq!((translation.address, translation.length, translation.level), (0x40_0abc, 0x544, 3));
    }

    #[test]
    fn each_fault_has_its_level() {
        use FaultKind::*;
        const TABLE: u64 = 0x2003;
        let block = 0x4000_0441 | 1 << 7 | 3 << 53; // read-only, not executable
        assert_eq!(walk_by(&[], 1 << 48, Access::Read), fault(InputSize, 0));
        assert_eq!(walk_by(&[0], 0, Access::Read), fault(Translation, 0));
        assert_eq!(walk_by(&[TABLE, TABLE, 0], 0, Access::Read), fault(Translation, 2));
        assert_eq!(walk_by(&[TABLE | 1 << 41], 0, Access::Read), fault(OutputSize, 1));
        assert_eq!(walk_by(&[TABLE, block | 1 << 40], 0, Access::Read), fault(OutputSize, 1));
        assert_eq!(walk_by(&[TABLE, block & !0x400], 0, Access::Read), fault(AccessFlag, 1));
        assert_eq!(walk_by(&[TABLE, block], 0, Access::Write), fault(Permission, 1));
        assert_eq!(walk_by(&[TABLE, block], 0, Access::Execute), fault(Permission, 1));
        assert_eq!(walk_by(&[TABLE, block & !0x40], 0, Access::Read), fault(Permission, 1));
        assert!(walk_by(&[TABLE, block], 0, Access::Read).is_ok());
        assert_eq!(walk_by(&[TABLE], 0, Access::Read), Err(WalkError::Read(())));
    }

    proptest! {
        #[test]
        fn walk_ends_for_any_tables(root: u64, va: u64, entries in prop::array::uniform4(any::<u64>())) {
            let mut reads = 0;
            let walked = walk(GEOMETRY, root, va, Access::Read, |at| {
                prop_assert!(at < 1 << 48);
                reads += 1;
                Ok(entries[reads - 1])
            });
            if let Err(WalkError::Read(error)) = walked {
                return Err(error);
            }
        }
    }
}
