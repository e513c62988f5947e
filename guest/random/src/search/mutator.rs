// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Programs as LibAFL's inputs, and their changes as its mutations.
//!
//! Source: <https://docs.rs/libafl/0.15/libafl/mutators/>.

use std::borrow::Cow;

use libafl::Error;
use libafl::corpus::{Corpus, CorpusId};
use libafl::mutators::{MutationResult, Mutator};
use libafl::random_corpus_id;
use libafl::state::{HasCorpus, HasRand};
use libafl_bolts::Named;
use libafl_bolts::rands::Rand;

use random::generate::Source;
use random::program::Program;

/// Changes programs.
pub(super) struct Change<'s> {
    source: &'s Source,
    name: Cow<'static, str>,
}

impl<'s> Change<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        Self { source, name: Cow::Borrowed("change") }
    }
}

impl Named for Change<'_> {
    fn name(&self) -> &Cow<'static, str> {
        &self.name
    }
}

impl<S: HasRand + HasCorpus<Program>> Mutator<Program, S> for Change<'_> {
    fn mutate(&mut self, state: &mut S, program: &mut Program) -> Result<MutationResult, Error> {
        let mut random = fastrand::Rng::with_seed(state.rand_mut().next());
        let id = random_corpus_id!(state.corpus(), state.rand_mut());
        let other = state.corpus().cloned_input_for_id(id)?;
        let before = program.clone();
        self.source.change(program, Some(&other), &mut random);
        Ok(if *program == before { MutationResult::Skipped } else { MutationResult::Mutated })
    }

    fn post_exec(&mut self, _: &mut S, _: Option<CorpusId>) -> Result<(), Error> {
        Ok(())
    }
}
