// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! House rules for the Markdown pages: links lead somewhere, what is copied from the tree is up to date, and sentences are short
//! enough to be read once.
//!
//! The lab's own tests check that commands in pages are accepted, and that tests named in them exist (`cli.rs`, `audit`).

use std::fs;

use super::{files, none, repo};

/// Pages whose text is copied from elsewhere by a program, so that its rules are those of the source.
const GENERATED: &[&str] = &["docs/explain/what-the-compiler-stops.md"];

/// The longest cell of a table, in characters. A longer one is a paragraph in the wrong place.
const LONGEST_CELL: usize = 200;
/// The longest sentence, in words. Code counts as one word.
const LONGEST_SENTENCE: usize = 40;

fn read(path: &str) -> String {
    fs::read_to_string(repo().join(path)).unwrap_or_else(|error| panic!("`{path}`: {error}"))
}

/// Returns all pages of the checkout with their text, by path from its root.
fn pages() -> Vec<(String, String)> {
    let found = files("", &[".md"]);
    assert!(found.len() > 20, "only {} pages", found.len());
    found
}

/// The lines outside of code blocks and comments, with their numbers.
fn text_lines(page: &str) -> Vec<(usize, &str)> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for (index, line) in page.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code && !line.starts_with("<!--") {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// A line in which each span of code is the word `code`.
fn without_code(line: &str) -> String {
    let parts = line.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { "code" } else { part }).collect()
}

/// Where the links of a line lead.
fn links(line: &str) -> Vec<String> {
    let line = without_code(line);
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

/// The names by which a page's headings can be linked, as GitHub makes them.
fn anchors(page: &str) -> Vec<String> {
    let headings = text_lines(page).into_iter().filter(|(_, line)| line.starts_with('#'));
    let kept = |c: char| (c.is_alphanumeric() || " -_".contains(c)).then_some(if c == ' ' { '-' } else { c });
    headings
        .map(|(_, line)| line.trim_start_matches('#').trim().to_lowercase().chars().filter_map(kept).collect())
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut complaints = Vec::new();
    for (path, text) in pages() {
        for (number, line) in text_lines(&text) {
            let broken = links(line).into_iter().filter(|link| !link.contains("://") && !leads_somewhere(&path, link));
            complaints.extend(broken.map(|link| format!("{path}:{number}: `{link}` leads nowhere")));
        }
    }
    none(complaints);
}

/// Whether a link of `page` leads to a file and, with `#`, to a heading in it.
fn leads_somewhere(page: &str, link: &str) -> bool {
    let page = repo().join(page);
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let file = if file.is_empty() { page } else { page.parent().expect("it is in a directory").join(file) };
    let has_heading = |text: String| anchors(&text).iter().any(|anchor| anchor == heading);
    file.exists() && (heading.is_empty() || fs::read_to_string(&file).is_ok_and(has_heading))
}

#[test]
fn every_page_of_docs_is_in_its_index() {
    let index = read("docs/README.md");
    let linked: Vec<String> = index.lines().flat_map(links).collect();
    let is_listed = |path: &str| linked.iter().any(|link| path.strip_prefix("docs/") == Some(link.as_str()));
    let pages = pages();
    let docs = pages.iter().map(|(path, _)| path).filter(|path| path.starts_with("docs/") && *path != "docs/README.md");
    let missing = docs.filter(|path| !path.starts_with("docs/decisions/") && !is_listed(path));
    none(missing.map(|path| format!("docs/README.md does not name {path}")).collect());
}

#[test]
fn no_table_cell_is_a_paragraph() {
    let mut complaints = Vec::new();
    for (path, text) in pages().into_iter().filter(|(path, _)| !GENERATED.contains(&path.as_str())) {
        for (number, line) in text_lines(&text).into_iter().filter(|(_, line)| line.starts_with('|')) {
            let longest = line.split(" | ").map(|cell| cell.chars().count()).max().unwrap_or(0);
            if longest > LONGEST_CELL {
                complaints.push(format!("{path}:{number}: a cell of {longest} characters"));
            }
        }
    }
    none(complaints);
}

#[test]
fn no_sentence_is_too_long() {
    let mut complaints = Vec::new();
    for (path, text) in pages().into_iter().filter(|(path, _)| !GENERATED.contains(&path.as_str())) {
        for (number, paragraph) in paragraphs(&text) {
            for sentence in sentences(&paragraph) {
                let words = sentence.split_whitespace().count();
                if words > LONGEST_SENTENCE {
                    complaints.push(format!("{path}:{number}: a sentence of {words} words: {sentence}"));
                }
            }
        }
    }
    none(complaints);
}

/// Paragraphs, items of lists and rows of tables, each as one line with the number of its first.
fn paragraphs(page: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut last = 0;
    for (number, line) in text_lines(page) {
        let line = line.trim();
        let begins = line.starts_with(['#', '|'])
            || line.starts_with("- ")
            || line.split_once(". ").is_some_and(|(n, _)| n.parse::<u8>().is_ok());
        if line.is_empty() {
            last = 0;
        } else if line.starts_with('|') {
            found.extend(without_code(line).split('|').map(|cell| (number, cell.trim().to_owned())));
            last = 0;
        } else if begins || number != last + 1 {
            found.push((number, line.to_owned()));
            last = if line.starts_with('#') { 0 } else { number };
        } else if let Some((_, text)) = found.last_mut() {
            text.push(' ');
            text.push_str(line);
            last = number;
        }
    }
    // A span of code may go on in the next line.
    found.into_iter().map(|(number, text)| (number, without_code(&text))).collect()
}

/// The sentences of a paragraph. One ends at a full stop, a question mark or an exclamation mark that a space follows.
fn sentences(paragraph: &str) -> Vec<&str> {
    let ends = paragraph.match_indices(['.', '?', '!']).map(|(at, _)| at + 1);
    let mut ends: Vec<usize> =
        ends.filter(|&at| paragraph[at..].trim_start_matches([')', '*', '"']).starts_with(' ')).collect();
    ends.push(paragraph.len());
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(&ends).map(|(start, &end)| &paragraph[start..end]).collect()
}

#[test]
fn paragraphs_items_and_cells_are_told_apart() {
    let page = "# Title\nOne `a b\nc` line. Two.\n- item\n  goes on\n- other\n\n| a | b |\n```sh\nno text\n```\nEnd\n";
    let found: Vec<String> =
        paragraphs(page).into_iter().map(|(_, text)| text).filter(|text| !text.is_empty()).collect();
    assert_eq!(found, ["# Title", "One code line. Two.", "- item goes on", "- other", "a", "b", "End"]);
    assert_eq!(sentences(&found[1]), ["One code line.", " Two."]);
}

#[test]
fn files_for_ci_are_those_on_their_page() {
    let page = read("docs/how-to/use-it-in-ci.md");
    for (language, file) in [("yaml", "workflow.yml"), ("toml", "session.toml")] {
        let path = format!("docs/how-to/ci/{file}");
        assert!(page.contains(&format!("```{language}\n{}```", read(&path))), "copy {path} into its page");
    }
}

#[test]
fn pages_count_the_obligations() {
    let is_row = |line: &&str| ["| L", "| K"].into_iter().any(|start| line.starts_with(start));
    let rows = read("docs/reference/obligations.md").lines().filter(is_row).count();
    for page in ["README.md", "docs/reference/obligations.md"] {
        assert!(read(page).contains(&format!("{rows} obligations")), "{page}: there are {rows} obligations");
    }
}

#[test]
fn the_tutorials_driver_is_the_one_that_is_built() {
    let page = "docs/start/first-driver.md";
    let driver = read("kernel/examples/1-counter/counter.rs");
    assert!(read(page).contains(&format!("```rust\n{}\n```", driver.trim())), "copy `counter.rs` into {page}");
}

#[test]
fn the_page_of_displays_shows_code_of_drivers() {
    let page = "docs/how-to/add-a-display.md";
    let plain = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let drivers: Vec<_> = super::drivers().iter().map(|(_, text)| plain(text)).collect();
    let text = read(page);
    let blocks: Vec<_> =
        text.split("```rust\n").skip(1).map(|rest| rest.split("\n```").next().expect("a part")).collect();
    assert!(blocks.len() > 5, "{page}: only {} blocks of code", blocks.len());
    let missing = blocks.into_iter().filter(|block| !drivers.iter().any(|driver| driver.contains(&plain(block))));
    none(missing.map(|block| format!("{page}: no driver has\n{block}")).collect());
}
