// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! gdb's script: where the sources are, which files have the symbols, and where to connect.
//!
//! Source: Debugging with GDB, "Commands to Specify Files" and "Specifying Source Directories".

use std::fmt::Write;
use std::path::{Path, PathBuf};

use drydock_toolchain::setup::Toolchain;

/// The end of the script, when gdb is connected.
const GREETING: &str =
    "\\nThe guest is stopped. Set breakpoints and `continue`: devices are probed and the client starts.\\n";

/// Returns the script. `symbols` are the kernel's, `modules` the files of modules with the addresses of their sections.
pub(crate) fn script(
    toolchain: &Toolchain,
    symbols: &Path,
    modules: &[(PathBuf, Vec<(String, u64)>)],
    socket: &Path,
) -> String {
    let mut text = "# Written by `drydock run --gdb`.\nset print asm-demangle on\n".to_owned();
    for (built, here) in sources(toolchain) {
        line(&mut text, &format!("set substitute-path {built}"), &here, "");
    }
    line(&mut text, "file", symbols, "");
    for (file, sections) in modules {
        line(&mut text, "add-symbol-file", file, &options(sections));
    }
    // gdb takes the rest of the line for the socket's path.
    let _ = writeln!(text, "target remote {}", socket.display());
    text + &format!("echo {GREETING}")
}

/// Returns the paths by which the debug information names sources, and the directories that have them.
fn sources(toolchain: &Toolchain) -> [(&'static str, PathBuf); 4] {
    [
        ("/kernel-src", toolchain.repo.join("kernel")),
        ("/crates", toolchain.repo.join("crates")),
        ("/kernel/tree", toolchain.kernel.tree.clone()),
        ("/usr/lib/rustlib", toolchain.root.join("usr/lib/rustlib")),
    ]
}

/// Returns the addresses of the sections that stay in memory when the module is loaded, as options.
fn options(sections: &[(String, u64)]) -> String {
    let kept = sections.iter().filter(|(name, _)| is_kept(name));
    kept.fold(String::new(), |text, (name, address)| text + &format!(" -s {name} {address:#x}"))
}

/// Returns whether a section has code or variables and stays in memory. What `init` sections had may be other modules' now.
pub(crate) fn is_kept(name: &str) -> bool {
    let kinds = [".text", ".data", ".bss", ".rodata", ".exit.text", ".noinstr.text", ".static_call.text"];
    kinds.iter().any(|kind| name == *kind || name.strip_prefix(kind).is_some_and(|rest| rest.starts_with('.')))
}

/// Adds a command on a file. Inside quotation marks, gdb wants a backslash before one and before a backslash.
fn line(text: &mut String, command: &str, path: &Path, rest: &str) {
    let path = path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
    let _ = writeln!(text, "{command} \"{path}\"{rest}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_that_stay_are_given_with_their_addresses() {
        let sections = [(".text", 0xc000), (".init.text", 0xd000), (".text.unlikely", 0xe000), (".orc_unwind", 1)];
        let sections = sections.map(|(name, address)| (name.to_owned(), address));
        assert_eq!(options(&sections), " -s .text 0xc000 -s .text.unlikely 0xe000");
    }

    #[test]
    fn paths_are_quoted() {
        let mut text = String::new();
        line(&mut text, "file", Path::new("/a b/\"c\""), " -s .text 0x1");
        assert_eq!(text, "file \"/a b/\\\"c\\\"\" -s .text 0x1\n");
    }
}
