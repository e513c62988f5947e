// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Searches for programs that reach new places: LibAFL with programs as inputs, and KCOV for its map.
//!
//! Source: <https://docs.rs/libafl/0.15>; Documentation/dev-tools/kcov.rst (Linux 7.3).

mod executor;
mod mutator;

use std::num::NonZero;
use std::time::{Duration, Instant};

use clap::Args;
use libafl::corpus::{Corpus, InMemoryCorpus};
use libafl::events::SimpleEventManager;
use libafl::executors::HasObservers;
use libafl::feedbacks::MaxMapFeedback;
use libafl::monitors::NopMonitor;
use libafl::observers::{CanTrack, HitcountsMapObserver, StdMapObserver};
use libafl::schedulers::{IndexesLenTimeMinimizerScheduler, QueueScheduler};
use libafl::stages::StdMutationalStage;
use libafl::state::{HasCorpus, StdState};
use libafl::{Evaluator, Fuzzer, StdFuzzer};
use libafl_bolts::rands::StdRand;
use libafl_bolts::tuples::tuple_list;
use random::generate::Source;
use random::program::Program;
use random::text;

use crate::What;
use crate::judge::{Judge, Stop};
use crate::kcov::Kcov;
use crate::minimise::{self, Places};
use crate::report::{Line, say};

use executor::Executor;
use mutator::Change;

/// The map's size: a few times the number of edges.
const MAP: usize = 1 << 16;

/// The interval of progress reports.
const TELL: Duration = Duration::from_secs(2);

/// The number of new programs at the start.
const FIRST: usize = 64;

/// The most changes in a row to a program of the corpus.
const CHANGES: usize = 32;

/// Options of `search`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    what: What,
    /// Seed of the random choices
    #[arg(long)]
    seed: u64,
    /// Duration of the search in seconds
    #[arg(long)]
    seconds: u64,
    /// Minimise the corpus and print it
    #[arg(long)]
    minimise: bool,
}

/// Searches until the time is over, and reports the results, also after an early end.
pub(crate) fn main(options: &Options, given: Vec<Program>) -> Result<(), Stop> {
    let kcov = Kcov::new().map_err(Stop::Cannot)?;
    let judge = Judge::new(options.what.driver, Some(&kcov), options.what.limit()).map_err(Stop::Cannot)?;
    let mut executor = Executor::new(judge, &kcov, HitcountsMapObserver::new(map()).track_indices());
    let looked = look(options, given, &mut executor);
    let ended = looked.and_then(|corpus| if options.minimise { keep(corpus, options, &mut executor) } else { Ok(()) });
    executor.tell_coverage();
    ended
}

fn map() -> StdMapObserver<'static, u8, false> {
    StdMapObserver::owned("edges", vec![0; MAP])
}

/// Returns the corpus of a search within the time.
fn look(options: &Options, given: Vec<Program>, executor: &mut Executor<'_>) -> Result<Vec<Program>, Stop> {
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let source = Source::new(options.what.driver);
    let mut random = fastrand::Rng::with_seed(options.seed);
    let mut feedback = MaxMapFeedback::new(&executor.observers().0);
    let scheduler = IndexesLenTimeMinimizerScheduler::new(&executor.observers().0, QueueScheduler::new());
    let corpus = InMemoryCorpus::<Program>::new();
    let state = StdState::new(StdRand::with_seed(options.seed), corpus, InMemoryCorpus::new(), &mut feedback, &mut ());
    let mut state = state.map_err(cannot)?;
    let mut manager = SimpleEventManager::new(NopMonitor::new());
    let mut fuzzer = StdFuzzer::new(scheduler, feedback, ());
    let most = NonZero::new(CHANGES).expect("it is not zero");
    let mut stages = tuple_list!(StdMutationalStage::with_max_iterations(Change::new(&source), most));

    let first = (0..FIRST).map(|_| source.program(&mut random));
    for program in given.into_iter().chain(first.collect::<Vec<_>>()) {
        let evaluated = fuzzer.evaluate_input(&mut state, executor, &mut manager, &program);
        evaluated.map_err(|error| executor.why(error))?;
    }
    let mut told = Instant::now();
    while Instant::now() < until {
        let tried = fuzzer.fuzz_one(&mut stages, executor, &mut state, &mut manager);
        tried.map_err(|error| executor.why(error))?;
        if told.elapsed() > TELL {
            told = Instant::now();
            executor.tell_progress(state.corpus().count());
        }
    }
    executor.tell_progress(state.corpus().count());
    let all = state.corpus().ids().map(|id| state.corpus().cloned_input_for_id(id).map_err(cannot));
    all.collect()
}

/// Reports few and short programs that reach all places of the corpus, within half the time of the search. A program
/// that was not executed again in that time is left out, and one that was not shortened stays as it is.
fn keep(corpus: Vec<Program>, options: &Options, executor: &mut Executor<'_>) -> Result<(), Stop> {
    let quarter = Duration::from_secs(options.seconds.div_ceil(4));
    let until = Instant::now() + quarter;
    let mut all = Vec::new();
    for program in corpus.into_iter().take_while(|_| Instant::now() < until) {
        // These are the places that are reached every time: a second run does not reach those that only the first one
        // does.
        let (once, again): (Places, Places) = (executor.places(&program)?, executor.places(&program)?);
        all.push((program, once.intersection(&again).copied().collect()));
    }
    let until = Instant::now() + quarter;
    for (program, needed) in minimise::cover(all) {
        let has_time = Instant::now() < until;
        let mut shorten = |program| minimise::shorten(program, &needed, |program| executor.places(program));
        let short = if has_time { shorten(program)? } else { program };
        say(&Line::Kept(text::write(&short)));
    }
    Ok(())
}

fn cannot(error: libafl::Error) -> Stop {
    Stop::Cannot(format!("LibAFL: {error}"))
}
