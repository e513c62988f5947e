// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Suggests known names for a mistyped one, by the measure that clap uses for its own words.

/// The similarity below which two names are unrelated.
const ALIKE: f64 = 0.7;
/// The largest number of suggestions.
const MOST: usize = 3;

/// Returns the names most similar to `word`, the most similar first, each once.
pub fn names<'n>(word: &str, known: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let alike = known.into_iter().map(|name| (strsim::jaro_winkler(word, name), name));
    let mut near: Vec<_> = alike.filter(|(alike, _)| *alike >= ALIKE).collect();
    near.sort_by(|(a, name), (b, other)| b.total_cmp(a).then(name.cmp(other)));
    near.dedup_by_key(|(_, name)| *name);
    near.into_iter().take(MOST).map(|(_, name)| name).collect()
}

/// Returns the suggestions as a question, if there are any: ``did you mean `a` or `b`?``
pub fn question<'n>(word: &str, known: impl IntoIterator<Item = &'n str>) -> Option<String> {
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
