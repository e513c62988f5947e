// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The sequences in the repository: one file per driver, one sequence per line.
//!
//! Source: `tests/fuzz/src/text.rs` for the format of a line.

use std::path::{Path, PathBuf};

use drydock_base::cache;
use drydock_base::error::{Context, Result};
use drydock_base::events::Events;

use super::Subject;

fn file(repo: &Path, subject: Subject) -> PathBuf {
    repo.join("tests/fuzz/corpus").join(format!("{}.jsonl", subject.name()))
}

/// Returns all sequences for a driver. A driver may have none yet.
pub(crate) fn text(repo: &Path, subject: Subject) -> Result<String> {
    let file = file(repo, subject);
    match std::fs::read_to_string(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        other => other.with_context(|| format!("failed to read `{}`", file.display())),
    }
}

/// Replaces the sequences of a driver. They are sorted, so that a diff shows only changes.
pub(super) fn keep(repo: &Path, subject: Subject, kept: &[String], events: &Events) -> Result<()> {
    let file = file(repo, subject);
    let mut lines = kept.to_vec();
    lines.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
    cache::write_atomically(&file, lines.join("\n") + "\n")?;
    events.note(format!("{} sequences are in `{}`", kept.len(), file.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_in_order() {
        let repo = tempfile::tempdir().unwrap();
        assert_eq!(text(repo.path(), Subject::Nova).unwrap(), "");
        let kept = ["[2,2]", "[3]", "[1]"].map(str::to_owned);
        std::fs::create_dir_all(repo.path().join("tests/fuzz/corpus")).unwrap();
        keep(repo.path(), Subject::Nova, &kept, &Events::silent()).unwrap();
        assert_eq!(text(repo.path(), Subject::Nova).unwrap(), "[1]\n[3]\n[2,2]\n");
    }
}
