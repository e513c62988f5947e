// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Loads and unloads kernel modules in the order of their dependencies.
//!
//! The image has every module flat in one directory, with a list of dependencies that the lab made from the modules'
//! own `depends=` lines. No `modprobe` and no `depmod` are needed.
//!
//! Source: finit_module(2), delete_module(2).

use std::{
    collections::HashMap,
    ffi::{CString, c_int},
    fs::{self, File},
    io,
    sync::Mutex,
};

use drydock_agent::protocol::{Failure, MODULE_DEPENDENCIES, MODULE_DIR, Reply};
use rustix::{
    io::Errno,
    system::{delete_module, finit_module},
};

use crate::files::failure;

/// Serialises loads: two at once would both see a dependency missing, and the second would fail with `EEXIST`.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Loads `name` with `params`, and before it every dependency that is not loaded yet.
pub(crate) fn load(name: &str, params: &str) -> Result<Reply, Failure> {
    let _turn = ONE_AT_A_TIME.lock().expect("no holder of the lock panics");
    let name = normal(name);
    let needs = dependencies().map_err(|error| failure("read", MODULE_DEPENDENCIES, &error))?;
    let order = order(&name, &needs)?;
    let present = present().map_err(|error| failure("read", "/proc/modules", &error))?;
    let mut loaded = Vec::new();
    for module in order {
        // The requested module is loaded even if it is loaded already: the answer is `EEXIST`.
        if module != name && present.contains(&module) {
            continue;
        }
        let params = if module == name { params } else { "" };
        load_one(&module, params).map_err(|error| failure("load module", &module, &error))?;
        loaded.push(module);
    }
    Ok(Reply::Loaded(loaded))
}

/// Unloads `name`. The kernel refuses while it is in use.
pub(crate) fn unload(name: &str) -> Result<Reply, Failure> {
    let _turn = ONE_AT_A_TIME.lock().expect("no holder of the lock panics");
    let name = normal(name);
    let text = CString::new(name.as_str()).map_err(|error| failure("unload module", &name, &error.into()))?;
    // Without O_NONBLOCK, delete_module(2) would wait; that wait no longer exists in current kernels.
    delete_module(&text, libc_nonblock())
        .map(|()| Reply::Done)
        .map_err(|error| failure("unload module", &name, &error.into()))
}

fn libc_nonblock() -> c_int {
    rustix::fs::OFlags::NONBLOCK.bits() as c_int
}

fn load_one(module: &str, params: &str) -> io::Result<()> {
    let file = File::open(format!("{MODULE_DIR}/{module}.ko"))?;
    let params = CString::new(params)?;
    Ok(finit_module(&file, &params, 0)?)
}

/// Returns `name` and all its dependencies, dependencies before dependents, each once.
fn order(name: &str, needs: &HashMap<String, Vec<String>>) -> Result<Vec<String>, Failure> {
    let mut order = Vec::new();
    visit(name, needs, &mut Vec::new(), &mut order)?;
    Ok(order)
}

/// Visits depth first. Modules on the `way` here depend on this one, so it must not depend on them.
fn visit(
    name: &str,
    needs: &HashMap<String, Vec<String>>,
    way: &mut Vec<String>,
    order: &mut Vec<String>,
) -> Result<(), Failure> {
    if order.iter().any(|seen| seen == name) {
        return Ok(());
    }
    way.push(name.to_owned());
    if let Some(first) = way[..way.len() - 1].iter().position(|waiting| waiting == name) {
        let message = format!("modules need each other in a circle: {}", way[first..].join(" -> "));
        return Err(Failure { errno: Errno::LOOP.raw_os_error(), message });
    }
    for need in needs.get(name).into_iter().flatten() {
        visit(need, needs, way, order)?;
    }
    way.pop();
    order.push(name.to_owned());
    Ok(())
}

fn dependencies() -> io::Result<HashMap<String, Vec<String>>> {
    Ok(parse_dependencies(&fs::read_to_string(MODULE_DEPENDENCIES)?))
}

fn parse_dependencies(text: &str) -> HashMap<String, Vec<String>> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, needs)| (name.to_owned(), needs.split_whitespace().map(str::to_owned).collect()))
        .collect()
}

fn present() -> io::Result<Vec<String>> {
    let text = fs::read_to_string("/proc/modules")?;
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

/// Returns the kernel's name of a module: dashes in file names are underscores in names.
fn normal(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_come_first_and_once() {
        let needs = parse_dependencies("drm:\nshmem: drm\ndrm_rust: drm shmem\nvgem_rust: drm_rust drm\n");
        assert_eq!(order("vgem_rust", &needs).unwrap(), ["drm", "shmem", "drm_rust", "vgem_rust"]);
    }

    #[test]
    fn a_module_nobody_listed_is_tried_as_it_is() {
        assert_eq!(order("strange", &HashMap::new()).unwrap(), ["strange"]);
    }

    #[test]
    fn circle_of_dependencies_is_an_error_that_names_it() {
        let needs = parse_dependencies("drm:\na: drm b\nb: c\nc: b\nself: self\n");
        let message = |name| order(name, &needs).unwrap_err().message;
        assert_eq!(message("a"), "modules need each other in a circle: b -> c -> b");
        assert_eq!(message("self"), "modules need each other in a circle: self -> self");
    }
}
