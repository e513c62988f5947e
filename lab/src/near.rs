// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Which known names a mistyped one may have meant, by the measure that clap uses for its own words.

/// Below this, two names have nothing to do with each other.
const ALIKE: f64 = 0.7;
/// How many are worth naming.
const MOST: usize = 3;

/// The names most like `word`, the nearest first, each once.
pub(crate) fn names<'n>(word: &str, known: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let alike = known.into_iter().map(|name| (strsim::jaro_winkler(word, name), name));
    let mut near: Vec<_> = alike.filter(|(alike, _)| *alike >= ALIKE).collect();
    near.sort_by(|(a, name), (b, other)| b.total_cmp(a).then(name.cmp(other)));
    near.dedup_by_key(|(_, name)| *name);
    near.into_iter().take(MOST).map(|(_, name)| name).collect()
}

/// The same as a question, if there is one: ``did you mean `a` or `b`?``
pub(crate) fn question<'n>(word: &str, known: impl IntoIterator<Item = &'n str>) -> Option<String> {
    let near: Vec<_> = names(word, known).iter().map(|name| format!("`{name}`")).collect();
    (!near.is_empty()).then(|| format!("did you mean {}?", near.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names_come_first_and_strange_ones_not_at_all() {
        let known = ["vgem", "nova", "tyr", "counter", "vgem"];
        assert_eq!(names("vgme", known), ["vgem"]);
        assert_eq!(question("conter", known).unwrap(), "did you mean `counter`?");
        assert_eq!(question("xyzzy", known), None);
    }
}
