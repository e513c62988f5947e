// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock doc`: builds the documentation of the crate `drm`, with the metadata that the crate is compiled against.
//!
//! Kbuild has no rule for the documentation of external modules. The command it recorded when it compiled the crate has
//! every flag that rustdoc needs, so the lab runs that command again with rustdoc in place of rustc.
//!
//! Source: scripts/Kbuild.include (`savedcmd_`), rust/Makefile (`cmd_rustdoc`).

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::compile_fail::page;
use drydock_base::cache::write_atomically;
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::{exit, process};
use drydock_toolchain::modules;
use drydock_toolchain::root::Binds;
use drydock_toolchain::setup::{self, Toolchain};

/// Build the documentation of the `drm` crate
///
/// Writes HTML pages to `target/doc` of the checkout. Private items of the crate are left out; types of the kernel's crates
/// link to the kernel's own pages. `what-the-compiler-stops.html` shows every case of `tests/compile-fail` with the compiler's
/// message.
#[derive(Debug, Args)]
pub struct Options {
    /// Fail if rustdoc prints a warning
    #[arg(long)]
    deny_warnings: bool,
}

/// The site that documents the kernel's crates.
const KERNEL_PAGES: &str = "https://rust.docs.kernel.org";
const KERNEL_CRATES: [&str; 4] = ["kernel", "pin_init", "ffi", "core"];

/// The page of the mistakes that do not compile, beside rustdoc's.
const MISTAKES: &str = "what-the-compiler-stops.html";

#[derive(Debug, Serialize)]
struct Made {
    index: PathBuf,
    warnings: usize,
}

/// Runs `drydock doc`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let toolchain = setup::ensure(events)?;
    let source = toolchain.repo.join("kernel");
    let built = modules::build(&toolchain, &source, None, events)?;
    let pages = toolchain.repo.join("target/doc");
    std::fs::create_dir_all(&pages).with_context(|| format!("failed to create `{}`", pages.display()))?;
    let warnings = document(&toolchain, &source, &built.dir, &pages, options.deny_warnings, events)?;
    write_atomically(&pages.join(MISTAKES), page::html(&toolchain.repo)?)?;
    let made = Made { index: pages.join("drm/index.html"), warnings };
    events.result(&made, |made| made.index.display().to_string());
    Ok(exit::OK)
}

fn document(
    toolchain: &Toolchain,
    source: &Path,
    out: &Path,
    pages: &Path,
    deny: bool,
    events: &Events,
) -> Result<usize> {
    let step = events.step("documenting the crate `drm`");
    let recorded = out.join("drm/.drm.o.cmd");
    let text =
        std::fs::read_to_string(&recorded).with_context(|| format!("failed to read `{}`", recorded.display()))?;
    let mut command = rustdoc(&text)
        .ok_or_else(|| Error::new(Kind::Machinery, format!("no rustc command in `{}`", recorded.display())))?;
    if deny {
        command.push_str(" -Dwarnings");
    }
    let binds = Binds::none().read(source, "/kernel-src").read(out, "/out").write(pages, "/pages");
    let mut shell = toolchain.command("sh", &binds);
    // The command uses flags that the compiler otherwise allows only in nightly builds. The kernel's Makefile sets this
    // too.
    shell.args(["-c", &format!("cd /out && {command} 2>&1")]).env("RUSTC_BOOTSTRAP", "1");
    shell.env("DRM_BINDINGS", "/out/drm/bindings_generated.rs");
    let said = process::watch(&mut shell, &step, |_| false).map_err(|error| match error.kind() {
        Kind::Interrupted => error,
        _ => Error::new(Kind::Build, "the documentation does not build").details(error.detail_lines()),
    })?;
    let warnings = said.iter().filter(|line| line.starts_with("warning:") && !line.ends_with(" emitted")).count();
    step.done_with(if warnings == 0 { "no warnings".to_owned() } else { format!("{warnings} warnings") });
    for line in said.iter().filter(|_| warnings > 0) {
        events.note(line.replace("/kernel-src", &source.display().to_string()));
    }
    Ok(warnings)
}

/// Turns the recorded rustc command into one for rustdoc.
fn rustdoc(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("savedcmd_"))?;
    let (variables, arguments) = line.split_once(" := ")?.1.split_once(" rustc ")?;
    // No word of the command contains a space, except a quoted one that the shell takes unchanged.
    let (arguments, source) = arguments.split_once(" --out-dir ")?;
    let source = source.split(' ').find(|word| word.ends_with(".rs"))?;
    let kept: Vec<_> = arguments.split(' ').filter(|word| !word.starts_with("--emit")).collect();
    let links = KERNEL_CRATES.map(|name| format!("--extern-html-root-url {name}={KERNEL_PAGES}/"));
    let links = links.join(" ");
    Some(format!("{variables} rustdoc {} --crate-name=drm {links} --output /pages {source}", kept.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_command_becomes_one_of_rustdoc() {
        let recorded = "savedcmd_drm/drm.o := OBJTREE=/t rustc --edition=2021 --emit=metadata=x --extern kernel \
                        -L /t/rust --out-dir drm/ --emit=obj=drm/drm.o /src/drm/drm.rs  \n\nsource_drm := x\n";
        let command = rustdoc(recorded).unwrap();
        assert!(command.starts_with("OBJTREE=/t rustdoc --edition=2021 --extern kernel -L /t/rust "), "{command}");
        assert!(command.ends_with(" --output /pages /src/drm/drm.rs"), "{command}");
        assert_eq!(rustdoc("deps := x"), None);
    }
}
