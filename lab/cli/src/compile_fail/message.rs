// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Removes from a compiler's message what depends on the machine or changes with every edit elsewhere.
//!
//! Paths begin at the checkout (`kernel/drm/…`), at the cases (`ioctl/gap.rs`) or with a name in capitals. Locations
//! outside the case lose their line, so that moving code about in `kernel/drm` changes no message.

use super::case::{INSIDE, SHARED};

/// Beginnings of paths, and their replacements.
const PLACES: &[(&str, &str)] = &[
    ("/kernel-src/", "kernel/"),
    ("/kernel/tree/rust/", "KERNEL_CRATES/"),
    ("/kernel/tree/", "KERNEL/"),
    ("/usr/lib/rustlib/src/rust/library/", "RUST/"),
];

/// Final remarks that say nothing about the case.
const LAST_WORDS: &[&str] =
    &["error: aborting due to ", "Some errors have detailed explanations: ", "For more information about "];

/// Normalizes a message.
pub(super) fn normalize(message: &str) -> String {
    let lines = message.lines().filter(|line| !LAST_WORDS.iter().any(|words| line.starts_with(words)));
    let text = lines.map(line).collect::<Vec<_>>().join("\n");
    format!("{}\n", text.trim())
}

fn line(line: &str) -> String {
    let line = line.trim_end().replace(&format!("{INSIDE}/wrong/"), "");
    // Each case reaches the shared items from its own directory.
    let line = SHARED.iter().fold(line, |line, name| match line.split_once(&format!("/../{name}")) {
        Some((before, after)) => {
            let start = before.rfind(' ').map_or(0, |at| at + 1);
            format!("{}{name}{}", &before[..start], without_place(after))
        }
        None => line,
    });
    PLACES.iter().fold(line, |line, (prefix, name)| shorten(&line, prefix, name))
}

/// Replaces `prefix` by `name` wherever a path begins with it, and removes the path's `:LINE:COLUMN`.
fn shorten(line: &str, prefix: &str, name: &str) -> String {
    let mut parts = line.split(prefix);
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(".rs").map_or(0, |at| at + ".rs".len());
        short.push_str(&format!("{name}{}{}", &part[..end], without_place(&part[end..])));
    }
    short
}

/// Removes `:LINE:COLUMN` from the beginning.
fn without_place(text: &str) -> &str {
    match text.strip_prefix(':') {
        Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':'),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_case_keeps_its_lines() {
        let said = "error[E0277]: no\n  --> /compile-fail/wrong/ioctl/x.rs:12:5\n   |\nnote: required by\n  --> \
                    /kernel-src/drm/ioctl.rs:30:7\n  ::: /compile-fail/wrong/ioctl/../driver.rs:9:1\n\
                    the program panicked at 'no', /kernel-src/drm/ioctl.rs:1:2\n\nerror: aborting due to 1 previous error\n";
        insta::assert_snapshot!(normalize(said), @r"
        error[E0277]: no
          --> ioctl/x.rs:12:5
           |
        note: required by
          --> kernel/drm/ioctl.rs
          ::: driver.rs
        the program panicked at 'no', kernel/drm/ioctl.rs
        ");
    }
}
