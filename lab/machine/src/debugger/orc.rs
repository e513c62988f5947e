// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Translates ORC, the tables by which the kernel unwinds its own stack, to DWARF's call frame information for gdb.
//!
//! Source: arch/x86/include/asm/orc_types.h and arch/x86/kernel/unwind_orc.c of Linux 7.3; arch/x86/include/asm/ptrace.h;
//! DWARF 4, section 6.4; System V ABI, AMD64 supplement, for the numbers of registers.

/// A rule of ORC, valid from its address to the next one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) address: u64,
    sp_offset: i16,
    bp_offset: i16,
    /// `sp_reg`, `bp_reg`, `type` and `signal`, from the lowest bit.
    bits: u16,
}

/// The size of an entry without its address.
pub(super) const SIZE: usize = 6;

/// The number of rules in one description. gdb runs through a description from its start to find a rule.
const MOST: usize = 64;

// DWARF's numbers of registers.
const RBX: u8 = 3;
const RBP: u8 = 6;
const RSP: u8 = 7;
const R12: u8 = 12;
const R15: u8 = 15;
const RETURN_ADDRESS: u8 = 16;

// Offsets in `struct pt_regs`.
const REGS_BP: i64 = 32;
const REGS_IP: u8 = 128;
const REGS_CS: u8 = 136;
const REGS_SP: i64 = 152;

const NOP: u8 = 0x00;
const UNDEFINED: u8 = 0x07;
const SAME_VALUE: u8 = 0x08;
const DEF_CFA_EXPRESSION: u8 = 0x0f;
const EXPRESSION: u8 = 0x10;
const OFFSET_EXTENDED_SF: u8 = 0x11;
const DEF_CFA_SF: u8 = 0x12;
const VAL_EXPRESSION: u8 = 0x16;
const RESTORE: u8 = 0xc0;

const OP_DEREF: u8 = 0x06;
const OP_CONST2S: u8 = 0x0b;
const OP_DUP: u8 = 0x12;
const OP_DROP: u8 = 0x13;
const OP_AND: u8 = 0x1a;
const OP_PLUS: u8 = 0x22;
const OP_PLUS_UCONST: u8 = 0x23;
const OP_BRA: u8 = 0x28;
const OP_SKIP: u8 = 0x2f;
const OP_LIT0: u8 = 0x30;
const OP_LIT3: u8 = 0x33;
const OP_BREG: u8 = 0x70;

/// The kind of a frame, which says where its caller's registers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The stack ends here, or nothing is known.
    End,
    /// A call has pushed the return address.
    Call,
    /// An entry has pushed `struct pt_regs`.
    Regs,
    /// The processor has pushed the end of `struct pt_regs`.
    Interrupt,
}

impl Entry {
    /// Reads the entry for `address`.
    pub(super) fn new(address: u64, bytes: &[u8; SIZE]) -> Self {
        let [a, b, c, d, e, f] = *bytes;
        let (sp_offset, bp_offset) = (i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d]));
        Self { address, sp_offset, bp_offset, bits: u16::from_le_bytes([e, f]) }
    }

    /// Returns an entry for the end of the code, where nothing is known.
    pub(super) fn end(address: u64) -> Self {
        Self { address, sp_offset: 0, bp_offset: 0, bits: 0 }
    }

    fn kind(&self) -> Kind {
        match (self.bits >> 8 & 7, self.bits & 15) {
            // A stack pointer of an unknown register.
            (2.., 0 | 8 | 11..) => Kind::End,
            (2, _) => Kind::Call,
            (3, _) => Kind::Regs,
            (4, _) => Kind::Interrupt,
            _ => Kind::End,
        }
    }

    /// Returns the instruction for the canonical frame address, which ORC calls the previous stack pointer.
    fn frame_address(&self) -> Vec<u8> {
        let offset = i64::from(self.sp_offset);
        let register = |register, offset| [vec![DEF_CFA_SF, register], sleb(offset)].concat();
        match self.bits & 15 {
            1 => register(0, 0),
            2 => register(1, 0),
            4 => register(RBP, offset),
            5 => register(5, 0),
            6 => register(10, 0),
            7 => register(13, 0),
            9 => {
                let [low, high] = self.sp_offset.to_le_bytes();
                block(&[DEF_CFA_EXPRESSION], &[OP_BREG + RSP, 0, OP_DEREF, OP_CONST2S, low, high, OP_PLUS])
            }
            10 => block(&[DEF_CFA_EXPRESSION], &[vec![OP_BREG + RBP], sleb(offset), vec![OP_DEREF]].concat()),
            _ => register(RSP, offset),
        }
    }

    /// Returns the instruction for the caller's `rbp`.
    fn frame_pointer(&self) -> Vec<u8> {
        let offset = i64::from(self.bp_offset);
        match (self.bits >> 4 & 15, self.kind()) {
            (8, _) => saved(RBP, offset),
            (4, _) => block(&[EXPRESSION, RBP], &[vec![OP_BREG + RBP], sleb(offset)].concat()),
            (_, Kind::Regs) => saved(RBP, REGS_BP),
            _ => vec![SAME_VALUE, RBP],
        }
    }
}

impl Kind {
    /// Returns the instructions for the return address and the caller's stack pointer.
    fn caller(self) -> Vec<u8> {
        match self {
            Self::End => vec![UNDEFINED, RETURN_ADDRESS],
            // The common information has the rules for a call.
            Self::Call => vec![RESTORE | RETURN_ADDRESS, RESTORE | RSP],
            Self::Regs => [interrupted(REGS_IP, REGS_CS), saved(RSP, REGS_SP)].concat(),
            Self::Interrupt => {
                let offset = i64::from(REGS_IP);
                [interrupted(0, REGS_CS - REGS_IP), saved(RSP, REGS_SP - offset)].concat()
            }
        }
    }
}

/// Returns the rule for an interrupted instruction, at `ip` above the frame's address: its own address if it was the
/// kernel's, and 0, where gdb stops, if it was a user's. The lowest bits of the code segment, at `cs`, tell them apart.
fn interrupted(ip: u8, cs: u8) -> Vec<u8> {
    let get = |at: u8| [vec![OP_PLUS_UCONST], uleb(at.into()), vec![OP_DEREF]].concat();
    let skip = |operation, bytes: usize| vec![operation, bytes as u8, 0];
    let users = vec![OP_DROP, OP_LIT0];
    let kernels = [get(ip), skip(OP_SKIP, users.len())].concat();
    let is_users = [vec![OP_DUP], get(cs), vec![OP_LIT3, OP_AND], skip(OP_BRA, kernels.len())].concat();
    block(&[VAL_EXPRESSION, RETURN_ADDRESS], &[is_users, kernels, users].concat())
}

/// Returns the instruction for a register that is saved at `offset` from the frame's address.
fn saved(register: u8, offset: i64) -> Vec<u8> {
    [vec![OFFSET_EXTENDED_SF, register], sleb(offset)].concat()
}

/// Returns an instruction with an expression.
fn block(instruction: &[u8], expression: &[u8]) -> Vec<u8> {
    [instruction, &uleb(expression.len() as u64), expression].concat()
}

/// Returns the content of `.debug_frame` for sections of code. The entries of each are sorted by address, and the last one
/// is at its end.
pub(super) fn frames(sections: &[Vec<Entry>]) -> Vec<u8> {
    let mut out = record(&common());
    for entries in sections {
        let mut rest = entries.as_slice();
        while let [_, _, ..] = rest {
            let count = rest.len().min(MOST + 1);
            out.extend(record(&description(&rest[..count])));
            rest = &rest[count - 1..];
        }
    }
    out
}

/// Returns what all descriptions have in common: addresses and offsets are in bytes, and a frame is that of a call. ORC
/// knows nothing of the other registers that a function must preserve.
fn common() -> Vec<u8> {
    let id = u32::MAX.to_le_bytes();
    let (version, no_augmentation, code_unit, data_unit) = (1, 0, 1, 1);
    let mut out = [&id[..], &[version, no_augmentation, code_unit, data_unit, RETURN_ADDRESS]].concat();
    out.extend([vec![DEF_CFA_SF, RSP], sleb(8), saved(RETURN_ADDRESS, -8)].concat());
    out.extend([RBX].into_iter().chain(R12..=R15).flat_map(|register| [UNDEFINED, register]));
    out
}

/// Returns a description of the code from the first to the last of `entries`.
fn description(entries: &[Entry]) -> Vec<u8> {
    let (first, last) = (entries[0].address, entries[entries.len() - 1].address);
    // The common information is at the beginning of the section.
    let mut out = 0u32.to_le_bytes().to_vec();
    out.extend(first.to_le_bytes());
    out.extend((last - first).to_le_bytes());
    let mut before: Option<[Vec<u8>; 3]> = None;
    let mut at = first;
    for entry in &entries[..entries.len() - 1] {
        let rules = [entry.frame_address(), entry.frame_pointer(), entry.kind().caller()];
        if entry.address > at {
            advance(entry.address - at, &mut out);
            at = entry.address;
        }
        for (number, rule) in rules.iter().enumerate() {
            if before.as_ref().is_none_or(|before| before[number] != *rule) {
                out.extend(rule);
            }
        }
        before = Some(rules);
    }
    out
}

fn advance(bytes: u64, out: &mut Vec<u8>) {
    match bytes {
        ..64 => out.push(0x40 | bytes as u8),
        64..256 => out.extend([0x02, bytes as u8]),
        _ => {
            out.push(0x04);
            out.extend((bytes as u32).to_le_bytes());
        }
    }
}

/// Returns a record with its length, padded.
fn record(content: &[u8]) -> Vec<u8> {
    let length = (content.len() + 4).next_multiple_of(8) - 4;
    let mut out = (length as u32).to_le_bytes().to_vec();
    out.extend(content);
    out.resize(length + 4, NOP);
    out
}

fn uleb(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = value as u8 & 0x7f;
        value >>= 7;
        out.push(if value == 0 { byte } else { byte | 0x80 });
        if value == 0 {
            return out;
        }
    }
}

fn sleb(mut value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = value as u8 & 0x7f;
        value >>= 7;
        let is_last = value == if byte & 0x40 == 0 { 0 } else { -1 };
        out.push(if is_last { byte } else { byte | 0x80 });
        if is_last {
            return out;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry with the stack pointer `sp_offset` below the frame's address.
    fn entry(address: u64, sp_offset: i16, kind: u16) -> Entry {
        Entry { address, sp_offset, bp_offset: 0, bits: 3 | kind << 8 }
    }

    #[test]
    fn entry_is_read_as_the_kernel_writes_it() {
        // `push %rbp` has moved the stack pointer by 8, and `rbp` is 16 below the frame's address.
        let entry = Entry::new(1, &[16, 0, 0xf0, 0xff, 0x83, 0x02]);
        assert_eq!(entry.kind(), Kind::Call);
        assert_eq!(entry.frame_address(), [DEF_CFA_SF, RSP, 16]);
        assert_eq!(entry.frame_pointer(), [OFFSET_EXTENDED_SF, RBP, 0x70]);
    }

    #[test]
    fn only_what_changes_is_written() {
        let entries = [entry(0x10, 8, 2), entry(0x11, 16, 2), entry(0x11 + 300, 8, 1), Entry::end(0x200)];
        let text = description(&entries);
        assert_eq!(text[..20], [&[0; 4][..], &0x10u64.to_le_bytes(), &0x1f0u64.to_le_bytes()].concat());
        let first = [DEF_CFA_SF, RSP, 8, SAME_VALUE, RBP, RESTORE | RETURN_ADDRESS, RESTORE | RSP];
        let second = [0x41, DEF_CFA_SF, RSP, 16];
        let third = [0x04, 0x2c, 1, 0, 0, DEF_CFA_SF, RSP, 8, UNDEFINED, RETURN_ADDRESS];
        assert_eq!(text[20..], [&first[..], &second, &third].concat());
    }

    #[test]
    fn interrupted_code_of_a_user_ends_the_stack() {
        // With the frame's address on the stack: 0 if the lowest bits of `cs` are set, and else `ip`.
        let expected = [
            VAL_EXPRESSION,
            RETURN_ADDRESS,
            19,
            OP_DUP,
            OP_PLUS_UCONST,
            0x88,
            1,
            OP_DEREF,
            OP_LIT3,
            OP_AND,
            OP_BRA,
            7,
            0,
            OP_PLUS_UCONST,
            0x80,
            1,
            OP_DEREF,
            OP_SKIP,
            2,
            0,
            OP_DROP,
            OP_LIT0,
        ];
        assert_eq!(interrupted(REGS_IP, REGS_CS)[..], expected[..]);
    }

    #[test]
    fn every_record_is_padded_and_long_code_has_several() {
        let entries: Vec<_> = (0..200).map(|at| entry(at * 16, 8, 2)).collect();
        let bytes = frames(&[entries]);
        let (mut at, mut count) = (0, 0);
        while at < bytes.len() {
            at += 4 + u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            assert_eq!(at % 8, 0);
            count += 1;
        }
        assert_eq!((at, count), (bytes.len(), 1 + 4));
    }

    #[test]
    fn numbers_are_written_in_sevens_of_bits() {
        assert_eq!((uleb(0), uleb(300)), (vec![0], vec![0xac, 2]));
        assert_eq!((sleb(-8), sleb(64), sleb(-129)), (vec![0x78], vec![0xc0, 0], vec![0xff, 0x7e]));
    }
}
