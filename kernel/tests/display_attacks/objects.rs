// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The display's objects and their hooks.

use crate::{
    counted::{
        self,
        Counted,
        Kind,
        DISABLED,
        ENABLED, //
    },
    edid,
    trap,
    Attacked, //
};
use drm::kms::{
    self,
    connector::ConnectorType,
    crtc::{
        CrtcCheck,
        CrtcCommit, //
    },
    framebuffer::Map,
    plane::PlaneCheck,
    vblank::{
        Hardware,
        HardwareVblank, //
    },
    Connector,
    Crtc,
    CrtcState,
    Encoder,
    EncoderType,
    Flip,
    Framebuffer,
    Hw,
    Key,
    Mode,
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
    new_spinlock_irq,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SpinLock,
        SpinLockIrq, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

pub(crate) const XRGB8888: u32 = u32::from_le_bytes(*b"XR24");
pub(crate) const ARGB8888: u32 = u32::from_le_bytes(*b"AR24");
pub(crate) const RGB565: u32 = u32::from_le_bytes(*b"RG16");
pub(crate) const NV12: u32 = u32::from_le_bytes(*b"NV12");
pub(crate) const FORMATS: [u32; 4] = [XRGB8888, ARGB8888, RGB565, NV12];

/// The keys of a device's objects.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    pub(crate) screen: Key<Crtc<Screen>>,
    pub(crate) encoder: Key<Encoder<Attacked>>,
    pub(crate) monitor: Key<Connector<Monitor>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Objects {
    pub(crate) keys: Keys,
    /// The keys of another device, which is gone.
    pub(crate) foreign: Option<Keys>,
}

/// Makes a display, with a primary and a cursor plane.
pub(crate) fn display(setup: &Setup<'_, Attacked>) -> Result<Keys> {
    let primary = setup.primary(&FORMATS, Layer::new(false))?;
    let cursor = setup.cursor(&[ARGB8888], (64, 64), Layer::new(true))?;
    let screen = setup.crtc(primary, Some(cursor), Screen::new())?;
    let encoder = setup.encoder(EncoderType::VIRTUAL, screen, &[])?;
    let monitor = setup.connector(ConnectorType::VIRTUAL, encoder, &[], Monitor::new())?;
    Ok(Keys {
        screen,
        encoder,
        monitor,
    })
}

pub(crate) fn set_up(setup: &Setup<'_, Attacked>, foreign: Option<Keys>) -> Result<Objects> {
    Ok(Objects {
        keys: display(setup)?,
        foreign,
    })
}

/// The errors with which hooks fail, or 0.
pub(crate) static CHECK_FAILS: Atomic<i32> = Atomic::new(0);
pub(crate) static PREPARE_FAILS: Atomic<i32> = Atomic::new(0);
pub(crate) static NO_STATES: Atomic<i32> = Atomic::new(0);
/// Whether a flush waits.
pub(crate) static WAIT_IN_FLUSH: Atomic<i32> = Atomic::new(0);
/// Whether the next flush is on the screen at once: a resume waits for a frame, and nobody ends one.
pub(crate) static FLIPS_NOW: Atomic<i32> = Atomic::new(0);
/// Whether `detect` changes its answer with each call, and how often it was called.
pub(crate) static UNSTEADY: Atomic<i32> = Atomic::new(0);
static DETECTED: Atomic<i32> = Atomic::new(0);

fn fails(with: &Atomic<i32>) -> Result {
    kernel::error::to_result(-with.load(Relaxed))
}

/// A driver's part of a state. A check exchanges the parts of all states.
pub(crate) struct Part(Counted);

impl kms::State for Part {
    fn initial() -> Result<Self> {
        Ok(Self(Counted::new(Kind::State)?))
    }

    fn duplicate(&self) -> Result<Self> {
        self.0.look();
        fails(&NO_STATES)?;
        Self::initial()
    }
}

pub(crate) struct Layer {
    pub(crate) is_cursor: bool,
    pub(crate) counted: Counted,
}

impl Layer {
    pub(crate) fn new(is_cursor: bool) -> impl PinInit<Self, Error> {
        try_init!(Self {
            is_cursor,
            counted: Counted::new(Kind::Object)?,
        })
    }
}

/// A prepared framebuffer: a mapping, which is read once more when it is dropped.
pub(crate) struct Shown {
    map: Map<Attacked>,
    counted: Counted,
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.counted.look();
    }
}

#[vtable]
impl kms::DriverPlane for Layer {
    type Driver = Attacked;
    type State = Part;
    type Prepared = Arc<Shown>;

    fn check(check: &mut PlaneCheck<'_, Self>) -> Result {
        let plane = check.plane();
        plane.counted.look();
        trap::with_device(trap::PLANE_CHECK, plane.device());
        check.old().0.look();
        check.crtc().0.look();
        // The part of this state goes into the device, and another state's part comes.
        let screen = plane.device().objects().keys.screen;
        let screen = plane.device().get(screen)?;
        let mut spare = Part(Counted::new(Kind::State)?);
        core::mem::swap(&mut spare, check.edit().private());
        let spare = screen.spare.lock().replace(spare);
        if let Some(spare) = spare {
            *check.edit().private() = spare;
        }
        check.new_state().0.look();
        fails(&CHECK_FAILS)
    }

    fn prepare(
        plane: &Plane<Self>,
        new: &New<PlaneState<Self>>,
        framebuffer: &Framebuffer<Attacked>,
    ) -> Result<Arc<Shown>> {
        trap::with_framebuffer(trap::PREPARE, plane.device(), framebuffer);
        new.0.look();
        if plane.is_cursor {
            fails(&PREPARE_FAILS)?;
        }
        let shown = Shown {
            map: framebuffer.map()?,
            counted: Counted::new(Kind::Prepared)?,
        };
        Ok(Arc::new(shown, GFP_KERNEL)?)
    }

    fn update(
        plane: &Plane<Self>,
        old: &Old<PlaneState<Self>>,
        new: &New<PlaneState<Self>>,
        hw: &Hw<'_, Attacked>,
    ) {
        plane.counted.look();
        counted::updated();
        if let Some(framebuffer) = new.framebuffer() {
            trap::with_framebuffer(trap::UPDATE, hw, framebuffer);
        }
        for state in [&**old, &**new] {
            state.0.look();
            if let Some(shown) = state.prepared() {
                shown.counted.look();
            }
        }
    }

    fn disable(plane: &Plane<Self>, old: &Old<PlaneState<Self>>, hw: &Hw<'_, Attacked>) {
        plane.counted.look();
        old.0.look();
        trap::with_device(trap::PLANE_DISABLE, hw);
    }
}

/// A mapping for each plane that is shown. It outlives the commit that brought it.
type Scene = [Option<Arc<Shown>>; 2];

#[pin_data]
pub(crate) struct Screen {
    // The hooks of vblanks take it, which a timer calls, too.
    #[pin]
    scene: SpinLockIrq<Scene>,
    #[pin]
    spare: SpinLock<Option<Part>>,
    counted: Counted,
}

impl Screen {
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            scene <- new_spinlock_irq!([None, None]),
            spare <- new_spinlock!(None),
            counted: Counted::new(Kind::Object)?,
        })
    }

    /// Replaces the scene. The old one is dropped with a spinlock held and interrupts off, which a
    /// mapping allows.
    fn replace(&self, scene: Scene) {
        *self.scene.lock() = scene;
    }
}

#[vtable]
impl kms::DriverCrtc for Screen {
    type Driver = Attacked;
    type State = Part;
    type Vblank = Hardware;

    const WHOLE: bool = true;
    const NEEDS_PRIMARY: bool = true;

    fn mode_valid(crtc: &Crtc<Self>, _mode: &Mode) -> bool {
        crtc.counted.look();
        trap::with_device(trap::MODE_VALID, crtc.device());
        true
    }

    fn check(check: &mut CrtcCheck<'_, Self>) -> Result {
        trap::with_device(trap::CRTC_CHECK, check.crtc().device());
        check.old().0.look();
        let (mut state, planes) = check.split();
        state.private().0.look();
        planes.for_each(|(_, state)| state.0.look());
        Ok(())
    }

    fn enable(
        crtc: &Crtc<Self>,
        old: &Old<CrtcState<Self>>,
        new: &New<CrtcState<Self>>,
        hw: &Hw<'_, Attacked>,
    ) {
        crtc.counted.look();
        old.0.look();
        new.0.look();
        ENABLED.add(1, Relaxed);
        trap::with_device(trap::ENABLE, hw);
    }

    fn disable(crtc: &Crtc<Self>, old: &Old<CrtcState<Self>>, hw: &Hw<'_, Attacked>) {
        crtc.counted.look();
        old.0.look();
        DISABLED.add(1, Relaxed);
        trap::with_device(trap::DISABLE, hw);
        crtc.replace([None, None]);
    }

    fn flush(commit: &CrtcCommit<'_, Self>, hw: &Hw<'_, Attacked>) -> Flip {
        trap::with_device(trap::FLUSH, hw);
        if WAIT_IN_FLUSH.load(Relaxed) != 0 {
            pr_info!("flush waits\n");
            while WAIT_IN_FLUSH.load(Relaxed) != 0 {
                fsleep(Delta::from_millis(1));
            }
            pr_info!("flush goes on\n");
        }
        let mut scene = [None, None];
        for (place, (_, state)) in scene.iter_mut().zip(commit.planes()) {
            *place = state.prepared().cloned();
        }
        commit.crtc().replace(scene);
        match FLIPS_NOW.xchg(0, Relaxed) {
            0 => Flip::AtVblank,
            _ => Flip::Now,
        }
    }
}

impl HardwareVblank for Screen {
    fn enable_vblank(crtc: &Crtc<Self>, hw: &Hw<'_, Attacked>) {
        trap::in_atomic_context(trap::VBLANK_ON, hw);
        // Mappings are dropped with interrupts off.
        crtc.replace([None, None]);
    }

    fn disable_vblank(crtc: &Crtc<Self>, hw: &Hw<'_, Attacked>) {
        trap::in_atomic_context(trap::VBLANK_OFF, hw);
        crtc.replace([None, None]);
    }
}

pub(crate) struct Monitor {
    counted: Counted,
}

impl Monitor {
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_init!(Self {
            counted: Counted::new(Kind::Object)?,
        })
    }
}

#[vtable]
impl kms::DriverConnector for Monitor {
    type Driver = Attacked;

    fn detect(connector: &Connector<Self>, hw: &Hw<'_, Attacked>) -> Status {
        connector.counted.look();
        trap::with_device(trap::DETECT, hw);
        let times = DETECTED.fetch_add(1, Relaxed);
        match (UNSTEADY.load(Relaxed), times % 3) {
            (0, _) | (_, 0) => Status::Connected,
            (_, 1) => Status::Disconnected,
            _ => Status::Unknown,
        }
    }

    fn modes(connector: &Connector<Self>, modes: &mut Modes<'_>, hw: &Hw<'_, Attacked>) -> Result {
        connector.counted.look();
        trap::with_device(trap::MODES, hw);
        edid::add_random(modes)?;
        modes.common((1024, 768), (640, 480))
    }
}

impl Shown {
    /// Returns the mapping.
    pub(crate) fn map(&self) -> &Map<Attacked> {
        &self.map
    }
}
