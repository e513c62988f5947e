// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Both halves side by side, as a self-contained page.

use crate::compile_fail::Demonstration;
use crate::report::escape;

use super::{Explained, Told};

const STYLE: &str = "
:root { color-scheme: light dark; --back: #fbfaf7; --ink: #1d2430; --faint: #68707d; --line: #d9d6cd; --card: #ffffff;
  --bad: #c2453d; --good: #23845a; }
@media (prefers-color-scheme: dark) { :root { --back: #14171c; --ink: #e7e5df; --faint: #98a0ac; --line: #323842;
  --card: #1b1f26; --bad: #e8756c; --good: #4fb286; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 100rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 0 0 .75rem; }
p.sub { color: var(--faint); margin: 0 0 1.5rem; }
.halves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(34rem, 100%), 1fr)); gap: 1.5rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.25rem; min-width: 0; }
section.bad h2 { color: var(--bad); } section.good h2 { color: var(--good); }
pre { margin: 1rem 0 .25rem; font: .8rem/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
section p { margin: 0 0 .75rem; } .meaning { color: var(--faint); font-size: .9rem; border-left: 3px solid var(--line);
  padding-left: .75rem; }
";

/// Returns the whole page.
pub(super) fn page(told: &Told) -> String {
    let title = "The same mistake twice";
    let report: String = told.report.iter().map(part).collect();
    let attempts: String = told.attempts.iter().map(attempt).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         <p class=\"sub\">A device is allocated with the size of the wrapper that owns it. Kernel {}, {}; {:.1} s until the first \
         report.</p>\n<div class=\"halves\">\n<section class=\"bad\"><h2>Through C's functions: it runs</h2>\n{report}</section>\n\
         <section class=\"good\"><h2>Through the library: it does not compile</h2>\n{attempts}</section>\n</div>\n</main>\n\
         </body>\n</html>\n",
        escape(&told.kernel),
        escape(&told.execution),
        told.seconds
    )
}

fn part(part: &Explained) -> String {
    let lines = escape(&part.lines.join("\n"));
    format!("<pre>{lines}</pre><p class=\"meaning\">{}</p>\n", escape(&part.meaning))
}

fn attempt(attempt: &Demonstration) -> String {
    format!(
        "<p>{} {}</p><pre>{}</pre><pre>{}</pre>\n",
        escape(&attempt.title),
        escape(&attempt.reason),
        escape(&attempt.difference),
        escape(&attempt.message)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_and_the_compiler_say_is_text() {
        let told = Told {
            kernel: "7.3.4-drydock-debug".into(),
            execution: "translated".into(),
            seconds: 12.0,
            report: vec![Explained { lines: vec!["<oops::Oops>::init".into()], meaning: "a < b".into() }],
            attempts: vec![Demonstration {
                title: "A <title>.".into(),
                reason: String::new(),
                difference: "- a\n".into(),
                message: "error[E0277]: `&str`".into(),
            }],
        };
        let page = page(&told);
        assert!(page.contains("&lt;oops::Oops&gt;::init") && page.contains("`&amp;str`"));
        for foreign in ["http:", "https:", "<script", "<link", "<img", "url(", "@import"] {
            assert!(!page.contains(foreign), "the page contains `{foreign}`");
        }
    }
}
