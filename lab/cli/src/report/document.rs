// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The common parts of all pages: the document around their content, its style, and pictures inside of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::escape;

/// The style of all pages. Light and dark follow the reader's system. The picture of a life uses the same colour names.
const STYLE: &str = "
:root { color-scheme: light dark; --back: #fbfaf7; --ink: #1d2430; --faint: #68707d; --line: #d9d6cd; --card: #ffffff;
  --absent: #a9adb5; --unregistered: #c98a12; --init: #7a5fb0; --registered: #23845a; --unplugged: #c2453d; --bar: #4a6fa5; }
@media (prefers-color-scheme: dark) { :root { --back: #14171c; --ink: #e7e5df; --faint: #98a0ac; --line: #323842;
  --card: #1b1f26; --absent: #6a717c; --unregistered: #e0ab45; --init: #a98fe0; --registered: #4fb286; --unplugged: #e8756c; --bar: #7c9fd3; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
p.sub { color: var(--faint); margin: 0 0 1.5rem; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; overflow-x: auto; }
figcaption { color: var(--faint); font-size: .9rem; margin-top: .75rem; }
svg { display: block; width: 100%; min-width: 56rem; height: auto; }
ol { list-style: none; margin: 0; padding: 0; }
li { display: grid; grid-template-columns: 6.5rem 8rem 1fr; gap: .25rem 1rem; padding: .7rem 0; border-top: 1px solid var(--line); }
li > time { white-space: nowrap; font-variant-numeric: tabular-nums; color: var(--faint); text-align: right; }
li > b { font-weight: 600; } .state { font-weight: 600; }
.absent, .skipped { color: var(--absent); } .unregistered, .undecided { color: var(--unregistered); } .init { color: var(--init); }
.registered, .passed { color: var(--registered); } .unplugged, .failed { color: var(--unplugged); }
details, .seen, li > img { grid-column: 3; } img { max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: .4rem; } summary { color: var(--faint); cursor: pointer; font-size: .9rem; }
pre { margin: .25rem 0 0; font: .8rem/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 40rem) { li { grid-template-columns: 4.5rem 1fr; } li > b, details, .seen, li > img { grid-column: 1 / -1; } }
";

/// Returns a page with a title, a line below it, and further content, both of which are HTML.
pub(crate) fn document(title: &str, line: &str, content: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         <p class=\"sub\">{line}</p>\n{content}</main>\n</body>\n</html>\n"
    )
}

/// Returns a PNG file as an image that needs no other file.
pub(crate) fn image(png: &[u8], alternative: &str) -> String {
    format!("<img alt=\"{}\" src=\"data:image/png;base64,{}\">", escape(alternative), STANDARD.encode(png))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_is_inside_of_the_page() {
        assert_eq!(image(b"png", "a \"b\""), "<img alt=\"a &quot;b&quot;\" src=\"data:image/png;base64,cG5n\">");
    }
}
