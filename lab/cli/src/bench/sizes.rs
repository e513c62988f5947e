// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Measures how much memory a module's code and data take once it is loaded.
//!
//! Source: the section flags of elf(5). Only sections with `SHF_ALLOC` get into the kernel's memory.

use object::{Object, ObjectSection, SectionFlags, elf};

use drydock_base::error::{Context, Result};
use drydock_machine::scenario::Stage;
use drydock_toolchain::kmod::{Module, Stock};

use super::table::{Side, Table};

/// Adds the sizes of a pair of modules.
pub(super) fn add(stage: &Stage, (rust, c): (&str, &str), table: &mut Table) -> Result<()> {
    for (name, side) in [(rust, Side::Rust), (c, Side::C)] {
        let module = read(stage, name)?;
        let (code, data) = measure(&module.bytes).with_context(|| format!("failed to read module `{name}`"))?;
        let what = rust.split('_').next().unwrap_or(rust);
        table.put(&format!("bytes of code, {what}"), side, code);
        table.put(&format!("bytes of data, {what}"), side, data);
    }
    Ok(())
}

fn read(stage: &Stage, name: &str) -> Result<Module> {
    let read = match stage.image().ours.get(name) {
        Some(path) => Module::read(path),
        None => Stock::index(&stage.toolchain().kernel.modules_dir).and_then(|stock| stock.read(name)),
    };
    read.with_context(|| format!("failed to read module `{name}`"))
}

/// Returns the bytes of code and of data that are loaded, without those freed after initialisation.
fn measure(bytes: &[u8]) -> Result<(f64, f64), object::Error> {
    let file = object::File::parse(bytes)?;
    let (mut code, mut data) = (0, 0);
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        let initial = section.name().is_ok_and(|name| name.starts_with(".init"));
        if initial || sh_flags & u64::from(elf::SHF_ALLOC) == 0 {
            continue;
        }
        match sh_flags & u64::from(elf::SHF_EXECINSTR) {
            0 => data += section.size(),
            _ => code += section.size(),
        }
    }
    // Modules are far below 2^53 bytes.
    Ok((code as f64, data as f64))
}
