// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Devices and modules beside a driver's own, by `drydock run` as a user calls it: `extras::NAME`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use drydock_base::cache::{make_dir, remove_tree};
use drydock_base::error::{Context as _, Result};
use drydock_machine::scenario::Content;
use drydock_toolchain::modules;

use super::programs::{DRIVER, check, drydock, run};
use super::suite::{Case, Context, Filter, Need, Progress, Suite};

/// Devices and modules beside the driver's.
pub(super) struct Extras;

const NAME: &str = "extras";

/// A case: its name, and what it runs with the file of a module.
type Judge = fn(&Path) -> Result<Result<(), String>>;

const CASES: &[(&str, Judge)] = &[
    ("parameters_reach_the_drivers_module", parameters),
    ("unknown_parameter_is_refused", unknown_parameter),
    ("stock_devices_follow_the_drivers", stock_devices),
    ("unknown_device_is_refused", unknown_device),
    ("module_of_the_user_is_loaded_with_its_parameters", loaded_module),
    ("module_of_another_kernel_is_refused", other_kernel),
];

/// The driver with parameters.
const DISPLAY: &str = "vkms";

/// The module's name, and its parts.
const MODULE: &str = "users_own";
const KBUILD: &str = "obj-m := users_own.o\n";
const SOURCE: &str = "\
// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <linux/module.h>

static int answer;
module_param(answer, int, 0444);
MODULE_DESCRIPTION(\"A module that somebody else has built\");
MODULE_LICENSE(\"Dual MIT/GPL\");
";

fn case_name(name: &str) -> String {
    format!("{NAME}::{name}")
}

impl Suite for Extras {
    fn name(&self) -> &'static str {
        NAME
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    fn tests_the_kernel(&self) -> bool {
        false
    }

    fn content(&self, repo: &Path, _filter: &Filter) -> Result<Content> {
        Ok(Content::of_driver(repo, DRIVER)?.and(Content::of_driver(repo, DISPLAY)?))
    }

    fn names(&self, _repo: &Path) -> Result<BTreeSet<String>> {
        Ok(CASES.iter().map(|(name, _)| case_name(name)).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        let wanted: Vec<_> = CASES.iter().filter(|(name, _)| context.filter.selects(&case_name(name))).collect();
        let module = build_module(context)?;
        let mut progress = Progress::begin(context, "devices and modules beside the driver's", wanted.len(), tell);
        for (name, judge) in &wanted {
            let verdict = context.in_time(|| judge(&module).map(Into::into))?;
            progress.tell(case_name(name), verdict);
        }
        progress.done();
        Ok(())
    }
}

/// Builds a module outside of the checkout, as a user would, and returns its file.
fn build_module(context: &Context<'_>) -> Result<PathBuf> {
    let source = context.toolchain().work().join(NAME);
    remove_tree(&source)?;
    make_dir(&source)?;
    fs::write(source.join("Kbuild"), KBUILD)?;
    fs::write(source.join(format!("{MODULE}.c")), SOURCE)?;
    let built = modules::build(context.toolchain(), &source, None, context.events)?;
    Ok(built.dir.join(format!("{MODULE}.ko")))
}

fn parameters(_: &Path) -> Result<Result<(), String>> {
    let script = "ls -d /sys/class/drm/card0-* | wc -l; test -e /dev/dri/renderD128";
    let words = ["run", DISPLAY, "--param", "outputs=3", "--param", "render-node=1", "--", "sh", "-c", script];
    Ok(check(&drydock(Path::new("/"), &words)?, 0, "3\n"))
}

fn unknown_parameter(_: &Path) -> Result<Result<(), String>> {
    let output = drydock(Path::new("/"), &["run", DISPLAY, "--param", "output=3", "--", "true"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    let is_explained = said.contains("no parameter `output`") && said.contains("outputs");
    Ok(check(&output, 2, "").and(if is_explained { Ok(()) } else { Err(format!("no list of parameters in `{said}`")) }))
}

fn stock_devices(_: &Path) -> Result<Result<(), String>> {
    let script =
        "for card in /sys/class/drm/card?; do readlink -f $card/device/driver; done; lsgpu | grep -c /dev/dri/card";
    let output = run(Path::new("/"), &["--device", "virtio-gpu", "--device", "bochs", "--", "sh", "-c", script])?;
    let drivers = ["platform/drivers/vgem", "pci/drivers/virtio-pci", "pci/drivers/bochs-drm"];
    let expected: String = drivers.iter().map(|driver| format!("/sys/bus/{driver}\n")).collect();
    Ok(check(&output, 0, &format!("{expected}3\n")))
}

fn unknown_device(_: &Path) -> Result<Result<(), String>> {
    let output = run(Path::new("/"), &["--device", "virtio", "--", "true"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    let is_listed = said.contains("`bochs`, `cirrus`, `virtio-gpu`");
    Ok(check(&output, 2, "").and(if is_listed { Ok(()) } else { Err(format!("no list of devices in `{said}`")) }))
}

fn loaded_module(module: &Path) -> Result<Result<(), String>> {
    let option = format!("{},answer=42", module.display());
    let file = format!("/sys/module/{MODULE}/parameters/answer");
    Ok(check(&run(Path::new("/"), &["--module", &option, "--", "cat", &file])?, 0, "42\n"))
}

fn other_kernel(module: &Path) -> Result<Result<(), String>> {
    let mut bytes = fs::read(module).with_context(|| format!("failed to read `{}`", module.display()))?;
    let key = b"vermagic=";
    let at = bytes.windows(key.len()).position(|window| window == key).expect("Kbuild writes it");
    bytes[at + key.len()] = b'1';
    let other = module.with_file_name("other.ko");
    fs::write(&other, bytes)?;
    let output = run(Path::new("/"), &["--module", &other.to_string_lossy(), "--", "true"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    let is_explained = said.contains("was built for another kernel");
    Ok(check(&output, 2, "").and(if is_explained { Ok(()) } else { Err(format!("no reason in `{said}`")) }))
}
