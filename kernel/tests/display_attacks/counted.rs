// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Values that are counted, and know whether they were dropped.

use kernel::{
    fmt,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Kinds of counted values.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    State,
    Prepared,
    Object,
}

/// The values of each kind that exist.
static EXIST: [Atomic<i32>; 3] = [const { Atomic::new(0) }; 3];
/// Values that were used or dropped when they did not exist.
static WRONG: Atomic<i32> = Atomic::new(0);
/// How often CRTCs were switched on, and off.
pub(crate) static ENABLED: Atomic<i32> = Atomic::new(0);
pub(crate) static DISABLED: Atomic<i32> = Atomic::new(0);
/// How often a plane was updated while the CRTC was off.
static DARK: Atomic<i32> = Atomic::new(0);

/// Counts an update of a plane.
pub(crate) fn updated() {
    if ENABLED.load(Relaxed) == DISABLED.load(Relaxed) {
        DARK.add(1, Relaxed);
    }
}

/// The content of each value.
const EXISTING: u64 = 0xa77a_c4ed_0e15_7500;

/// A value whose type has an unusual alignment, and whose content lies elsewhere.
#[repr(align(256))]
pub(crate) struct Counted {
    kind: Kind,
    here: u64,
    there: KBox<u64>,
}

impl Counted {
    pub(crate) fn new(kind: Kind) -> Result<Self> {
        let there = KBox::new(EXISTING, GFP_KERNEL)?;
        EXIST[kind as usize].add(1, Relaxed);
        Ok(Self {
            kind,
            here: EXISTING,
            there,
        })
    }

    /// Counts it if the value does not exist, or does not lie where its type says.
    pub(crate) fn look(&self) {
        let aligned = core::ptr::from_ref(self).addr() % align_of::<Self>() == 0;
        if !aligned || self.here != EXISTING || *self.there != EXISTING {
            WRONG.add(1, Relaxed);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.look();
        self.here = 0;
        *self.there = 0;
        EXIST[self.kind as usize].add(-1, Relaxed);
    }
}

/// Says what was counted.
pub(crate) struct Says(fn(&mut fmt::Formatter<'_>) -> fmt::Result);

impl fmt::Display for Says {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

pub(crate) fn left() -> Says {
    Says(|f| {
        let [states, prepared, objects] = EXIST.each_ref().map(|count| count.load(Relaxed));
        let wrong = WRONG.load(Relaxed);
        write!(
            f,
            "{states} states, {prepared} prepared, {objects} objects, {wrong} wrong"
        )
    })
}

pub(crate) fn switched() -> Says {
    Says(|f| {
        let [on, off, dark] = [&ENABLED, &DISABLED, &DARK].map(|count| count.load(Relaxed));
        write!(
            f,
            "enabled {on} times, disabled {off} times, {dark} updates while off"
        )
    })
}
