// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs suites at the same time: the tests in a guest keep one processor of the host busy, and no more.

use std::sync::Mutex;
use std::thread;

use drydock_base::error::Result;

/// The largest number. Each machine takes a gigabyte of memory, and two on the debug kernel.
const MOST: usize = 3;

/// Returns how many suites run at a time on this host.
pub(super) fn width() -> usize {
    thread::available_parallelism().map_or(1, |processors| processors.get().min(MOST))
}

/// Calls `run` for each item, several at a time, and returns the results. Items start in order. After an error no
/// further item starts; the error is returned when all running ones have ended.
pub(super) fn beside<T: Sync, R: Send>(
    items: &[T],
    width: usize,
    run: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = Mutex::new(items.iter().enumerate());
    let done = Mutex::new(Vec::new());
    let stop = || next.lock().expect("no holder of the lock panics").by_ref().for_each(drop);
    let work = || -> Result<()> {
        loop {
            let Some((index, item)) = next.lock().expect("no holder of the lock panics").next() else { return Ok(()) };
            let ran = run(item).inspect_err(|_| stop())?;
            done.lock().expect("no holder of the lock panics").push((index, ran));
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..width).map(|_| scope.spawn(work)).collect();
        let ended =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.collect::<Vec<_>>().into_iter().collect::<Result<()>>()
    })?;
    let mut done = done.into_inner().expect("no holder of the lock panics");
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, ran)| ran).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    use drydock_base::error::{Error, Kind};

    #[test]
    fn so_many_run_at_a_time_and_their_results_keep_the_order() {
        // Each waits for the other.
        let both = Barrier::new(2);
        let ran = beside(&[1, 2, 3, 4], 2, |item| {
            both.wait();
            Ok(item * 10)
        });
        assert_eq!(ran.unwrap(), [10, 20, 30, 40]);
    }

    #[test]
    fn nothing_is_begun_after_an_error() {
        let begun = Mutex::new(Vec::new());
        let ran = beside(&[1, 2, 3], 1, |item| {
            begun.lock().unwrap().push(*item);
            if *item == 2 { Err(Error::new(Kind::Interrupted, "x")) } else { Ok(()) }
        });
        assert_eq!(ran.unwrap_err().kind(), Kind::Interrupted);
        assert_eq!(begun.into_inner().unwrap(), [1, 2]);
    }
}
