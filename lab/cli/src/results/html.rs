// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Verdicts as a self-contained page, with the output of commands and pictures of the screens.

use console::strip_ansi_codes;

use super::{Row, by_suite};
use crate::report::{document, escape, image};

/// The verdicts that the page counts.
const WORDS: [&str; 4] = ["passed", "failed", "undecided", "skipped"];

/// Returns the page.
pub(super) fn text(rows: &[Row]) -> String {
    let count = |word: &str| rows.iter().filter(|row| row.verdict.word() == word).count();
    let counts: Vec<_> = WORDS.iter().map(|word| (count(word), word)).filter(|(count, _)| *count > 0).collect();
    let counts: Vec<_> = counts.iter().map(|(count, word)| format!("{count} {word}")).collect();
    let suite = |(name, rows): (&str, Vec<&Row>)| {
        let items: String = rows.into_iter().map(item).collect();
        format!("<h2>{}</h2>\n<ol>\n{items}</ol>\n", escape(name))
    };
    let content: String = by_suite(rows).into_iter().map(suite).collect();
    document("Verdicts of Drydock", &format!("{}.", counts.join(", ")), &content)
}

fn item(row: &Row) -> String {
    let word = row.verdict.word();
    let mut out = format!(
        "<li><time>{:.1} s</time><span class=\"state {word}\">{word}</span><b>{}</b>",
        row.seconds,
        visible(&row.name)
    );
    let why = row.verdict.why().into_iter().chain(row.verdict.details().iter().map(String::as_str));
    let why: Vec<_> = why.collect();
    if !why.is_empty() {
        out.push_str(&format!("<pre class=\"seen\">{}</pre>", visible(&why.join("\n"))));
    }
    if let Some(png) = &row.picture {
        out.push_str(&image(png, &format!("the screens: {}", plain(&row.name))));
    }
    for (name, text) in [("stdout", &row.out), ("stderr", &row.err)] {
        if !text.is_empty() {
            out.push_str(&format!("<details><summary>{name}</summary><pre>{}</pre></details>", visible(text)));
        }
    }
    out.push_str("</li>\n");
    out
}

fn visible(text: &str) -> String {
    escape(&plain(text))
}

/// Returns text without what only a terminal understands.
fn plain(text: &str) -> String {
    let is_text = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    strip_ansi_codes(text).chars().filter(is_text).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::rows;
    use super::*;

    #[test]
    fn each_verdict_is_an_item_with_its_output_and_its_picture() {
        let mut rows = rows();
        rows[0].picture = Some(b"png".to_vec());
        let page = text(&rows);
        let items: Vec<_> = page.split("<li>").skip(1).collect();
        assert_eq!(items.len(), rows.len());
        assert!(page.contains("<p class=\"sub\">1 passed, 1 failed, 1 undecided, 1 skipped.</p>"), "{page}");
        assert!(items[0].contains("passed</span><b>lsgpu</b><img alt=\"the screens: lsgpu\""), "{}", items[0]);
        let failed = items[1];
        for part in [
            "<time>1.5 s</time><span class=\"state failed\">failed</span><b>sh -c 'x # SKIP &lt;y&gt;'",
            "<pre class=\"seen\">exit code 3\nat   drm_open+0x1</pre>",
            "<summary>stdout</summary><pre>ab red &lt;&amp;&gt;&quot;' ]]&gt; ",
            "<summary>stderr</summary><pre>what\n</pre>",
        ] {
            assert!(failed.contains(part), "{part} is not in {failed}");
        }
        assert!(!page.contains(['\0', '\x1b', '\x7f', '\r']));
    }

    #[test]
    fn page_needs_nothing_from_elsewhere() {
        let page = text(&rows());
        for foreign in ["http:", "https:", "<script", "<link", "url(", "@import", "src="] {
            assert!(!page.contains(foreign), "the page contains `{foreign}`");
        }
    }
}
