// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Set-ups with a mistake each. The device of each is dropped at once, and leaves nothing.

use crate::{
    objects::{
        display,
        set_up,
        Keys,
        Layer,
        Monitor,
        Objects,
        Screen,
        FORMATS, //
    },
    Attacked, //
};
use drm::{
    kms::{
        connector::ConnectorType,
        EncoderType,
        Setup, //
    },
    UnregisteredDevice, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Full, //
    }, //
};

/// Whether the next probe tries wrong set-ups.
pub(crate) static TRY: Atomic<i32> = Atomic::new(0);

type Mistake = fn(&Setup<'_, Attacked>, Keys) -> Result;

/// The mistakes. Each set-up goes on after it with a display that is complete, and reports no error.
const MISTAKES: [(&str, Mistake); 10] = [
    ("none", |_, _| Ok(())),
    ("dropped-primary", |setup, _| {
        setup.primary(&FORMATS, Layer::new(false)).map(drop)
    }),
    ("dropped-cursor", |setup, _| {
        setup
            .cursor(&FORMATS, (0, u32::MAX), Layer::new(true))
            .map(drop)
    }),
    ("crtc-fails", |setup, _| {
        let primary = setup.primary(&FORMATS, Layer::new(false))?;
        let failed = setup.crtc(primary, None, Err::<Screen, Error>(EIO));
        expect(failed.map(drop), Err(EIO))
    }),
    ("planes", |setup, _| {
        let screen = display(setup)?.screen;
        let mut count = 2;
        while setup
            .overlay(&FORMATS, screen, &[], Layer::new(false))
            .is_ok()
        {
            count += 1;
        }
        // Two more planes follow, for which there is no room.
        expect(Ok(()), if count == 32 { Ok(()) } else { Err(EIO) })
    }),
    ("formats", |setup, _| {
        for count in [0, 65] {
            let formats = KVec::from_elem(0x1234_5678u32, count, GFP_KERNEL)?;
            let plane = setup.primary(&formats, Layer::new(false));
            expect(plane.map(drop), Err(EINVAL))?;
        }
        Ok(())
    }),
    ("foreign-crtc", |setup, foreign| {
        let encoder = setup.encoder(EncoderType::NONE, foreign.screen, &[]);
        expect(encoder.map(drop), Err(EINVAL))?;
        let overlay = setup.overlay(&FORMATS, foreign.screen, &[], Layer::new(false));
        expect(overlay.map(drop), Err(EINVAL))
    }),
    ("foreign-encoder", |setup, foreign| {
        let monitor = setup.connector(ConnectorType::VGA, foreign.encoder, &[], Monitor::new());
        expect(monitor.map(drop), Err(EINVAL))
    }),
    ("nested", |setup, _| {
        // While a plane's data is made, other objects are.
        let inner = try_init!(Layer {
            is_cursor: display(setup).is_err(),
            counted: crate::counted::Counted::new(crate::counted::Kind::Object)?,
        }? Error);
        let primary = setup.primary(&FORMATS, inner)?;
        setup.crtc(primary, None, Screen::new()).map(drop)
    }),
    ("work", |setup, _| {
        setup.framebuffer_limits((0, 0), (32767, 32767))?;
        expect(setup.framebuffer_limits((2, 2), (1, 1)), Err(EINVAL))?;
        // The work may run after the set-up has failed, and then drops the device.
        setup.device().queue_work(|dev| {
            let _ = dev.enter(|_| ());
        })?;
        Err(ENOSPC)
    }),
];

fn expect(answer: Result, wanted: Result) -> Result {
    if answer == wanted {
        Ok(())
    } else {
        Err(EIO)
    }
}

/// Tries them, if that was asked for, and logs what each set-up ends with.
pub(crate) fn try_wrong<'bound>(
    new: &impl Fn() -> Result<UnregisteredDevice<'bound, Attacked>>,
) -> Result {
    if TRY.cmpxchg(1, 0, Full).is_err() {
        return Ok(());
    }
    let gone = new()?.init_kms(|setup| set_up(setup, None))?;
    let foreign = gone.objects().keys;
    drop(gone);
    for (name, mistake) in MISTAKES {
        let done = new()?.init_kms(|setup| -> Result<Objects> {
            mistake(setup, foreign)?;
            set_up(setup, None)
        });
        let errno = done.map_or_else(Error::to_errno, |_| 0);
        pr_info!("set-up {name}: {errno}\n");
    }
    pr_info!("wrong set-ups end\n");
    Ok(())
}
