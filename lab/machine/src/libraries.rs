// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds the shared libraries that a program of the toolchain root needs, without running it.
//!
//! Source: ld.so(8) for the order of search. Only what Debian's programs use of it is implemented: `RUNPATH` with
//! `$ORIGIN`, then the architecture's directories.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use object::{
    elf::{DT_NEEDED, DT_RPATH, DT_RUNPATH},
    read::elf::{Dyn, ElfFile64, ProgramHeader},
};

use drydock_base::error::{Context, Error, Kind, Result};

/// Debian's directories of libraries, relative to the root.
const DIRECTORIES: &[&str] = &["usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib"];

/// The loader's inputs in a program's headers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The path of the dynamic loader; `None` for a static program.
    pub(crate) interpreter: Option<String>,
    /// The names of libraries, as in `DT_NEEDED`.
    pub libraries: Vec<String>,
    /// Directories to search first.
    pub(crate) runpath: Vec<String>,
}

/// Returns all libraries that `program` (absolute inside the root) needs, and the loader, as sorted absolute paths
/// inside the root.
pub(crate) fn closure(root: &Path, program: &str) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut todo = vec![program.to_owned()];
    while let Some(path) = todo.pop() {
        let host = inside(root, &path);
        let bytes = fs::read(&host).with_context(|| format!("cannot read `{}`", host.display()))?;
        let needs = needs(&bytes).with_context(|| format!("`{}` is not a readable ELF file", host.display()))?;
        let mut wanted: Vec<String> = needs.interpreter.iter().cloned().collect();
        for name in &needs.libraries {
            wanted.push(search(root, &path, &needs.runpath, name).ok_or_else(|| missing(&path, name))?);
        }
        for path in wanted {
            if found.insert(path.clone()) {
                todo.push(path);
            }
        }
    }
    Ok(found)
}

fn missing(program: &str, library: &str) -> Error {
    let message = format!("library `{library}`, needed by `{program}`, is not in the toolchain root");
    Error::new(Kind::Machinery, message)
}

/// Reads from its ELF headers what a program or library needs.
pub fn needs(bytes: &[u8]) -> Result<Needs, object::Error> {
    let elf = ElfFile64::<object::Endianness>::parse(bytes)?;
    let endian = elf.endian();
    let mut needs = Needs::default();
    for header in elf.elf_program_headers() {
        if let Some(path) = header.interpreter(endian, bytes)? {
            needs.interpreter = Some(text(path));
        }
    }
    let sections = elf.elf_section_table();
    let Some((dynamic, strings)) = sections.dynamic(endian, bytes)? else {
        return Ok(needs);
    };
    let strings = sections.strings(endian, bytes, strings)?;
    for entry in dynamic {
        let Some(tag) = entry.tag32(endian) else { continue };
        match tag {
            DT_NEEDED => needs.libraries.push(text(entry.string(endian, strings)?)),
            DT_RUNPATH | DT_RPATH => {
                let path = text(entry.string(endian, strings)?);
                needs.runpath.extend(path.split(':').map(str::to_owned));
            }
            _ => {}
        }
    }
    Ok(needs)
}

fn search(root: &Path, program: &str, runpath: &[String], name: &str) -> Option<String> {
    let origin = program.rsplit_once('/').map_or("", |(directory, _)| directory);
    let first = runpath.iter().map(|path| path.replace("$ORIGIN", origin).replace("${ORIGIN}", origin));
    first
        .chain(DIRECTORIES.iter().map(|directory| format!("/{directory}")))
        .map(|directory| format!("{}/{name}", directory.trim_end_matches('/')))
        .find(|path| inside(root, path).exists())
}

/// Returns the path on the host of an absolute path inside the root. Works only for roots whose top-level links
/// (`lib64`, `lib`, `bin`) are relative, as Debian's are.
pub fn inside(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_program_itself_needs_a_loader_and_the_c_library() {
        let bytes = fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = needs(&bytes).unwrap();
        assert!(needs.interpreter.unwrap().contains("ld-linux"));
        assert!(needs.libraries.iter().any(|name| name == "libc.so.6"), "{:?}", needs.libraries);
    }

    #[test]
    fn a_text_file_is_an_error() {
        assert!(needs(b"#!/bin/sh\n").is_err());
    }
}
