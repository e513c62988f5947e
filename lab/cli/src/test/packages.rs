// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs programs that nobody here wrote, from Debian's packages and crates.io, on a driver: `packages::NAME`. Only `--all`
//! runs them, because they are downloaded.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use drydock_base::error::{Context as _, Result};
use drydock_machine::scenario::Content;

use super::programs::{DRIVER, run};
use super::suite::{Case, Context, Filter, Need, Suite, Verdict};

/// Programs of Debian packages in a guest.
pub(super) struct Packages;

const NAME: &str = "packages";

/// A client of a crate on crates.io, and the words that build it.
const CRATE: &str = "drm_crate";
const INSTALL: &str = "cargo install drm --version 0.15.0 --locked --example basic --root tools";
const INSTALLED: &str = "-- tools/bin/basic";

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
    Program { name: "modinfo", line: "--root debian -- modinfo vgem_rust", code: 0, says: "/updates/vgem_rust.ko" },
    Program { name: "modprobe", line: "--root debian -- modprobe -v bochs", code: 0, says: "/drm_client_lib.ko" },
    Program {
        name: "valgrind",
        line: "--packages valgrind -- valgrind modetest -M vgem",
        code: 1,
        says: "ERROR SUMMARY: 0 errors",
    },
    Program {
        name: "python3",
        line: "--packages python3-pyudev -- python3 -c 'import pyudev; \
               print([d.sys_name for d in pyudev.Context().list_devices(subsystem=\"drm\")])'",
        code: 0,
        says: "['card0', 'renderD128']",
    },
    Program {
        name: "eglinfo",
        line: "--packages mesa-utils -- eglinfo -B -p gbm",
        code: 0,
        says: "OpenGL core profile renderer: llvmpipe",
    },
    Program { name: "vulkaninfo", line: "--packages vulkan-tools -- vulkaninfo --summary", code: 0, says: "llvmpipe" },
    // libplacebo scales with compute shaders, here those of lavapipe.
    Program {
        name: "ffmpeg",
        line: "--packages ffmpeg -- ffmpeg -init_hw_device vulkan=vk -filter_hw_device vk -f lavfi -i testsrc=d=1:r=1:s=64x64 \
               -vf libplacebo=w=128:h=128:upscaler=ewa_lanczos:format=rgba -f framemd5 -",
        code: 0,
        says: "#dimensions 0: 128x128",
    },
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
        Ok(PROGRAMS.iter().map(|program| program.name).chain([CRATE]).map(case_name).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        let wanted = |name: &str| context.filter.selects(&case_name(name));
        let step = context.events.step("programs that others wrote");
        for program in PROGRAMS.iter().filter(|program| wanted(program.name)) {
            tell(Case { name: case_name(program.name), verdict: context.in_time(|| verdict(program))? });
        }
        if wanted(CRATE) {
            tell(Case { name: case_name(CRATE), verdict: context.in_time(|| of_crate(context))? });
        }
        step.done();
        Ok(())
    }
}

fn verdict(program: &Program) -> Result<Verdict> {
    let words = program.words();
    // How slow the machine is does not matter here.
    let words: Vec<_> = ["--limit", "3000"].into_iter().chain(words.iter().map(String::as_str)).collect();
    Ok(judge(run(Path::new("/"), &words)?, program.code, program.says))
}

/// Builds an example of a crate and runs it.
fn of_crate(context: &Context<'_>) -> Result<Verdict> {
    let directory = context.toolchain().work().join("programs").join(CRATE);
    drydock_base::cache::make_dir(&directory)?;
    let mut words = INSTALL.split(' ');
    let mut cargo = Command::new(words.next().unwrap_or_default());
    // A tool is installed once in a directory. A second call only says so.
    cargo.args(words).current_dir(&directory).stdin(Stdio::null());
    drydock_base::process::die_with_us(&mut cargo);
    let output = cargo.output().with_context(|| format!("failed to start `{INSTALL}`"))?;
    if !output.status.success() {
        return Ok(judge(output, 0, ""));
    }
    Ok(judge(run(&directory, &INSTALLED.split(' ').collect::<Vec<_>>())?, 0, "Virtual GEM provider"))
}

/// Checks a program's exit code and a part of its output.
fn judge(output: Output, code: i32, says: &str) -> Verdict {
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if output.status.code() == Some(code) && said.contains(says) {
        return Verdict::Passed;
    }
    let details = said.lines().rev().take(SHOWN).collect::<Vec<_>>().into_iter().rev().map(str::to_owned).collect();
    Verdict::Failed { why: format!("{}, or `{says}` is missing", output.status), details }
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
        assert!(page.contains(&format!("{INSTALL}\n./drydock run {DRIVER} {INSTALLED}\n")));
    }
}
