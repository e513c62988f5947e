// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A driver's name in the spellings that its files need.
//!
//! Source: Documentation/rust/coding-guidelines.rst, "Naming"; module names in Documentation/kbuild/modules.rst.

use drydock_base::error::{Error, Kind, Result};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The name of the module and its files: `my_gpu`.
    pub(super) module: String,
    /// The name of its type: `MyGpu`.
    pub(super) camel: String,
}

impl Name {
    /// Parses a name. `-` counts as `_`, as it does for the kernel.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let module = text.replace('-', "_");
        let plain = module.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let begins = module.starts_with(|c: char| c.is_ascii_lowercase());
        if !plain || !begins || module.ends_with('_') || module.len() > 32 {
            return Err(Error::new(Kind::Usage, format!("`{text}` cannot be a driver's name"))
                .hint("up to 32 lower-case letters, digits and `_`, a letter first: `my_gpu`"));
        }
        let camel = module.split('_').map(capitalized).collect();
        Ok(Self { module, camel })
    }

    /// Returns the name in all its spellings.
    pub(super) fn spellings(&self) -> [String; 3] {
        [self.module.clone(), self.camel.clone(), self.module.to_uppercase()]
    }

    /// Returns the text of a driver called `self` for a driver called `new`. A driver's name must not be part of another
    /// word in its text.
    pub(super) fn rename(&self, new: &Self, text: &str) -> String {
        let pairs = self.spellings().into_iter().zip(new.spellings());
        pairs.fold(text.to_owned(), |text, (ours, theirs)| text.replace(&ours, &theirs))
    }
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

/// Returns Kbuild's text with a line for the driver `name` after that of the last driver.
pub(super) fn with_driver(kbuild: &str, name: &str) -> Option<String> {
    let last = kbuild.lines().rfind(|line| line.starts_with("$(eval $(call driver,") && line.contains(",drivers/"))?;
    let line = format!("$(eval $(call driver,{name},drivers/{name}/{name}))");
    Some(kbuild.replacen(last, &format!("{last}\n{line}"), 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let name = Name::parse("my-gpu2").unwrap();
        assert_eq!((name.module.as_str(), name.camel.as_str()), ("my_gpu2", "MyGpu2"));
        let counter = Name::parse("counter").unwrap();
        assert_eq!(counter.rename(&name, "counter Counter COUNTER"), "my_gpu2 MyGpu2 MY_GPU2");
    }

    #[test]
    fn what_the_kernel_or_rust_would_refuse_is_refused() {
        for text in ["", "My", "2d", "a b", "a/b", "a_", "_a", &"a".repeat(33)] {
            assert!(Name::parse(text).is_err(), "`{text}`");
        }
    }

    #[test]
    fn the_line_stands_behind_the_last_driver_and_before_the_tests() {
        let kbuild =
            "$(eval $(call driver,vgem,drivers/vgem/vgem))\n# tests\n$(eval $(call driver,noop,tests/noop/noop))\n";
        let lines = with_driver(kbuild, "mine").unwrap();
        assert_eq!(lines.lines().nth(1), Some("$(eval $(call driver,mine,drivers/mine/mine))"));
        assert_eq!(with_driver("obj-m := a.o\n", "mine"), None);
    }
}
