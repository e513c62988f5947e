// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The timeline as a self-contained page: no script, no font, no picture from elsewhere.

use std::fmt::Write;

use super::{State, Step, Timeline, escape, picture};

/// The page's style. Light and dark follow the reader's system. The picture uses the same colour names.
const STYLE: &str = "
:root { color-scheme: light dark; --back: #fbfaf7; --ink: #1d2430; --faint: #68707d; --line: #d9d6cd; --card: #ffffff;
  --absent: #a9adb5; --unregistered: #c98a12; --registered: #23845a; --unplugged: #c2453d; --bar: #4a6fa5; }
@media (prefers-color-scheme: dark) { :root { --back: #14171c; --ink: #e7e5df; --faint: #98a0ac; --line: #323842;
  --card: #1b1f26; --absent: #6a717c; --unregistered: #e0ab45; --registered: #4fb286; --unplugged: #e8756c; --bar: #7c9fd3; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
p.sub { color: var(--faint); margin: 0 0 1.5rem; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; overflow-x: auto; }
figcaption { color: var(--faint); font-size: .9rem; margin-top: .75rem; }
svg { display: block; width: 100%; min-width: 56rem; height: auto; }
ol { list-style: none; margin: 0; padding: 0; }
li { display: grid; grid-template-columns: 5.5rem 8rem 1fr; gap: .25rem 1rem; padding: .7rem 0; border-top: 1px solid var(--line); }
li > time { font-variant-numeric: tabular-nums; color: var(--faint); text-align: right; }
li > b { font-weight: 600; } .state { font-weight: 600; }
.absent { color: var(--absent); } .unregistered { color: var(--unregistered); }
.registered { color: var(--registered); } .unplugged { color: var(--unplugged); }
details, .seen { grid-column: 3; } summary { color: var(--faint); cursor: pointer; font-size: .9rem; }
pre { margin: .25rem 0 0; font: .8rem/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 40rem) { li { grid-template-columns: 4.5rem 1fr; } li > b, details, .seen { grid-column: 1 / -1; } }
";

/// Returns the whole page.
pub(crate) fn page(timeline: &Timeline) -> String {
    let mut out = String::new();
    let title = format!("The life of a DRM device: {}", escape(&timeline.driver));
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         <p class=\"sub\">Seen on the stock kernel {}, {}. The machine ran for {:.1} s; the kernel logged {} lines, \
         none of them a warning.</p>\n",
        escape(&timeline.kernel),
        escape(&timeline.execution),
        timeline.seconds,
        timeline.log_lines
    )
    .expect("a string takes everything");
    out.push_str(&figure(timeline));
    out.push_str("<h2>Step by step</h2>\n<ol>\n");
    timeline.steps.iter().for_each(|step| out.push_str(&item(step, timeline.merged)));
    out.push_str("</ol>\n</main>\n</body>\n</html>\n");
    out
}

fn figure(timeline: &Timeline) -> String {
    let proofs: Vec<String> = State::ALL[1..]
        .iter()
        .map(|state| format!("<span class=\"{0}\">{0}</span>: <code>{1}</code>", state.word(), escape(state.proof())))
        .collect();
    format!(
        "<figure>\n{}<figcaption>Each column is a step; a bar says that the thing exists after it. What the compiler \
         knows in each state: {}.</figcaption>\n</figure>\n",
        picture::draw(timeline),
        proofs.join("; ")
    )
}

fn item(step: &Step, merged: bool) -> String {
    let word = step.state.word();
    let mut out = format!(
        "<li><time>{:.3} s</time><span class=\"state {word}\">{word}</span><b>{}</b>",
        step.time,
        escape(&step.title)
    );
    if !step.seen.is_empty() {
        out.push_str(&format!("<pre class=\"seen\">{}</pre>", escape(&step.seen.join("\n"))));
    }
    if !step.log.is_empty() {
        let log = escape(&step.log.join("\n"));
        let (open, what) = if merged { (" open", "kernel log and GPU") } else { ("", "kernel log") };
        out.push_str(&format!("<details{open}><summary>{what}</summary><pre>{log}</pre></details>"));
    }
    out.push_str("</li>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = page(&super::super::example::timeline());
        for foreign in ["http:", "https:", "<script", "<link", "<img", "url(", "@import"] {
            assert!(!page.contains(foreign), "the page contains `{foreign}`");
        }
    }

    #[test]
    fn what_programs_and_the_kernel_say_is_text() {
        let page = page(&super::super::example::timeline());
        assert!(page.contains("a &lt; b &amp; &quot;c&quot;"));
        assert!(page.contains("vgem: &lt;unplugged&gt;"));
    }
}
