// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The examples in the documentation of `kernel/drm`: all must compile as modules do.
//!
//! An example is a code block of a doc comment that is marked `rust` or not marked at all. It continues a file that
//! begins with the driver of `kernel/must-not-compile`, and is checked with the command that Kbuild recorded for `vgem`. As
//! usual, lines that begin with `# ` are hidden. An example that declares a module replaces the driver's own. Lines
//! keep their numbers, so that the compiler's messages point to the right place.
//!
//! Source: The rustdoc book, "Documentation tests".

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use drydock_base::error::{Context as _, Error, Kind, Result};
use drydock_base::process;
use drydock_toolchain::root::{self, Binds};

use super::suite::{Case, Context, Need, Progress, Suite, Verdict};
use crate::compile_fail::compiler::recorded_command;

/// The examples of `kernel/drm`.
pub(super) struct Examples;

/// The path of the crate in the checkout.
const CRATE: &str = "kernel/drm";
/// The file that every example begins with, and the line at which it ends if the example declares a module itself.
const SHARED: &str = "kernel/must-not-compile/driver.rs";

/// The displays that examples of mode setting have, beside the driver.
const DISPLAY: &str = "kernel/must-not-compile/display.rs";
const MODULE: &str = "drm::module_";
/// The path of the examples inside the root.
const INSIDE: &str = "/doc-examples";

impl Suite for Examples {
    fn name(&self) -> &'static str {
        "doc-examples"
    }

    fn need(&self) -> Need {
        Need::Modules
    }

    fn names(&self, repo: &Path) -> Result<BTreeSet<String>> {
        Ok(all(repo)?.iter().map(Example::case_name).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        let repo = context.repo;
        let mut examples = all(repo)?;
        examples.retain(|example| context.filter.selects(&example.case_name()));
        if examples.is_empty() {
            return Ok(());
        }
        let sources = context.toolchain().work().join("doc-examples");
        write_all(repo, &sources, &examples)?;
        let title = "compiling the documentation's examples";
        let mut progress = Progress::begin(context, title, examples.len(), tell);
        for example in &examples {
            progress.tell(example.case_name(), compile(context, &sources, example)?);
        }
        progress.done();
        Ok(())
    }
}

/// One example.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    /// The file's path in the checkout.
    file: String,
    /// The line after the opening backquotes.
    line: usize,
    text: String,
}

impl Example {
    fn case_name(&self) -> String {
        format!("doc-examples::{}:{}", self.file, self.line)
    }

    /// Returns the name of the file for the compiler.
    fn path(&self) -> String {
        format!("{}/{}.rs", self.file, self.line)
    }

    /// Returns the whole file. The example's lines have the same numbers as in the documentation.
    fn source(&self) -> String {
        let shared = if self.text.contains(MODULE) { "driver-alone.rs" } else { "driver.rs" };
        let display =
            if self.file.contains("/kms") { format!("include!(\"{INSIDE}/display.rs\");") } else { String::new() };
        format!("include!(\"{INSIDE}/{shared}\");{display}{}{}", "\n".repeat(self.line - 1), self.text)
    }
}

/// Returns the examples of the crate.
fn all(repo: &Path) -> Result<Vec<Example>> {
    let mut examples = Vec::new();
    in_directory(&repo.join(CRATE), CRATE, &mut examples)?;
    Ok(examples)
}

/// Adds the examples of all files below `directory`, which is called `name` in messages.
fn in_directory(directory: &Path, name: &str, examples: &mut Vec<Example>) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("failed to list `{}`", directory.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let name = format!("{name}/{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            in_directory(&path, &name, examples)?;
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
            examples.extend(in_text(&name, &text)?);
        }
    }
    Ok(())
}

/// Returns the examples of a file.
fn in_text(file: &str, text: &str) -> Result<Vec<Example>> {
    let (mut examples, mut open) = (Vec::new(), None);
    for (index, line) in text.lines().enumerate() {
        let Some(doc) = doc_text(line) else { continue };
        match (doc.trim_start().strip_prefix("```"), &mut open) {
            (Some("" | "rust"), None) => {
                open = Some((true, Example { file: file.to_owned(), line: index + 2, text: String::new() }));
            }
            (Some("ignore"), None) => {
                let why = format!("the example at `{file}:{}` is marked `ignore`", index + 1);
                return Err(Error::new(Kind::Check, why)
                    .hint("remove the word to have it compiled, or use `text` if it is not code"));
            }
            (Some(_), None) => open = Some((false, Example { file: file.to_owned(), line: 0, text: String::new() })),
            (Some(_), Some(_)) => {
                let (is_code, example) = open.take().expect("it was matched just now");
                examples.extend(is_code.then_some(example));
            }
            (None, Some((_, example))) => example.text.push_str(&format!("{}\n", shown_or_not(doc))),
            (None, None) => {}
        }
    }
    Ok(examples)
}

/// Returns the text of a line of a doc comment.
fn doc_text(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))?;
    Some(text.strip_prefix(' ').unwrap_or(text))
}

/// Returns a line of code without the mark that hides it.
fn shown_or_not(line: &str) -> &str {
    match line.trim_start() {
        "#" => "",
        hidden => hidden.strip_prefix("# ").unwrap_or(line),
    }
}

fn write_all(repo: &Path, sources: &Path, examples: &[Example]) -> Result<()> {
    drydock_base::cache::remove_tree(sources)?;
    let [shared, display] = [SHARED, DISPLAY].map(|name| {
        let path = repo.join(name);
        fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))
    });
    let (shared, display) = (shared?, display?);
    let alone = shared.split(MODULE).next().unwrap_or_default();
    let names = ["driver.rs", "driver-alone.rs", "display.rs"].map(str::to_owned);
    let mut files: Vec<_> = names.into_iter().zip([shared.clone(), alone.to_owned(), display]).collect();
    files.extend(examples.iter().map(|example| (example.path(), example.source())));
    for (name, text) in files {
        let path = sources.join(name);
        drydock_base::cache::write_atomically(&path, text)?;
    }
    Ok(())
}

fn compile(context: &Context<'_>, sources: &Path, example: &Example) -> Result<Verdict> {
    let toolchain = context.toolchain();
    let out = &context.modules().dir;
    let kernel = toolchain.repo.join("kernel");
    let binds = Binds::none().read(kernel, "/kernel-src").read(out, "/out").read(sources, INSIDE);
    let path = format!("{INSIDE}/{}", example.path());
    let command = recorded_command(out)?;
    let emit = format!("--emit=metadata={}/example.rmeta", root::PRIVATE_TMP);
    let script = format!("cd /out; {{ {command} {emit} {path}; }} 2>&1; echo \"exit code $?\"");
    let mut shell = toolchain.command("sh", &binds);
    shell.args(["-c", &script]).env("RUSTC_BOOTSTRAP", "1");
    let said = process::output(&mut shell)?;
    match said.trim_end().rsplit_once("exit code ") {
        Some((_, "0")) => Ok(Verdict::Passed),
        Some((said, _)) => {
            let said = said.replace(&path, &example.file).replace("/kernel-src/", "kernel/");
            let why = format!("the example at `{}:{}` does not compile", example.file, example.line);
            Ok(Verdict::Failed { why, details: said.lines().map(str::to_owned).collect() })
        }
        None => Err(Error::new(Kind::Machinery, format!("rustc failed on `{path}`")).details(said.lines())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers_and_hidden_ones_are_code() {
        let text = "// SPDX\n\n//! ```\n//! # fn f() {\n//!     g();\n//! # }\n//! ```\n/// ```text\n/// x\n/// ```\n";
        let examples = in_text("drm/a.rs", text).unwrap();
        assert_eq!(examples.len(), 1);
        assert_eq!(examples[0].text, "fn f() {\n    g();\n}\n");
        assert_eq!(examples[0].source().lines().nth(3), Some("fn f() {"));
        assert_eq!(examples[0].case_name(), "doc-examples::drm/a.rs:4");
    }

    #[test]
    fn attributes_are_not_hidden() {
        let examples = in_text("a.rs", "/// ```rust\n/// #[vtable]\n/// #\n/// ```\n").unwrap();
        assert_eq!(examples[0].text, "#[vtable]\n\n");
    }

    #[test]
    fn an_example_that_is_not_compiled_is_an_error() {
        assert!(in_text("a.rs", "/// ```ignore\n/// x\n/// ```\n").unwrap_err().to_string().contains("a.rs:1"));
    }
}
