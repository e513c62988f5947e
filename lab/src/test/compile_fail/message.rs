// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A compiler's message, without what depends on the machine or changes with every edit elsewhere.
//!
//! Paths begin at the checkout (`kernel/drm/…`), the case (`ioctl/wrong_size.rs`) or with a name in capitals; places that
//! are not in the case lose their line, so that moving code about in `kernel/drm` changes no message.

use super::compiler::INSIDE;

/// Beginnings of paths and what they are called.
const PLACES: &[(&str, &str)] = &[
    ("/kernel-src/", "kernel/"),
    ("/kernel/tree/rust/", "KERNEL_CRATES/"),
    ("/kernel/tree/", "KERNEL/"),
    ("/usr/lib/rustlib/src/rust/library/", "RUST/"),
];

/// The remarks at the end that say nothing about the case.
const LAST_WORDS: &[&str] =
    &["error: aborting due to ", "Some errors have detailed explanations: ", "For more information about "];

/// Normalizes a message.
pub(super) fn normalize(message: &str) -> String {
    let lines = message.lines().filter(|line| !LAST_WORDS.iter().any(|words| line.starts_with(words)));
    let text = lines.map(line).collect::<Vec<_>>().join("\n");
    format!("{}\n", text.trim())
}

fn line(line: &str) -> String {
    let mut line = line.trim_end().replace(&format!("{INSIDE}/wrong/"), "");
    for (prefix, name) in PLACES {
        if line.contains(prefix) {
            line = line.replace(prefix, name);
            line = without_place(&line);
        }
    }
    line
}

/// Cuts `:LINE:COLUMN` off a line that says where something is.
fn without_place(line: &str) -> String {
    if !line.trim_start().starts_with("-->") && !line.trim_start().starts_with(":::") {
        return line.to_owned();
    }
    let is_place = |c: char| c.is_ascii_digit() || c == ':';
    line.trim_end_matches(is_place).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_case_keeps_its_lines() {
        let said = "error[E0277]: no\n  --> /compile-fail/wrong/ioctl/x.rs:12:5\n   |\nnote: required by\n  --> \
                    /kernel-src/drm/ioctl.rs:30:7\n\nerror: aborting due to 1 previous error\n";
        insta::assert_snapshot!(normalize(said), @r"
        error[E0277]: no
          --> ioctl/x.rs:12:5
           |
        note: required by
          --> kernel/drm/ioctl.rs
        ");
    }
}
