// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads the names of all tests that can show an obligation: the guest's cases and the cases that must not compile.
//!
//! Source: `guest/tests/src/cases.rs` for the macro `cases!`; `kernel/must-not-compile` for its directories.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use drydock_base::error::{Error, Kind, Result};
use drydock_base::repo::rust_files;

const GUEST_CASES: &str = "guest/tests/src/cases";
const COMPILE_FAIL: &str = "kernel/must-not-compile";

/// All names, `area::case`.
#[derive(Debug)]
pub(super) struct Tests(BTreeSet<String>);

impl Tests {
    /// Reads the names from the checkout.
    pub(super) fn read(repo: &Path) -> Result<Self> {
        let mut names = guest_cases(repo)?;
        for (path, _) in rust_files(repo, COMPILE_FAIL)? {
            let case = Path::new(&path).strip_prefix(COMPILE_FAIL).expect("it was found there");
            let case = case.with_extension("").display().to_string();
            names.extend(case.contains('/').then(|| format!("compile-fail::{}", case.replace('/', "::"))));
        }
        Ok(Self(names))
    }

    #[cfg(test)]
    pub(super) fn of(names: &[&str]) -> Self {
        Self(names.iter().map(|&name| name.to_owned()).collect())
    }

    /// Returns the names that match a pattern of docs/reference/obligations.md: a name, a name with `*` at its end, an area, or
    /// `area::{one,other}`.
    pub(super) fn matching(&self, pattern: &str) -> Vec<&str> {
        let alternatives = alternatives(pattern);
        let fits = |name: &&String| alternatives.iter().any(|pattern| is_meant(pattern, name));
        self.0.iter().filter(fits).map(String::as_str).collect()
    }
}

/// Returns the names of the guest's cases, `area::case`.
pub(crate) fn guest_cases(repo: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for (path, text) in rust_files(repo, GUEST_CASES)? {
        let tokens = TokenStream::from_str(&text)
            .map_err(|error| Error::new(Kind::Check, format!("`{path}` is not Rust: {error}")))?;
        names.extend(cases(tokens));
    }
    Ok(names)
}

/// Expands the braces in a pattern.
pub(super) fn alternatives(pattern: &str) -> Vec<String> {
    match pattern.split_once('{') {
        Some((before, names)) => {
            names.trim_end_matches('}').split(',').map(|name| format!("{before}{}", name.trim())).collect()
        }
        None => vec![pattern.to_owned()],
    }
}

fn is_meant(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern || name.strip_prefix(pattern).is_some_and(|rest| rest.starts_with("::")),
    }
}

/// Returns the names in each `cases! { "area": name, name within SECONDS, … }` and `cases! { "area" for DRIVER: … }`.
fn cases(tokens: TokenStream) -> Vec<String> {
    let mut names = Vec::new();
    for token in tokens {
        let TokenTree::Group(group) = token else { continue };
        let inside: Vec<TokenTree> = group.stream().into_iter().collect();
        match table(&inside) {
            Some((area, entries)) if group.delimiter() == Delimiter::Brace => names.extend(names_in(&area, entries)),
            _ => names.extend(cases(group.stream())),
        }
    }
    names
}

/// Returns the area of a table, and what follows the colon.
fn table(tokens: &[TokenTree]) -> Option<(String, &[TokenTree])> {
    let (area, entries) = match tokens {
        [TokenTree::Literal(area), TokenTree::Punct(colon), entries @ ..] if colon.as_char() == ':' => (area, entries),
        [
            TokenTree::Literal(area),
            TokenTree::Ident(word),
            TokenTree::Ident(_),
            TokenTree::Punct(colon),
            entries @ ..,
        ] if word == "for" && colon.as_char() == ':' => (area, entries),
        _ => return None,
    };
    Some((area.to_string().trim_matches('"').to_owned(), entries))
}

fn names_in(area: &str, tokens: &[TokenTree]) -> Vec<String> {
    let entries = tokens.split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','));
    let first = entries.filter_map(|entry| match entry.first() {
        Some(TokenTree::Ident(name)) => Some(format!("{area}::{name}")),
        _ => None,
    });
    first.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_out_of_the_tables() {
        let text = "cases! {\n    \"gate\":\n    l1_a within 30, b,\n}\nfn l1_a() { let c = [\"d\"]; }\n";
        assert_eq!(cases(TokenStream::from_str(text).unwrap()), ["gate::l1_a", "gate::b"]);
    }

    #[test]
    fn table_may_name_its_driver() {
        let text = "cases! { \"tyr_bo\" for Tyr: a, b within 60 }\nfn c() { match d { \"e\" => F::g, _ => h } }\n";
        assert_eq!(cases(TokenStream::from_str(text).unwrap()), ["tyr_bo::a", "tyr_bo::b"]);
    }

    #[test]
    fn a_pattern_is_a_name_a_beginning_an_area_or_some_of_one() {
        let tests =
            Tests::of(&["gate::l1_a", "gate::l1_b", "gates::c", "compile-fail::bus::d", "compile-fail::bus::e"]);
        assert_eq!(tests.matching("gate::l1_*"), ["gate::l1_a", "gate::l1_b"]);
        assert_eq!(tests.matching("gate"), ["gate::l1_a", "gate::l1_b"]);
        assert_eq!(tests.matching("gates::c"), ["gates::c"]);
        assert_eq!(tests.matching("compile-fail::bus::{d,e}").len(), 2);
        assert!(tests.matching("gate::l1").is_empty());
    }
}
