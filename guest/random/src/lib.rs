// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Random calls on a DRM device: the one description of each ioctl, the values that are worth trying, and the structures
//! in memory that these make.
//!
//! ```text
//! spec     → which calls there are: their fields, and the objects that each field refers to
//! program  → a call with values, and a sequence of calls          text → the same as JSON
//! generate → makes and changes calls and sequences                layout → puts a call's structure into memory
//! ```
//!
//! Two programs execute such calls. The fuzzer (`main.rs`) runs one sequence at a time, from a text that can be replayed. A
//! storm (`guest/tests/src/storm.rs`) makes single calls from many processes at once.
//!
//! Source: each module names its own.

pub mod generate;
pub mod layout;
pub mod program;
pub mod spec;
pub mod text;
