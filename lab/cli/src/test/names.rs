// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads the names of cases from the sources, so that a filter without a match is refused before anything is compiled.
//!
//! Source: libtest's names (`module::function`, after the name of the program); `cases!` of guest/tests/src/cases.rs.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::audit::guest_cases;
use drydock_base::error::{Error, Kind, Result};
use drydock_base::near;
use drydock_base::repo::rust_files;

/// The workspace's packages with tests: the directory, and libtest's names of the library and the program.
const PACKAGES: &[(&str, Option<&str>, Option<&str>)] = &[
    ("lab/base", Some("drydock_base"), None),
    ("lab/toolchain", Some("drydock_toolchain"), None),
    ("lab/machine", Some("drydock_machine"), None),
    ("lab/cli", Some("drydock"), None),
    ("guest/agent", Some("drydock_agent"), Some("drydock_agent")),
    ("models", Some("drydock_models"), None),
    ("guest/sys", Some("sys"), None),
    ("guest/tests", None, Some("drydock_guest_tests")),
    ("guest/uapi", Some("uapi"), None),
    ("guest/calls", Some("calls"), None),
    ("guest/client", None, Some("drydock_client")),
    ("guest/random", Some("random"), Some("drydock_random")),
    ("guest/bench", None, Some("drydock_bench")),
    ("guest/screen", None, Some("drydock_screen")),
    ("fuzz", Some("drydock_host_fuzz"), Some("drydock_host_fuzz")),
];
/// The directory in which each subdirectory is a package with a library of the same name.
const CRATES: &str = "crates";

/// Returns the names of the cases of `cargo test`, `host::PROGRAM::MODULE::FUNCTION`. For examples in documentation,
/// only the file is known.
pub(super) fn of_host(repo: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for (directory, library, program) in PACKAGES {
        of_package(repo, directory, *library, *program, &mut names)?;
    }
    let crates = rust_files(repo, CRATES)?;
    let directories: BTreeSet<_> = crates.iter().filter_map(|(path, _)| path.split('/').nth(1)).collect();
    for name in directories {
        of_package(repo, &format!("{CRATES}/{name}"), Some(&name.replace('-', "_")), None, &mut names)?;
    }
    Ok(names)
}

fn of_package(
    repo: &Path,
    directory: &str,
    library: Option<&str>,
    program: Option<&str>,
    names: &mut BTreeSet<String>,
) -> Result<()> {
    for (path, text) in rust_files(repo, directory)? {
        let inside = path.strip_prefix(directory).unwrap_or(&path).trim_start_matches('/');
        let module = |below: &str| below.trim_end_matches(".rs").replace('/', "::");
        let (programs, module) = match inside.split_once('/') {
            Some(("src", "lib.rs")) => (vec![library], String::new()),
            Some(("src", "main.rs")) => (vec![program], String::new()),
            // A file may be part of the library or the program.
            Some(("src", below)) => (vec![library, program], module(below)),
            // A file in a subdirectory is a module of a test program.
            Some(("tests", below)) => match below.split_once('/') {
                None => (vec![Some(below.trim_end_matches(".rs"))], String::new()),
                Some((file, below)) => (vec![Some(file)], module(below)),
            },
            _ => continue,
        };
        let tests = functions(&tokens(&path, &text)?, &module);
        for program in programs.into_iter().flatten() {
            names.extend(tests.iter().map(|test| format!("host::{program}::{test}")));
            if Some(program) == library && has_examples(&text) {
                names.insert(format!("host::{program}::doc::{path}"));
            }
        }
    }
    Ok(())
}

fn has_examples(text: &str) -> bool {
    text.lines().any(|line| ["/// ```", "//! ```"].iter().any(|mark| line.trim_start().starts_with(mark)))
}

fn tokens(path: &str, text: &str) -> Result<TokenStream> {
    TokenStream::from_str(text).map_err(|error| Error::new(Kind::Check, format!("`{path}` is not Rust: {error}")))
}

/// Returns the functions with `#[test]`, also those in a macro's braces, with their modules in front.
fn functions(tokens: &TokenStream, module: &str) -> Vec<String> {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let (mut found, mut is_test) = (Vec::new(), false);
    let ident = |at: usize| match tokens.get(at) {
        Some(TokenTree::Ident(name)) => Some(name.to_string()),
        _ => None,
    };
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) if group.stream().to_string() == "test" => is_test = true,
            TokenTree::Group(group) if group.delimiter() != Delimiter::Bracket => {
                let inner = match (at.checked_sub(2).and_then(ident), at.checked_sub(1).and_then(ident)) {
                    (Some(word), Some(name)) if word == "mod" => joined(module, &name),
                    _ => module.to_owned(),
                };
                found.extend(functions(&group.stream(), &inner));
            }
            TokenTree::Ident(word) if word == "fn" => {
                found.extend(ident(at + 1).filter(|_| is_test).map(|name| joined(module, &name)));
                is_test = false;
            }
            _ => {}
        }
    }
    found
}

fn joined(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

/// Returns the names of the guest's cases, `AREA::CASE`, of all drivers.
pub(super) fn of_guest(repo: &Path) -> Result<BTreeSet<String>> {
    guest_cases(repo)
}

/// Returns whether a case that ran is among the names. The name of an example in documentation includes its line.
pub(super) fn lists(names: &BTreeSet<String>, case: &str) -> bool {
    let file = case.split_once(" - ").map_or(case, |(file, _)| file);
    names.contains(case) || names.contains(file)
}

/// Returns the error that no case matches `filter`, with suggestions.
pub(super) fn no_match(filter: &str, suites: &[&str], names: &BTreeSet<String>) -> Error {
    let error = Error::new(Kind::Usage, format!("no test matches `{filter}`"));
    // The filter may resemble any part of a name.
    let parts = names.iter().flat_map(|name| name.split("::")).chain(suites.iter().copied());
    let wanted = filter.rsplit("::").next().unwrap_or(filter);
    let suites = format!("suites: {}", suites.join(", "));
    error.hint(match near::question(wanted, parts) {
        Some(question) => format!("{question}\n{suites}"),
        None => suites,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_libtest() {
        let text = "#[test]\nfn a() { fn not() {} }\nmod tests {\n#[test]\n#[should_panic]\nfn b() {}\nproptest! {\n\
                    #[test]\nfn c(x in 0..1) {}\n}\nfn helper() {}\n}\n";
        assert_eq!(functions(&tokens("x.rs", text).unwrap(), "m"), ["m::a", "m::tests::b", "m::tests::c"]);
    }

    #[test]
    fn this_test_and_others_of_the_checkout_are_found() {
        let names = of_host(&drydock_base::repo::root().unwrap()).unwrap();
        let here = concat!("host::", module_path!(), "::this_test_and_others_of_the_checkout_are_found");
        assert!(names.contains(here), "{here}");
        for name in ["host::tidy::drivers_have_no_unsafe_and_forbid_it", "host::drydock_agent::modules::tests::"] {
            assert!(names.iter().any(|found| found.starts_with(name)), "{name}");
        }
        assert!(lists(
            &BTreeSet::from(["host::x::doc::x/src/lib.rs".to_owned()]),
            "host::x::doc::x/src/lib.rs - y (line 3)"
        ));
    }

    #[test]
    fn filter_that_fits_nothing_names_what_is_near() {
        let names = BTreeSet::from(["guest-vgem::fence::signal_twice".to_owned()]);
        let error = no_match("signal_twise", &["host"], &names);
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Usage, "no test matches `signal_twise`"));
        assert_eq!(error.hint_text(), Some("did you mean `signal_twice`?\nsuites: host"));
    }
}
