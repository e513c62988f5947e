// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The page "What the compiler stops you from doing", generated from the cases and their messages.

use std::path::Path;

use crate::error::{Context, Error, Kind, Result};

use super::case::{self, Case};

/// The page's path in the checkout.
const PAGE: &str = "docs/what-the-compiler-stops.md";

/// The areas in the order of the page, each with its subject.
const AREAS: &[(&str, &str)] = &[
    ("register", "A device is registered once, by the bus adapter, when it is ready"),
    ("context", "What is known of a device cannot be made up"),
    ("plugged", "What holds while a device is plugged does not leave that time"),
    ("kms", "Mode setting is set up once, before registration"),
    ("types", "The types of a driver belong together"),
    ("ioctl", "An ioctl's handler, number and argument agree"),
    ("gem", "A buffer has a size, a class and a device"),
    ("gpuvm", "An address space, its requests and its objects belong together"),
    ("fence", "Fences, reservations and events"),
    ("thread", "What is of one thread stays there"),
    ("bus", "Probing belongs to one bus and one probe"),
    ("module", "What only the module macros may do"),
];

/// Writes the page.
pub(super) fn write(repo: &Path) -> Result<()> {
    let path = repo.join(PAGE);
    std::fs::write(&path, render(&case::all(repo)?)?).with_context(|| format!("failed to write `{}`", path.display()))
}

fn render(cases: &[Case]) -> Result<String> {
    let mut page = head(cases);
    for (area, about) in AREAS {
        page.push_str(&format!("\n## {about}\n"));
        for case in cases.iter().filter(|case| area_of(case) == *area) {
            page.push_str(&entry(case)?);
        }
    }
    Ok(page)
}

fn head(cases: &[Case]) -> String {
    format!(
        "<!-- Made from tests/compile-fail by `./drydock test compile-fail --bless`; do not edit. -->\n\n\
         # What the compiler stops you from doing\n\n\
         Each of these {} mistakes is a test: a driver with the line marked `-` does not compile, for the reason shown, and\n\
         with the line marked `+` in its place (or without the line, where there is none) it does. All are compiled as\n\
         modules are, against the kernel's own crates, with `unsafe` forbidden: `./drydock test compile-fail`.\n",
        cases.len()
    )
}

fn entry(case: &Case) -> Result<String> {
    let message = case.kept_message().ok_or_else(|| {
        Error::new(Kind::Machinery, format!("the case `{}` has no message", case.name))
            .hint("`./drydock test compile-fail --bless` writes it")
    })?;
    let title = case.title().trim_end_matches('.');
    let reason = case.reason();
    let reason = if reason.is_empty() { String::new() } else { format!("{reason}\n\n") };
    Ok(format!(
        "\n### {title}\n\n{reason}[{name}](../{directory}/{name}.rs)\n\n```diff\n{difference}```\n\n```text\n{message}```\n",
        name = case.name,
        directory = case::DIRECTORY,
        difference = case.difference(),
    ))
}

fn area_of(case: &Case) -> &str {
    case.name.split_once('/').map_or("", |(area, _)| area)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo;

    fn cases() -> Vec<Case> {
        case::all(&repo::root().unwrap()).unwrap()
    }

    #[test]
    fn the_page_is_up_to_date() {
        let page = std::fs::read_to_string(repo::root().unwrap().join(PAGE)).unwrap();
        let made = render(&cases()).unwrap();
        assert!(page == made, "`{PAGE}` is not what the cases say: `./drydock test compile-fail --bless`");
    }

    #[test]
    fn every_case_is_on_the_page() {
        for case in cases() {
            assert!(AREAS.iter().any(|(area, _)| area_of(&case) == *area), "`{}` is in no area", case.name);
            assert!(case.title().len() <= 100, "`{}` needs a shorter first sentence", case.name);
        }
    }

    #[test]
    fn there_are_enough_cases() {
        let count = cases().len();
        assert!(count >= 50, "only {count} cases");
    }
}
