// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The list of the checkout's modules.
//!
//! Source: Documentation/kbuild/modules.rst, for what a `Kbuild` file is; the macro `driver` in ours.

/// The file that lists the modules to build.
pub const KBUILD: &str = "kernel/Kbuild";
/// The library that all drivers use. It is a module but no driver.
pub const LIBRARY: &str = "drm_rust";

/// Returns the modules that `kbuild` builds, in its order: `obj-m := a.o b.o` and `$(eval $(call driver,NAME,…))`.
pub fn modules(kbuild: &str) -> Vec<String> {
    let of_line = |line: &str| -> Vec<String> {
        if let Some(rest) = line.strip_prefix("$(eval $(call driver,") {
            return rest.split(',').next().map(str::to_owned).into_iter().collect();
        }
        let Some(rest) = line.strip_prefix("obj-m") else { return Vec::new() };
        let objects = rest.trim_start_matches([' ', '+', ':', '=']).split_whitespace();
        objects
            .filter_map(|object| object.strip_suffix(".o"))
            .filter(|name| !name.contains('$'))
            .map(str::to_owned)
            .collect()
    };
    kbuild.lines().flat_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kbuild_says_which_modules_there_are() {
        let kbuild = "obj-m := drm_rust.o\ndefine driver\nobj-m += $(1).o\nendef\n\
                      $(eval $(call driver,vgem_rust,drivers/vgem/vgem,x))\nobj-m += a.o b.o\n";
        assert_eq!(modules(kbuild), ["drm_rust", "vgem_rust", "a", "b"]);
    }
}
