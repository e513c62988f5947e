// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Attacks through fences.

use crate::{
    buffer::Object,
    client::Client,
    driver::{
        Attacked,
        Hardware,
        FENCES, //
    },
    LocalModule, //
};
use core::num::NonZeroU64;
use drm::{
    fence::{
        Fence,
        Timeout, //
    },
    gem::{
        self,
        Class, //
    },
    resv::Usage,
    syncobj::{
        find_fence,
        PreparedPoint,
        Syncobj,
        WaitForSubmit, //
    },
    Device,
    File, //
};
use kernel::{
    new_spinlock_irq,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SpinLockIrq, //
    },
};

/// The timeout of waits. It is longer than any fence here needs to end.
const TIMEOUT: Timeout = Timeout::from_secs(10);

/// Fails with `EIO` unless `condition` holds.
pub(crate) fn holds(condition: bool) -> Result {
    if condition {
        Ok(())
    } else {
        Err(EIO)
    }
}

/// Issues a fence with a callback and signals it.
pub(crate) fn scratch() -> Result {
    let work = FENCES.issue(Some(TIMEOUT))?;
    let fence = work.share();
    let callback = fence.on_signal::<LocalModule, _>(|_| ())?;
    holds(work.signal() && callback.has_run() && fence.status() == Some(Ok(())))
}

/// Attaches a fence to an object and signals it.
pub(crate) fn attach(object: &Object) -> Result {
    let work = FENCES.issue(Some(TIMEOUT))?;
    object.resv().attach(&work, Usage::Write)?;
    work.signal();
    holds(object.resv().is_signaled(Usage::Write))
}

/// Lets fences expire until one has expired while `function` was attached to it. Returns that
/// function's answer.
///
/// If a fence expires before the function is attached, `on_signal` calls the function directly,
/// which is no attack.
fn when_expired<F>(make: impl Fn(drm::fence::Signaler, Arc<Atomic<i32>>) -> F) -> Result<i32>
where
    F: FnOnce(&Fence) + Send + 'static,
{
    for _ in 0..100 {
        let answer = Arc::new(Atomic::new(0), GFP_KERNEL)?;
        let work = FENCES.issue(Some(Timeout::from_jiffies(4)))?;
        let fence = work.share();
        let callback = fence.on_signal::<LocalModule, _>(make(work, answer.clone()))?;
        let waits = !callback.has_run();
        fence.wait_uninterruptible(TIMEOUT)?;
        if waits {
            holds(callback.has_run())?;
            return Ok(answer.load(Relaxed));
        }
    }
    Err(EAGAIN)
}

/// `ATTACK_OWN_CALLBACK`: a callback signals and drops the signaller of its own fence.
pub(crate) fn drops_its_own_signaler() -> Result {
    let answer = when_expired(|work, answer| {
        move |_: &Fence| {
            // Another signal came first.
            answer.store(if work.signal() { 2 } else { 1 }, Relaxed);
        }
    })?;
    holds(answer == 1)?;
    when_expired(|work, _| move |_: &Fence| drop(work)).map(drop)
}

/// `ATTACK_OWN_CALLBACK_DROP`: a callback drops itself.
pub(crate) fn drops_its_own_callback() -> Result {
    for _ in 0..100 {
        let slot = Arc::pin_init(Slot::new(), GFP_KERNEL)?;
        let dropped = Arc::new(Atomic::new(0), GFP_KERNEL)?;
        let work = FENCES.issue(Some(Timeout::from_jiffies(4)))?;
        let (theirs, told) = (slot.clone(), dropped.clone());
        let callback = work.on_signal::<LocalModule, _>(move |_| {
            let own = theirs.callback.lock().take();
            told.store(own.is_some().into(), Relaxed);
            drop(own);
        })?;
        let own: KBox<dyn Send> = KBox::new(callback, GFP_KERNEL)?;
        *slot.callback.lock() = Some(own);
        work.wait_uninterruptible(TIMEOUT)?;
        let rest = slot.callback.lock().take();
        drop(rest);
        if dropped.load(Relaxed) == 1 {
            return Ok(());
        }
    }
    Err(EAGAIN)
}

/// `ATTACK_OTHER_CALLBACKS`: a callback drops the other callbacks of its fence.
pub(crate) fn drops_the_other_callbacks() -> Result {
    let calls = Arc::new(Atomic::new(0), GFP_KERNEL)?;
    let count = || {
        let calls = calls.clone();
        move |_: &Fence| {
            calls.add(1, Relaxed);
        }
    };
    let slots = [
        Arc::pin_init(Slot::new(), GFP_KERNEL)?,
        Arc::pin_init(Slot::new(), GFP_KERNEL)?,
    ];
    let work = FENCES.issue(None)?;

    // C calls them in this order.
    let before = work.on_signal::<LocalModule, _>(count())?;
    let theirs = slots.clone();
    let attacker = work.on_signal::<LocalModule, _>(move |_| {
        for slot in &theirs {
            let other = slot.callback.lock().take();
            drop(other);
        }
    })?;
    let after = work.on_signal::<LocalModule, _>(count())?;

    let others: [KBox<dyn Send>; 2] = [
        KBox::new(before, GFP_KERNEL)?,
        KBox::new(after, GFP_KERNEL)?,
    ];
    for (slot, other) in slots.iter().zip(others) {
        *slot.callback.lock() = Some(other);
    }
    holds(work.signal() && attacker.has_run() && calls.load(Relaxed) == 1)
}

/// A place that holds a callback, to be found by that callback or another.
#[pin_data]
struct Slot {
    #[pin]
    callback: SpinLockIrq<Option<KBox<dyn Send>>>,
}

impl Slot {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            callback <- new_spinlock_irq!(None),
        })
    }
}

/// `ATTACK_STATUS_IN_CALLBACK`: a callback queries how its fence ended.
pub(crate) fn asks_in_its_callback() -> Result {
    let answer = when_expired(|work, answer| {
        move |fence: &Fence| {
            let ended = fence.is_signaled() && fence.status() == Some(Ok(()));
            answer.store(if ended { 1 } else { 2 }, Relaxed);
            drop(work);
        }
    })?;
    holds(answer == 1)
}

/// `ATTACK_FOREVER`: the longest timeout does not expire early.
pub(crate) fn forever() -> Result {
    let forever = FENCES.issue(Some(Timeout::MAX))?;
    let almost = FENCES.issue(Some(Timeout::from_jiffies(Timeout::MAX.jiffies() - 1)))?;
    // When this fence has expired, the timers have been processed.
    let short = FENCES.issue(Some(Timeout::from_jiffies(2)))?;
    short.wait_timeout(TIMEOUT)?;
    holds(!forever.is_signaled() && !almost.is_signaled())?;
    holds(forever.signal() && almost.signal() && !short.signal())
}

/// `ATTACK_CHAIN`: drops a timeline of many points.
pub(crate) fn chain(points: u64) -> Result {
    let timeline = Syncobj::new(None)?;
    let mut work = KVec::new();
    for point in 1..=points {
        let fence = FENCES.issue(None)?;
        let at = NonZeroU64::new(point).ok_or(EINVAL)?;
        timeline.add_point(PreparedPoint::new()?, &fence, at)?;
        work.push(fence, GFP_KERNEL)?;
    }
    // The last fence is signalled first. All wait for the first one, and are freed together.
    while let Some(fence) = work.pop() {
        holds(fence.signal())?;
    }
    drop(timeline);
    Ok(())
}

/// `ATTACK_LATE`: uses fences that have expired.
pub(crate) fn late() -> Result {
    let expired = || {
        let work = FENCES.issue(Some(Timeout::from_jiffies(1)))?;
        work.wait_uninterruptible(TIMEOUT)?;
        Ok::<_, Error>(work)
    };
    let (signalled, failed, dropped) = (expired()?, expired()?, expired()?);
    let fences = [signalled.share(), failed.share(), dropped.share()];
    holds(!signalled.signal() && !failed.fail(EIO))?;
    drop(dropped);
    holds(fences.iter().all(|fence| fence.status() == Some(Ok(()))))?;
    // A callback added too late is called immediately, and can still be removed.
    let callback = fences[0].on_signal::<LocalModule, _>(|_| ())?;
    holds(callback.has_run())
}

/// `ATTACK_CROWDED`: adds one fence more than the reserved room.
pub(crate) fn crowded(dev: &Device<Attacked>, file: &File<Client>) -> Result {
    let object = Object::new(dev, gem::Size::PAGE, ())?;
    let work = [FENCES.issue(None)?, FENCES.issue(None)?];
    let timeline = Syncobj::new(None)?;
    let at = NonZeroU64::new(1).ok_or(EINVAL)?;
    timeline.add_point(PreparedPoint::new()?, &work[0], at)?;
    let handle = timeline.create_handle(file)?;
    let container = find_fence(file, handle, 1, WaitForSubmit::No)?;

    object.resv().lock(|locked| {
        locked.reserve(u16::MAX)?.add(&work[0], Usage::Read)?;
        let mut one = locked.reserve(1)?;
        let refused = one.add(&container, Usage::Read) == Err(EINVAL);
        one.add(&work[1], Usage::Read)?;
        let full = one.add(&work[0], Usage::Write) == Err(ENOSPC);
        let none = locked.reserve(0)?.add(&work[0], Usage::Write) == Err(ENOSPC);
        holds(refused && full && none)
    })
}

/// `ATTACK_WAIT`: waits for a fence.
pub(crate) fn wait(dev: &Device<Attacked>, milliseconds: u64) -> Result {
    let milliseconds = u32::try_from(milliseconds).map_err(|_| EINVAL)?;
    let work = FENCES.issue(Some(Timeout::from_millis(milliseconds)))?;
    pr_info!("{}: waits\n", dev.id);
    let answer = work.wait();
    pr_info!("{}: waited\n", dev.id);
    answer
}

/// `ATTACK_PREPARED`: queues and drops prepared work.
pub(crate) fn prepared(dev: &Device<Attacked>) -> Result {
    let dropped = dev.prepare_work(|_| pr_info!("dropped work runs\n"))?;
    let queued = dev.prepare_work(|dev| pr_info!("{}: queued work runs\n", dev.id))?;
    let work = FENCES.issue(Some(Timeout::from_jiffies(4)))?;
    let callback = work.on_signal::<LocalModule, _>(move |_| queued.queue())?;
    drop(dropped);
    work.wait_uninterruptible(TIMEOUT)?;
    holds(callback.has_run())
}

/// `ATTACK_PENDING`: puts a fence that ends with the device into a sync object, and returns the
/// handle of that. The signaller is forgotten.
pub(crate) fn pending(data: &Hardware<'_>, file: &File<Client>) -> Result<u32> {
    let work = data.pending.issue(&FENCES, None)?;
    let handle = Syncobj::new(Some(&work))?.create_handle(file)?;
    let mut hoard = file.hoard.lock();
    hoard.signalers.push(work, GFP_KERNEL)?;
    Ok(handle)
}
