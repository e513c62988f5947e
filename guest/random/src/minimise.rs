// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reduces a corpus to few and short programs that reach the same places.
//!
//! Source: none; the cover is the greedy one: it always adds the program that adds most.

use std::collections::BTreeSet;

use random::program::Program;

/// The places that a program reaches.
pub(crate) type Places = BTreeSet<u64>;

/// Returns the needed programs, each with the places that those before it lack.
pub(crate) fn cover(mut all: Vec<(Program, Places)>) -> Vec<(Program, Places)> {
    let mut met = Places::new();
    let mut chosen = Vec::new();
    loop {
        all.iter_mut().for_each(|(_, places)| places.retain(|place| !met.contains(place)));
        all.retain(|(_, places)| !places.is_empty());
        // The value is the most places for the fewest calls.
        let value = |(program, places): &(Program, Places)| places.len() * 1000 / (program.calls.len() + 1);
        let Some(best) = (0..all.len()).max_by_key(|at| value(&all[*at])) else { return chosen };
        let (program, places) = all.swap_remove(best);
        met.extend(&places);
        chosen.push((program, places));
    }
}

/// Removes the calls without which a program still reaches all places that it is `needed` for.
pub(crate) fn shorten<E>(
    mut program: Program,
    needed: &Places,
    mut meets: impl FnMut(&Program) -> Result<Places, E>,
) -> Result<Program, E> {
    // This begins at the end: a call that uses something comes after the call that makes it.
    for at in (0..program.calls.len()).rev() {
        let mut shorter = program.clone();
        shorter.calls.remove(at);
        if meets(&shorter)?.is_superset(needed) {
            program = shorter;
        }
    }
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use random::program::Call;

    fn program(names: &[&str]) -> Program {
        Program { calls: names.iter().map(|name| Call::named(name).unwrap()).collect() }
    }

    #[test]
    fn what_others_meet_is_not_needed() {
        let all = vec![
            (program(&["open"]), Places::from([1])),
            (program(&["open", "close"]), Places::from([1, 2, 3, 4])),
            (program(&["open", "poll"]), Places::from([4, 5])),
        ];
        let chosen = cover(all);
        assert_eq!(chosen.len(), 2);
        assert_eq!(chosen[1].1, Places::from([5]));
    }

    #[test]
    fn calls_that_add_nothing_are_left_out() {
        let long = program(&["open", "version", "gem_close", "version", "close"]);
        let meets = |program: &Program| {
            let has = |name: &str| program.calls.iter().any(|call| call.spec().name == name);
            Ok::<_, ()>([("open", 1), ("gem_close", 2)].into_iter().filter(|one| has(one.0)).map(|one| one.1).collect())
        };
        assert_eq!(shorten(long, &Places::from([1, 2]), meets).unwrap(), program(&["open", "gem_close"]));
    }
}
