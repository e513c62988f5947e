// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The compiler as modules see it: the command that Kbuild recorded when it built `vgem`, with another source file.
//!
//! Source: `scripts/Kbuild.include` (`savedcmd_…` in `.NAME.o.cmd`).

use std::fs;
use std::path::{Path, PathBuf};

use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::process;
use drydock_toolchain::modules::BuiltModules;
use drydock_toolchain::root::{self, Binds};
use drydock_toolchain::setup::Toolchain;

use super::case::{Case, DIRECTORY, INSIDE, SHARED, Side};
use super::message;

/// How far compilation goes. Checking finds most mistakes. Code that is evaluated for a driver's own types fails only
/// when code is generated. Checking takes half of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Checking only.
    Check,
    /// A complete build, as for a module.
    Build,
}

impl Depth {
    fn flag(self) -> String {
        match self {
            Self::Check => format!("--emit=metadata={}/case.rmeta", root::PRIVATE_TMP),
            Self::Build => format!("--emit=obj={}/case.o", root::PRIVATE_TMP),
        }
    }
}

/// The result of compiling.
pub(crate) enum Compiled {
    /// The source compiles.
    Yes,
    /// The source does not compile, with this message.
    No(String),
}

/// Flags for messages that do not depend on the machine: fixed width, no line numbers in the margin, no files for long
/// types.
const MESSAGE_FLAGS: &str = "--diagnostic-width=120 -Zui-testing -Zwrite-long-types-to-disk=no";

/// Cases are safe code and do not test warnings.
const LINT_FLAGS: &str = "-Funsafe_code -Awarnings";

/// A compiler that is ready to run.
pub(crate) struct Compiler<'s> {
    toolchain: &'s Toolchain,
    binds: Binds,
    command: String,
}

impl<'s> Compiler<'s> {
    /// Reads Kbuild's command and writes both sides of each case to files.
    pub(crate) fn prepare(toolchain: &'s Toolchain, modules: &BuiltModules, cases: &[Case]) -> Result<Self> {
        let sources = toolchain.work().join("compile-fail");
        drydock_base::cache::remove_tree(&sources)?;
        for side in [Side::Wrong, Side::Right] {
            let directory = sources.join(side.directory());
            for name in SHARED {
                let shared = toolchain.repo.join(DIRECTORY).join(name);
                let shared = fs::read(&shared).with_context(|| format!("failed to read `{}`", shared.display()))?;
                write(&directory.join(name), shared)?;
            }
            for case in cases {
                write(&directory.join(&case.name).with_extension("rs"), case.source(side))?;
            }
        }
        let out = &modules.dir;
        let binds =
            Binds::none().read(toolchain.repo.join("kernel"), "/kernel-src").read(out, "/out").read(sources, INSIDE);
        Ok(Self { toolchain, binds, command: recorded_command(out)? })
    }

    /// Compiles one side of a case.
    pub(crate) fn compile(&self, case: &Case, side: Side, depth: Depth) -> Result<Compiled> {
        let source = format!("{} {INSIDE}/{}/{}.rs", depth.flag(), side.directory(), case.name);
        // That it does not compile is a result. That the compiler cannot run is an error.
        let script = format!("cd /out; {{ {} {source}; }} 2>&1; echo \"exit code $?\"", self.command);
        let mut shell = self.toolchain.command("sh", &self.binds);
        // The command uses flags that the compiler otherwise allows only in nightly builds. The kernel's Makefile sets
        // this too.
        shell.args(["-c", &script]).env("RUSTC_BOOTSTRAP", "1");
        let said = process::output(&mut shell)?;
        match said.trim_end().rsplit_once("exit code ") {
            Some((_, "0")) => Ok(Compiled::Yes),
            Some((said, "1")) => Ok(Compiled::No(message::normalize(said))),
            _ => Err(Error::new(Kind::Machinery, format!("rustc failed on `{}`", case.name)).details(said.lines())),
        }
    }
}

fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    let directory = path.parent().expect("a file is in a directory");
    drydock_base::cache::make_dir(directory)?;
    fs::write(path, text).with_context(|| format!("failed to write `{}`", path.display()))
}

/// Returns the command that compiled `vgem`, up to the arguments that name its input and output.
pub(crate) fn recorded_command(out: &Path) -> Result<String> {
    let path: PathBuf = out.join("drivers/vgem/.vgem.o.cmd");
    let text = fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
    command_in(&text).ok_or_else(|| Error::new(Kind::Machinery, format!("no rustc command in `{}`", path.display())))
}

fn command_in(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("savedcmd_"))?;
    let (_, command) = line.split_once(" := ")?;
    let (command, _) = command.split_once(" --out-dir ")?;
    // Debug information takes time and is not needed here.
    let command = command.replace(" -Cdebuginfo=2", "");
    let out = root::PRIVATE_TMP;
    Some(format!("{command} --crate-name=case --out-dir={out} {LINT_FLAGS} {MESSAGE_FLAGS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_command_is_cut_before_its_files() {
        let recorded = "savedcmd_drivers/vgem/vgem.o := OBJTREE=/t rustc -Copt-level=2 -Cdebuginfo=2 --extern kernel \
                        --out-dir drivers/vgem/ --emit=obj=drivers/vgem/vgem.o /src/vgem.rs\n\nsource_drivers := x\n";
        let command = command_in(recorded).unwrap();
        assert!(command.starts_with("OBJTREE=/t rustc -Copt-level=2 --extern kernel --crate-name=case "), "{command}");
        assert!(!command.contains("vgem"), "{command}");
        assert_eq!(command_in("deps := x"), None);
    }
}
