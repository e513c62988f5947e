// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The links that packages' scripts would make with `update-alternatives`, found in the scripts without running them.
//!
//! A script names its alternatives in literal words, or with variables that it computes. Only literal ones are found.
//! Source: update-alternatives(1), deb(5).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tree::put_directory;
use drydock_base::cache;
use drydock_base::error::{Context, Result};
use drydock_base::process;

/// A link that a script makes with `update-alternatives --install`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alternative {
    /// The name of the group of alternatives.
    name: String,
    /// The alternative with the highest number is chosen.
    priority: i32,
    /// Paths of links with their targets: the main one first, then those that follow it.
    links: Vec<(String, String)>,
}

/// Returns the alternatives of the package in the file `archive`. Unpacks its scripts below the directory `scripts`.
pub(super) fn of_archive(archive: &Path, scripts: &Path) -> Result<Vec<Alternative>> {
    let control = scripts.join(archive.file_name().unwrap_or_default());
    cache::make_dir(&control)?;
    let mut deb = Command::new("dpkg-deb");
    process::output(deb.arg("--control").arg(archive).arg(&control))
        .with_context(|| format!("failed to read the scripts of `{}`", archive.display()))?;
    // A package without the script has no alternatives.
    let script = fs::read(control.join("postinst")).unwrap_or_default();
    Ok(of_script(&String::from_utf8_lossy(&script)))
}

/// Returns the alternatives that a script installs and names literally.
fn of_script(script: &str) -> Vec<Alternative> {
    let script = script.replace("\\\n", " ");
    let commands = script.lines().flat_map(|line| line.split([';', '&', '|']));
    commands.filter_map(of_command).collect()
}

fn of_command(command: &str) -> Option<Alternative> {
    let (before, arguments) = command.split_once("update-alternatives")?;
    if before.contains('#') {
        return None;
    }
    let words: Option<Vec<_>> = arguments.split_whitespace().map(literal).collect();
    let words = words?;
    let install = words.iter().position(|word| *word == "--install")?;
    let [link, name, target, priority, rest @ ..] = &words[install + 1..] else { return None };
    let mut links = vec![((*link).to_owned(), (*target).to_owned())];
    for follower in rest.split(|word| *word == "--slave").filter(|words| !words.is_empty()) {
        let [link, _, target] = follower else { return None };
        links.push(((*link).to_owned(), (*target).to_owned()));
    }
    let is_path = |path: &String| path.starts_with('/') && !path.split('/').any(|part| part == "..");
    let are_paths = links.iter().all(|(link, target)| is_path(link) && is_path(target));
    are_paths.then_some(Alternative { name: (*name).to_owned(), priority: priority.parse().ok()?, links })
}

/// Returns a word of a script without its quotes, if the shell would take it as it is.
fn literal(word: &str) -> Option<&str> {
    let word = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._+-:@,=[".contains(c);
    word.chars().all(is_plain).then_some(word)
}

/// Makes the links of the best alternative of each name in `tree`. A link whose target is missing, such as a manual page,
/// is left out. So is one that a package has.
pub(super) fn install(tree: &Path, alternatives: Vec<Alternative>) -> Result<()> {
    let exists = |path: &str| tree.join(path.trim_start_matches('/')).symlink_metadata().is_ok();
    for alternative in best(alternatives, exists) {
        for (link, target) in alternative.links.iter().filter(|(link, target)| exists(target) && !exists(link)) {
            if let Some(path) = place(tree, link)? {
                symlink(target, &path).with_context(|| format!("failed to link `{}`", path.display()))?;
            }
        }
    }
    Ok(())
}

/// Returns the alternative with the highest priority of each name, among those whose target exists.
fn best(alternatives: Vec<Alternative>, exists: impl Fn(&str) -> bool) -> Vec<Alternative> {
    let mut best = BTreeMap::<String, Alternative>::new();
    for new in alternatives.into_iter().filter(|new| exists(&new.links[0].1)) {
        // Equal priorities must not depend on the order in which packages were unpacked.
        let rank = |one: &Alternative| (one.priority, one.links[0].1.clone());
        if best.get(&new.name).is_none_or(|old| rank(old) < rank(&new)) {
            best.insert(new.name.clone(), new);
        }
    }
    best.into_values().collect()
}

/// Returns the place of `link` in `tree` and makes its directory. Returns `None` if a link in the tree leads out of it.
fn place(tree: &Path, link: &str) -> Result<Option<PathBuf>> {
    let path = tree.join(link.trim_start_matches('/'));
    let parent = path.parent().expect("a path in the tree has a parent");
    let inside = |path: &Path| {
        path.canonicalize().is_ok_and(|path| tree.canonicalize().is_ok_and(|tree| path.starts_with(tree)))
    };
    if !parent.ancestors().find(|dir| dir.exists()).is_some_and(inside) {
        return Ok(None);
    }
    put_directory(parent)?;
    Ok(Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = r#"#!/bin/sh
set -e
# update-alternatives --install /usr/bin/no no /usr/bin/never 1
if [ "$1" = configure ]; then
    update-alternatives --quiet --install /usr/bin/awk awk /usr/bin/mawk 5 \
        --slave /usr/bin/nawk nawk /usr/bin/mawk \
        --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz
    update-alternatives --install "/usr/bin/pager" pager /usr/bin/less 77 || true
    update-alternatives --install /usr/bin/$name $name /usr/bin/x 1
    update-alternatives --remove vi /usr/bin/vi.old; echo done
fi
"#;

    fn alternative(name: &str, priority: i32, links: &[(&str, &str)]) -> Alternative {
        let links = links.iter().map(|(link, target)| ((*link).to_owned(), (*target).to_owned())).collect();
        Alternative { name: name.to_owned(), priority, links }
    }

    #[test]
    fn literal_alternatives_of_a_script_are_found() {
        let found = of_script(SCRIPT);
        let manual = ("/usr/share/man/man1/awk.1.gz", "/usr/share/man/man1/mawk.1.gz");
        let awk = [("/usr/bin/awk", "/usr/bin/mawk"), ("/usr/bin/nawk", "/usr/bin/mawk"), manual];
        let pager = [("/usr/bin/pager", "/usr/bin/less")];
        assert_eq!(found, [alternative("awk", 5, &awk), alternative("pager", 77, &pager)]);
    }

    #[test]
    fn path_that_leads_elsewhere_is_refused() {
        for line in
            ["/usr/../x x /usr/bin/x 1", "usr/x x /usr/bin/x 1", "/usr/x x /usr/bin/x one", "/usr/x x /usr/bin/x"]
        {
            assert_eq!(of_script(&format!("update-alternatives --install {line}\n")), [], "{line}");
        }
    }

    #[test]
    fn highest_priority_with_a_target_wins() {
        let awk = |target, priority| alternative("awk", priority, &[("/usr/bin/awk", target)]);
        let all = || vec![awk("/usr/bin/mawk", 5), awk("/usr/bin/gawk", 10), awk("/usr/bin/gone", 20)];
        let chosen = best(all(), |path| path != "/usr/bin/gone");
        assert_eq!(chosen, [awk("/usr/bin/gawk", 10)]);
        let reversed = all().into_iter().rev().collect();
        assert_eq!(best(reversed, |path| path != "/usr/bin/gone"), chosen);
    }

    #[test]
    fn links_are_made_in_the_tree_and_replace_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
        fs::create_dir_all(tree.join("usr/bin")).unwrap();
        fs::create_dir_all(&outside).unwrap();
        symlink("usr/bin", tree.join("bin")).unwrap();
        symlink(&outside, tree.join("usr/out")).unwrap();
        for file in ["mawk", "less", "pager"] {
            fs::write(tree.join("usr/bin").join(file), file).unwrap();
        }
        let mut all = of_script(SCRIPT);
        all.push(alternative("deep", 1, &[("/usr/lib/deep/awk", "/usr/bin/mawk")]));
        all.push(alternative("out", 1, &[("/usr/out/awk", "/usr/bin/mawk")]));
        install(&tree, all).unwrap();
        assert_eq!(fs::read_link(tree.join("usr/bin/awk")).unwrap(), Path::new("/usr/bin/mawk"));
        assert_eq!(fs::read_to_string(tree.join("usr/bin/pager")).unwrap(), "pager");
        assert!(tree.join("usr/lib/deep/awk").is_symlink() && !tree.join("usr/share").exists());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }
}
