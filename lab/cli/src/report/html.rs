// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The timeline as a self-contained page: no script, no font, no picture from elsewhere.

use super::document::{document, image};
use super::{State, Step, Timeline, escape, picture};

/// Returns the whole page.
pub(crate) fn page(timeline: &Timeline) -> String {
    let line = format!(
        "Seen on the stock kernel {}, {}. The machine ran for {:.1} s; the kernel logged {} lines, none of them a warning.",
        escape(&timeline.kernel),
        escape(&timeline.execution),
        timeline.seconds,
        timeline.log_lines
    );
    let items: String = timeline.steps.iter().map(|step| item(step, timeline.merged)).collect();
    let content = format!("{}<h2>Step by step</h2>\n<ol>\n{items}</ol>\n", figure(timeline));
    document(&format!("The life of a DRM device: {}", timeline.driver), &line, &content)
}

fn figure(timeline: &Timeline) -> String {
    let is_there = |state: &&State| timeline.steps.iter().any(|step| step.state == **state);
    let proofs: Vec<String> = State::ALL[1..]
        .iter()
        .filter(is_there)
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
    if let Some(picture) = &step.picture {
        out.push_str(&image(&picture.png, &format!("the screen: {}", step.title)));
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
        for foreign in ["http:", "https:", "<script", "<link", "url(", "@import", "src=\"/", "src=\"."] {
            assert!(!page.contains(foreign), "the page contains `{foreign}`");
        }
        assert_eq!(page.matches("src=").count(), page.matches("src=\"data:image/png;base64,").count());
    }

    #[test]
    fn picture_of_a_step_is_on_the_page() {
        let page = page(&super::super::example::timeline());
        let item = page.split("<li>").skip(1).find(|item| item.contains("a client holds")).unwrap();
        assert!(item.contains("data:image/png;base64,cG5n"), "{item}");
        assert_eq!(page.matches("<img").count(), 1);
    }

    #[test]
    fn only_states_that_occur_are_explained() {
        let page = page(&super::super::example::timeline());
        let figure = page.split("<figcaption>").nth(1).unwrap();
        let caption = figure.split("</figcaption>").next().unwrap();
        assert!(caption.contains("unplugged") && !caption.contains("Device&lt;T, Init&gt;"), "{caption}");
    }

    #[test]
    fn what_programs_and_the_kernel_say_is_text() {
        let page = page(&super::super::example::timeline());
        assert!(page.contains("a &lt; b &amp; &quot;c&quot;"));
        assert!(page.contains("vgem: &lt;unplugged&gt;"));
    }
}
