// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs programs that nobody here wrote, from Debian's packages and crates.io, on a driver: `packages::NAME`. Only `--all`
//! runs them, because they are downloaded.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use drydock_base::error::{Context as _, Result};
use drydock_machine::scenario::Content;

use super::programs::{DRIVER, drydock};
use super::suite::{Case, Context, Filter, Need, Progress, Suite, Verdict};

/// Programs of Debian packages in a guest.
pub(super) struct Packages;

const NAME: &str = "packages";

/// A client of a crate on crates.io, and the words that build it.
const CRATE: &str = "drm_crate";
const INSTALL: &str = "cargo install drm --version 0.15.0 --locked --example basic --root tools";
const INSTALLED: &str = "vgem -- tools/bin/basic";

/// A program, as docs/how-to/run-your-program.md shows it.
struct Program {
    name: &'static str,
    /// The words after `drydock run`.
    line: &'static str,
    code: i32,
    /// A part of its output.
    says: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "modetest",
        line: "vgem --root debian -- modetest -M vgem",
        code: 1,
        says: "drmModeGetResources failed: Operation not supported",
    },
    Program {
        name: "drm_info",
        line: "vgem --root debian -- drm_info",
        code: 0,
        says: "drmModeGetResources: Operation not supported",
    },
    Program {
        name: "udev",
        line: "vgem --root debian -- udevadm info /dev/dri/card0",
        code: 0,
        says: "ID_PATH=platform-vgem",
    },
    Program {
        name: "strace",
        line: "vgem --packages strace -- strace -e ioctl modetest -M vgem",
        code: 1,
        says: "DRM_IOCTL_VERSION",
    },
    Program {
        name: "gdb",
        line: "vgem --packages gdb -- gdb --batch -ex 'catch syscall ioctl' -ex run -ex bt --args modetest -M vgem",
        code: 0,
        says: "libdrm.so.2",
    },
    Program {
        name: "modinfo",
        line: "vgem --root debian -- modinfo vgem_rust",
        code: 0,
        says: "/updates/vgem_rust.ko",
    },
    Program { name: "modprobe", line: "vgem --root debian -- modprobe -v bochs", code: 0, says: "/drm_client_lib.ko" },
    Program {
        name: "valgrind",
        line: "vgem --packages valgrind -- valgrind modetest -M vgem",
        code: 1,
        says: "ERROR SUMMARY: 0 errors",
    },
    Program {
        name: "python3",
        line: "vgem --packages python3-pyudev -- python3 -c 'import pyudev; \
               print([d.sys_name for d in pyudev.Context().list_devices(subsystem=\"drm\")])'",
        code: 0,
        says: "['card0', 'renderD128']",
    },
    Program {
        name: "eglinfo",
        line: "vgem --packages mesa-utils -- eglinfo -B -p gbm",
        code: 0,
        says: "OpenGL core profile renderer: llvmpipe",
    },
    Program {
        name: "vulkaninfo",
        line: "vgem --packages vulkan-tools -- vulkaninfo --summary",
        code: 0,
        says: "llvmpipe",
    },
    // libplacebo scales with compute shaders, here those of lavapipe.
    Program {
        name: "ffmpeg",
        line: "vgem --packages ffmpeg -- ffmpeg -init_hw_device vulkan=vk -filter_hw_device vk -f lavfi -i testsrc=d=1:r=1:s=64x64 \
               -vf libplacebo=w=128:h=128:upscaler=ewa_lanczos:format=rgba -f framemd5 -",
        code: 0,
        says: "#dimensions 0: 128x128",
    },
    // It exports the console's buffer, which C then keeps.
    Program {
        name: "ffmpeg_kmsgrab",
        line: "vkms --packages ffmpeg -- ffmpeg -f kmsgrab -i - -frames:v 1 -vf hwdownload,format=bgr0 -f framemd5 -",
        code: 0,
        says: "#dimensions 0: 1024x768",
    },
    Program {
        name: "lsgpu",
        line: "vgem --packages intel-gpu-tools -- lsgpu",
        code: 0,
        says: "drm:/dev/dri/renderD128",
    },
    Program {
        name: "two_devices",
        line: "vgem --device virtio-gpu --root debian -- drm_info",
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
        let programs: Vec<_> = PROGRAMS.iter().filter(|program| wanted(program.name)).collect();
        let of = programs.len() + usize::from(wanted(CRATE));
        let mut progress = Progress::begin(context, "programs that others wrote", of, tell);
        for program in programs {
            progress.tell(case_name(program.name), context.in_time(|| verdict(program))?);
        }
        if wanted(CRATE) {
            progress.tell(case_name(CRATE), context.in_time(|| of_crate(context))?);
        }
        progress.done();
        Ok(())
    }
}

fn verdict(program: &Program) -> Result<Verdict> {
    let words = program.words();
    // How slow the machine is does not matter here.
    let words: Vec<_> = ["run", "--limit", "3000"].into_iter().chain(words.iter().map(String::as_str)).collect();
    Ok(judge(drydock(Path::new("/"), &words)?, program.code, program.says))
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
    let words: Vec<_> = ["run"].into_iter().chain(INSTALLED.split(' ')).collect();
    Ok(judge(drydock(&directory, &words)?, 0, "Virtual GEM provider"))
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
            let line = format!("./drydock run {}", program.line);
            assert!(page.contains(&line), "{line}");
        }
        assert!(page.contains(&format!("{INSTALL}\n./drydock run {INSTALLED}\n")));
    }
}
