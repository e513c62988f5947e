// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs programs that nobody here wrote, from Debian's packages, on a driver: `packages::NAME`. Only `--all` runs them, because
//! the packages are downloaded.

use std::collections::BTreeSet;
use std::path::Path;

use drydock_base::error::Result;
use drydock_machine::scenario::Content;

use super::programs::{DRIVER, run};
use super::suite::{Case, Context, Filter, Need, Suite, Verdict};
use super::{NO_TIME, TO_BEGIN};

/// Programs of Debian packages in a guest.
pub(super) struct Packages;

const NAME: &str = "packages";

/// A program, as docs/how-to/run-your-program.md shows it.
struct Program {
    name: &'static str,
    /// The words after `drydock run vgem`.
    line: &'static str,
    code: i32,
    /// A part of its output.
    says: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "modetest",
        line: "--root debian -- modetest -M vgem",
        code: 1,
        says: "drmModeGetResources failed: Operation not supported",
    },
    Program {
        name: "drm_info",
        line: "--root debian -- drm_info",
        code: 0,
        says: "drmModeGetResources: Operation not supported",
    },
    Program {
        name: "udev",
        line: "--root debian -- udevadm info /dev/dri/card0",
        code: 0,
        says: "ID_PATH=platform-vgem",
    },
    Program {
        name: "strace",
        line: "--packages strace -- strace -e ioctl modetest -M vgem",
        code: 1,
        says: "DRM_IOCTL_VERSION",
    },
    Program {
        name: "gdb",
        line: "--packages gdb -- gdb --batch -ex 'catch syscall ioctl' -ex run -ex bt --args modetest -M vgem",
        code: 0,
        says: "libdrm.so.2",
    },
    Program {
        name: "python3",
        line: "--packages python3-minimal -- python3 -c 'import os; print(os.listdir(\"/dev/dri\"))'",
        code: 0,
        says: "renderD128",
    },
    Program { name: "vulkaninfo", line: "--packages vulkan-tools -- vulkaninfo --summary", code: 0, says: "llvmpipe" },
    Program { name: "lsgpu", line: "--packages intel-gpu-tools -- lsgpu", code: 0, says: "drm:/dev/dri/renderD128" },
    Program {
        name: "two_devices",
        line: "--device virtio-gpu --root debian -- drm_info",
        code: 0,
        says: "Driver: virtio_gpu",
    },
];

impl Program {
    /// Returns the words of its line, as a shell would.
    fn words(&self) -> Vec<String> {
        shlex::split(self.line).expect("its quotes are closed")
    }
}

fn case_name(name: &str) -> String {
    format!("{NAME}::{name}")
}

impl Suite for Packages {
    fn name(&self) -> &'static str {
        NAME
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    fn tests_the_kernel(&self) -> bool {
        false
    }

    fn is_extra(&self) -> bool {
        true
    }

    fn content(&self, repo: &Path, _filter: &Filter) -> Result<Content> {
        Content::of_driver(repo, DRIVER)
    }

    fn names(&self, _repo: &Path) -> Result<BTreeSet<String>> {
        Ok(PROGRAMS.iter().map(|program| case_name(program.name)).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        let wanted: Vec<_> = PROGRAMS.iter().filter(|one| context.filter.selects(&case_name(one.name))).collect();
        let step = context.events.step("programs of Debian packages");
        for program in &wanted {
            let verdict = match context.deadline.is_nearer_than(TO_BEGIN) {
                true => Verdict::Skipped { why: NO_TIME.to_owned() },
                false => verdict(program)?,
            };
            tell(Case { name: case_name(program.name), verdict });
        }
        step.done_with(format!("{} programs", wanted.len()));
        Ok(())
    }
}

fn verdict(program: &Program) -> Result<Verdict> {
    let words = program.words();
    // How slow the machine is does not matter here.
    let words: Vec<_> = ["--limit", "3000"].into_iter().chain(words.iter().map(String::as_str)).collect();
    let output = run(Path::new("/"), &words)?;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if output.status.code() == Some(program.code) && said.contains(program.says) {
        return Ok(Verdict::Passed);
    }
    let details = said.lines().rev().take(SHOWN).collect::<Vec<_>>().into_iter().rev().map(str::to_owned).collect();
    Ok(Verdict::Failed { why: format!("{}, or `{}` is missing", output.status, program.says), details })
}

/// The number of lines of a failed program's output that are shown.
const SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_stands_in_the_documentation() {
        let page = include_str!("../../../../docs/how-to/run-your-program.md");
        for program in PROGRAMS {
            let line = format!("./drydock run {DRIVER} {}", program.line);
            assert!(page.contains(&line), "{line}");
        }
    }
}
