// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The page "What the compiler stops you from doing", made of a dozen cases and their messages, and the same with all cases
//! for a browser (`drydock doc`).

use std::path::Path;

use crate::report::escape;
use drydock_base::error::{Context, Error, Kind, Result};

use super::case::{self, Case};

/// The page, in the checkout.
const PAGE: &str = "docs/explain/what-the-compiler-stops.md";

/// The cases of the page in the checkout: mistakes that a newcomer makes, or that ended in undefined behaviour elsewhere.
const CHOSEN: &[&str] = &[
    "register/twice",
    "register/wrong_size",
    "context/uninit_to_registered",
    "plugged/returned",
    "plugged/data_in_itself",
    "kms/setup_primary_twice",
    "kms/state_old_for_new",
    "kms/hook_flush_fails",
    "types/foreign_file",
    "types/data_not_sync",
    "ioctl/argument_size",
    "ioctl/padding",
    "gem/unaligned",
    "gem/lookup_in_close",
    "fence/signal_twice",
    "bus/handler_borrows",
    "module/unsafe_code",
];

/// The areas in the order of the page, each with its subject.
const AREAS: &[(&str, &str)] = &[
    ("register", "A device is registered once, by the bus adapter, when it is ready"),
    ("context", "What is known of a device cannot be made up"),
    ("plugged", "What holds while a device is plugged does not leave that time"),
    ("kms", "Mode setting: its set-up, objects, states, hooks and pixels"),
    ("types", "The types of a driver belong together"),
    ("ioctl", "An ioctl's handler, number and argument agree"),
    ("gem", "A buffer has a size, a class and a device"),
    ("gpuvm", "An address space, its requests and its objects belong together"),
    ("fence", "Fences, reservations and events"),
    ("thread", "What is of one thread stays there"),
    ("bus", "Probing belongs to one bus and one probe"),
    ("module", "What only the module macros may do"),
];

/// Writes the page of the checkout.
pub(crate) fn write(repo: &Path) -> Result<()> {
    let path = repo.join(PAGE);
    std::fs::write(&path, render(&chosen(case::all(repo)?))?)
        .with_context(|| format!("failed to write `{}`", path.display()))
}

/// All cases as one page for a browser.
pub(crate) fn html(repo: &Path) -> Result<String> {
    let cases = case::all(repo)?;
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{TITLE}</title>\n\
         <style>body {{ max-width: 60rem; margin: 2rem auto; font: 1rem/1.5 sans-serif }} pre {{ overflow-x: auto }}</style>\n\
         <h1>{TITLE}</h1>\n<p>Each of these {} mistakes is a test. A driver with a line marked <code>-</code> does not \
         compile. With the line marked <code>+</code> in its place, or without the line, it does.</p>\n",
        cases.len()
    );
    for (area, about) in AREAS {
        page.push_str(&format!("<h2>{}</h2>\n", escape(about)));
        for case in cases.iter().filter(|case| area_of(case) == *area) {
            let part = |tag: &str, text: &str| format!("<{tag}>{}</{tag}>\n", escape(text));
            page.push_str(&part("h3", case.title().trim_end_matches('.')));
            page.push_str(&part("p", &case.reason()));
            page.push_str(&part("p", &format!("{}/{}.rs", case::DIRECTORY, case.name)));
            page.push_str(&part("pre", &case.difference()));
            page.push_str(&part("pre", &message(case)?));
        }
    }
    Ok(page)
}

fn chosen(mut cases: Vec<Case>) -> Vec<Case> {
    cases.retain(|case| CHOSEN.contains(&case.name.as_str()));
    cases
}

fn render(cases: &[Case]) -> Result<String> {
    let mut page = HEAD.to_owned();
    for (area, about) in AREAS {
        let mut cases = cases.iter().filter(|case| area_of(case) == *area).peekable();
        if cases.peek().is_some() {
            page.push_str(&format!("\n## {about}\n"));
        }
        for case in cases {
            page.push_str(&entry(case)?);
        }
    }
    Ok(page)
}

const TITLE: &str = "What the compiler stops you from doing";

/// How the page in the checkout begins. It does not say how many cases there are, so that a new case leaves it as it is.
const HEAD: &str = "\
<!-- Made from kernel/must-not-compile by `./drydock test compile-fail --bless`; do not edit. -->

# What the compiler stops you from doing

Each mistake on this page is a test. A driver with the line marked `-` does not compile, for the reason shown. With the line
marked `+` in its place, or without the line where there is no `+`, it compiles. The compiler's flags are those of a module,
the crates are the kernel's own, and `unsafe` is forbidden.

The page shows some of the cases. `./drydock doc` writes all of them to `target/doc/what-the-compiler-stops.html`,
`./drydock test compile-fail` compiles them, and [how to add one](../how-to/add-a-must-not-compile-case.md) is a page of its own.
";

fn entry(case: &Case) -> Result<String> {
    let title = case.title().trim_end_matches('.');
    let reason = case.reason();
    let reason = if reason.is_empty() { String::new() } else { format!("{reason}\n\n") };
    Ok(format!(
        "\n### {title}\n\n{reason}[{name}](../../{directory}/{name}.rs)\n\n```diff\n{difference}```\n\n```text\n{message}```\n",
        name = case.name,
        directory = case::DIRECTORY,
        difference = case.difference(),
        message = message(case)?,
    ))
}

/// The compiler's message that is kept beside a case.
fn message(case: &Case) -> Result<String> {
    case.kept_message().ok_or_else(|| {
        Error::new(Kind::Machinery, format!("the case `{}` has no message", case.name))
            .hint("`./drydock test compile-fail --bless` writes it")
    })
}

fn area_of(case: &Case) -> &str {
    case.name.split_once('/').map_or("", |(area, _)| area)
}

#[cfg(test)]
mod tests {
    use super::*;
    use drydock_base::repo;

    fn cases() -> Vec<Case> {
        case::all(&repo::root().unwrap()).unwrap()
    }

    #[test]
    fn the_page_is_up_to_date() {
        let page = std::fs::read_to_string(repo::root().unwrap().join(PAGE)).unwrap();
        let made = render(&chosen(cases())).unwrap();
        assert!(page == made, "`{PAGE}` is not what the cases say: `./drydock test compile-fail --bless`");
    }

    #[test]
    fn every_chosen_case_is_on_the_page() {
        assert_eq!(chosen(cases()).len(), CHOSEN.len());
    }

    #[test]
    fn every_case_is_on_the_page_for_a_browser() {
        let page = html(&repo::root().unwrap()).unwrap();
        assert_eq!(page.matches("<h3>").count(), cases().len());
        assert!(page.contains("<pre>- ") && !page.contains("Result<Ready"));
    }

    #[test]
    fn every_case_is_in_an_area() {
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
