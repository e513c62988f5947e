// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Compares every structure, number and constant with the kernel's headers, by assertions that a C compiler checks.
//!
//! Source: `include/uapi` of the kernel that the tests run on, in the toolchain root; our own headers in `kernel/tests`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use uapi::header::{NUMBERS, STRUCTURES};

const HEADERS: &[&str] = &[
    "drm/drm.h",
    "drm/drm_mode.h",
    "drm/drm_fourcc.h",
    "drm/vgem_drm.h",
    "drm/nova_drm.h",
    "drm/panthor_drm.h",
    "linux/dma-buf.h",
    "linux/dma-heap.h",
    "linux/fb.h",
    "linux/udmabuf.h",
    "linux/sync_file.h",
    "linux/kcov.h",
    "attacks/attacks_drm.h",
    "bus/auxiliary/aux_drm.h",
    "bus/edu/edu_drm.h",
    "display/display_test_drm.h",
    "display_attacks/display_attacks_drm.h",
    "lifecycle/lifecycle_drm.h",
    "noop/noop_drm.h",
    "sync/sync_test_drm.h",
    "vkms/vkms_drm.h",
];

/// Fields that have another name in C, and fields that C does not name (`None`).
const RENAMED: &[(&str, &str, Option<&str>)] = &[
    ("drm_version", "major", Some("version_major")),
    ("drm_version", "minor", Some("version_minor")),
    ("drm_version", "patchlevel", Some("version_patchlevel")),
    ("drm_version", "hole", None),
    ("drm_unique", "len", Some("unique_len")),
    ("drm_unique", "address", Some("unique")),
    ("drm_set_version", "di_major", Some("drm_di_major")),
    ("drm_set_version", "di_minor", Some("drm_di_minor")),
    ("drm_set_version", "dd_major", Some("drm_dd_major")),
    ("drm_set_version", "dd_minor", Some("drm_dd_minor")),
    ("drm_mode_modeinfo", "kind", Some("type")),
    ("drm_mode_crtc", "connectors", Some("set_connectors_ptr")),
    ("drm_mode_get_plane_res", "list", Some("plane_id_ptr")),
    ("drm_mode_get_plane_res", "hole", None),
    ("drm_mode_obj_get_properties", "list", Some("props_ptr")),
    ("drm_mode_obj_get_properties", "values", Some("prop_values_ptr")),
    ("drm_mode_obj_get_properties", "hole", None),
    ("drm_mode_obj_set_property", "hole", None),
    ("drm_mode_get_property", "values", Some("values_ptr")),
    ("drm_mode_get_property", "enums", Some("enum_blob_ptr")),
    ("drm_mode_fb_cmd2", "hole", None),
    ("drm_wait_vblank_reply", "kind", Some("type")),
    ("drm_event", "kind", Some("type")),
    ("drm_panthor_bo_sync_op", "kind", Some("type")),
    ("drm_panthor_dev_query", "kind", Some("type")),
    ("drm_panthor_group_create", "max_cores", Some("max_compute_cores")),
    ("drm_panthor_group_create", "core_masks", Some("compute_core_mask")),
];

fn in_c(structure: &str, field: &'static str) -> Option<&'static str> {
    let renamed = RENAMED.iter().find(|(of, name, _)| (*of, *name) == (structure, field));
    renamed.map_or(Some(field), |(_, _, name)| *name)
}

/// Returns a file that compiles if everything is as the headers say.
fn source() -> String {
    let mut text = String::from("#include <linux/fcntl.h>\n#include <stddef.h>\n");
    for header in HEADERS {
        writeln!(text, "#include <{header}>").unwrap();
    }
    let mut assert = |expression: &str, size: usize, value: u64| {
        let mask = u64::MAX >> (64 - 8 * size);
        let same = format!("(((unsigned long long)({expression}) ^ {value:#x}ull) & {mask:#x}ull) == 0");
        writeln!(text, "_Static_assert({same}, {expression:?});").unwrap();
    };
    for structure in STRUCTURES.iter().copied().flatten() {
        let c = structure.c;
        assert(&format!("sizeof(struct {c})"), 8, structure.size as u64);
        for (field, offset) in structure.fields {
            if let Some(field) = in_c(c, field) {
                assert(&format!("offsetof(struct {c}, {field})"), 8, *offset as u64);
            }
        }
    }
    for (c, size, value) in NUMBERS.iter().copied().flatten() {
        assert(c, *size, *value);
    }
    text
}

#[test]
fn each_structure_is_declared_once() {
    let mut names: Vec<_> = STRUCTURES.iter().copied().flatten().map(|structure| structure.c).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    for (structure, field, _) in RENAMED {
        let found = STRUCTURES.iter().copied().flatten().find(|known| known.c == *structure);
        assert!(found.is_some_and(|known| known.fields.iter().any(|(name, _)| name == field)), "{structure}.{field}");
    }
}

#[test]
#[ignore = "needs the kernel's headers, which the toolchain root has: `./drydock lint` runs it"]
fn everything_is_as_the_headers_say() {
    let kernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kernel");
    let mut compiler = Command::new("gcc");
    compiler.args(["-std=gnu11", "-fsyntax-only", "-fmax-errors=20", "-x", "c"]);
    compiler.args(["tests", "drivers"].map(|own| format!("-I{}", kernel.join(own).display())));
    if let Some(headers) = std::env::var_os("UAPI_HEADERS") {
        compiler.arg("-isystem").arg(headers);
    }
    let mut child = compiler.arg("-").stdin(Stdio::piped()).spawn().expect("`gcc` runs");
    child.stdin.take().expect("it is piped").write_all(source().as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "the messages above name what differs");
}
