// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The display's objects and their hooks.

use crate::Show;
use drm::kms::{
    self,
    connector::ConnectorType,
    crtc::{
        CrtcCheck,
        CrtcCommit, //
    },
    framebuffer::Map,
    plane::{
        Placement,
        PlaneCheck, //
    },
    vblank::{
        Hardware,
        HardwareVblank, //
    },
    Connector,
    Crtc,
    CrtcState,
    EncoderType,
    Flip,
    Framebuffer,
    Hw,
    Key,
    Modes,
    New,
    Old,
    Plane,
    PlaneState,
    Setup,
    Status, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SetOnce,
        SpinLock, //
    }, //
};

const XRGB8888: u32 = u32::from_le_bytes(*b"XR24");
const ARGB8888: u32 = u32::from_le_bytes(*b"AR24");

#[derive(Clone, Copy)]
pub(crate) struct Objects {
    pub(crate) screen: Key<Crtc<Screen>>,
    pub(crate) monitor: Key<Connector<Monitor>>,
}

pub(crate) fn set_up(setup: &Setup<'_, Show>) -> Result<Objects> {
    let primary = || setup.primary(&[XRGB8888], Ok(Layer(Placement::FullScreen)));
    let cursor = setup.cursor(&[ARGB8888], (64, 64), Ok(Layer(Placement::Anywhere)))?;
    let screen = setup.crtc(primary()?, Some(cursor), Screen::new())?;
    let second = setup.crtc(primary()?, None, Screen::new())?;
    // The connector's first encoder does not reach the first CRTC.
    let encoder = setup.encoder(EncoderType::VIRTUAL, second, &[])?;
    let other = setup.encoder(EncoderType::VIRTUAL, screen, &[])?;
    let monitor = setup.connector(ConnectorType::VIRTUAL, encoder, &[other], Ok(Monitor))?;
    let _ = FIRST.populate(screen);
    Ok(Objects { screen, monitor })
}

/// The CRTC of the first device that the module had.
static FIRST: SetOnce<Key<Crtc<Screen>>> = SetOnce::new();

/// Returns the key of the first device, which may be gone.
pub(crate) fn first() -> Result<Key<Crtc<Screen>>> {
    FIRST.as_ref().copied().ok_or(ENOENT)
}

/// A framebuffer that was prepared: its mapping, counted.
pub(crate) struct Prepared {
    map: Map<Show>,
    count: Arc<Atomic<i32>>,
}

impl Prepared {
    fn new(map: Map<Show>, count: Arc<Atomic<i32>>) -> Self {
        count.add(1, Relaxed);
        Self { map, count }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.count.add(-1, Relaxed);
    }
}

pub(crate) struct Layer(Placement);

#[vtable]
impl kms::DriverPlane for Layer {
    type Driver = Show;
    type State = ();
    type Prepared = Arc<Prepared>;

    fn placement(&self) -> Placement {
        self.0
    }

    fn check(check: &mut PlaneCheck<'_, Self>) -> Result {
        check.plane().device().fail_plane.take()
    }

    fn prepare(
        plane: &Plane<Self>,
        _new: &New<PlaneState<Self>>,
        framebuffer: &Framebuffer<Show>,
    ) -> Result<Arc<Prepared>> {
        let dev = plane.device();
        dev.gate.pass()?;
        dev.fail_prepare.take()?;
        if dev.breaks.load(Relaxed) != 0 {
            // Of all errors the one that C expects in its own commits.
            return Err(ENOMEM);
        }
        dev.prepared.add(1, Relaxed);
        let prepared = Prepared::new(framebuffer.map()?, dev.alive.clone());
        Ok(Arc::new(prepared, GFP_KERNEL)?)
    }

    fn update(
        _plane: &Plane<Self>,
        old: &Old<PlaneState<Self>>,
        new: &New<PlaneState<Self>>,
        hw: &Hw<'_, Show>,
    ) {
        if hw.enabled.load(Relaxed) == hw.disabled.load(Relaxed) {
            hw.dark.add(1, Relaxed);
        }
        let damage = new.damage(old).unwrap_or_default();
        let sides = [damage.x1, damage.y1, damage.x2, damage.y2];
        for (place, side) in hw.damage.iter().zip(sides) {
            place.store(side, Relaxed);
        }
    }

    fn disable(_plane: &Plane<Self>, _old: &Old<PlaneState<Self>>, hw: &Hw<'_, Show>) {
        hw.planes_off.add(1, Relaxed);
    }
}

/// A mapping for each plane that is shown. It outlives the commit that brought it.
type Scene = [Option<Arc<Prepared>>; 2];

#[pin_data]
pub(crate) struct Screen {
    #[pin]
    scene: SpinLock<Scene>,
}

impl Screen {
    fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            scene <- new_spinlock!([None, None]),
        })
    }

    /// Replaces the scene. The old one is dropped with a spinlock held, which a mapping allows.
    fn replace(&self, scene: Scene) {
        *self.scene.lock() = scene;
    }
}

#[vtable]
impl kms::DriverCrtc for Screen {
    type Driver = Show;
    type State = ();
    type Vblank = Hardware;

    const WHOLE: bool = true;

    fn check(check: &mut CrtcCheck<'_, Self>) -> Result {
        check.crtc().device().fail_crtc.take()
    }

    fn enable(
        _crtc: &Crtc<Self>,
        _old: &Old<CrtcState<Self>>,
        _new: &New<CrtcState<Self>>,
        hw: &Hw<'_, Show>,
    ) {
        hw.enabled.add(1, Relaxed);
    }

    fn disable(crtc: &Crtc<Self>, _old: &Old<CrtcState<Self>>, hw: &Hw<'_, Show>) {
        hw.disabled.add(1, Relaxed);
        if hw.vblank_on.load(Relaxed) != hw.vblank_off.load(Relaxed) {
            pr_info!("vblanks are on at the end\n");
        }
        if hw.keeps.load(Relaxed) == 0 {
            crtc.replace([None, None]);
        }
    }

    fn flush(commit: &CrtcCommit<'_, Self>, hw: &Hw<'_, Show>) -> Flip {
        let mut scene = [None, None];
        let mut count = 0;
        for (place, (_, state)) in scene.iter_mut().zip(commit.planes()) {
            *place = state.prepared().cloned();
            count += 1;
        }
        hw.planes.store(count, Relaxed);
        if let [Some(lowest), ..] = &scene {
            let mut pixel = [0; 4];
            let read = lowest.map.read(|pixels| pixels.row(0, 0, 0, &mut pixel));
            if let Ok(Ok(())) = read {
                hw.pixel.store(i32::from_le_bytes(pixel), Relaxed);
            }
        }
        commit.crtc().replace(scene);
        Flip::AtVblank
    }
}

impl HardwareVblank for Screen {
    fn enable_vblank(_crtc: &Crtc<Self>, hw: &Hw<'_, Show>) {
        hw.vblank_on.add(1, Relaxed);
        reenter(hw);
    }

    fn disable_vblank(_crtc: &Crtc<Self>, hw: &Hw<'_, Show>) {
        hw.vblank_off.add(1, Relaxed);
        reenter(hw);
    }
}

/// Tries to end a frame, as interrupts do, in a hook whose caller has the locks for that.
fn reenter(hw: &Hw<'_, Show>) {
    if hw.reenters.load(Relaxed) != 0 {
        let ended = hw.enter(|plugged| plugged.handle_vblank(plugged.objects().screen));
        if ended == Some(Err(EBUSY)) {
            hw.refused.add(1, Relaxed);
        }
    }
}

pub(crate) struct Monitor;

#[vtable]
impl kms::DriverConnector for Monitor {
    type Driver = Show;

    fn detect(_connector: &Connector<Self>, hw: &Hw<'_, Show>) -> Status {
        if hw.asleep.load(Relaxed) != 0 {
            hw.disturbed.add(1, Relaxed);
        }
        if hw.attached.load(Relaxed) != 0 {
            Status::Connected
        } else {
            Status::Disconnected
        }
    }

    fn modes(_connector: &Connector<Self>, modes: &mut Modes<'_>, _hw: &Hw<'_, Show>) -> Result {
        modes.common((1024, 768), (640, 480))
    }
}
