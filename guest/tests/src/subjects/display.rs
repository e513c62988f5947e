// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A display as a case sees it: its outputs, planes and modes, what it shows, and how its driver is bound and unbound.
//!
//! Source: `include/uapi/drm/drm_mode.h` and the layout of `/sys/bus/platform/drivers` (Linux 7.3).

pub(crate) mod calls;
pub(crate) mod events;
pub(crate) mod request;
pub(crate) mod setup;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sys::nodes::{Device, driver_name};
use sys::{Answer, Mapping};
use uapi::mode::*;
use uapi::{bytes_of, of_bytes};

use crate::harness::check::{Outcome, fail};
use crate::subjects::device::DrmFile;
use crate::subjects::driver::Driver;
use crate::subjects::guest::Guest;
use crate::works;

use events::Event;
use request::{Place, Request};

/// The DRM name of the drivers under test.
pub(crate) const NAME: &str = "vkms";

/// Values of the property `type` of planes.
pub(crate) const OVERLAY: u64 = 0;
/// See [`OVERLAY`].
pub(crate) const PRIMARY: u64 = 1;
/// See [`OVERLAY`].
pub(crate) const CURSOR_PLANE: u64 = 2;

/// A device of the driver under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    /// `/dev/dri/cardN`
    pub(crate) primary: PathBuf,
    /// The parent device in `/sys/devices`.
    pub(crate) parent: PathBuf,
}

impl Card {
    /// Returns all devices of a driver.
    pub(crate) fn all(driver: Driver) -> Vec<Self> {
        let is_ours = |device: &Device| {
            device.bus().is_some_and(|bus| bus == driver.bus())
                && driver_name(&device.primary).is_ok_and(|name| name == NAME)
        };
        let devices = Device::all().into_iter().filter(is_ours);
        devices.map(|device| Self { primary: device.primary, parent: device.parent }).collect()
    }

    /// Returns the first device of the driver under test. Loads the driver and binds its devices if an earlier case
    /// has not left them so.
    pub(crate) fn first(guest: &Guest) -> Outcome<Self> {
        if let Some(card) = Self::all(guest.driver).into_iter().next() {
            return Ok(card);
        }
        if let Some(modules) = &guest.modules {
            works!(modules.load());
        }
        // An error says less than the missing node that the next lines report.
        let _ = Unbound::all(guest.driver)?.iter().try_for_each(Unbound::bind);
        match Self::all(guest.driver).into_iter().next() {
            Some(card) => Ok(card),
            None => fail(format!("no DRM node belongs to driver `{}`", guest.driver.name())),
        }
    }

    /// Unbinds the driver from the device. Returns what binds it again.
    pub(crate) fn unbind(&self) -> Outcome<Unbound> {
        let driver = std::fs::canonicalize(self.parent.join("driver"))?;
        let device = self.parent.file_name().expect("a device has a name").to_string_lossy().into_owned();
        let unbound = Unbound { driver, device };
        works!(unbound.write("unbind"));
        Ok(unbound)
    }
}

/// The first platform device of a driver, found without opening a node: whoever opens one may become the master.
#[derive(Clone, Debug)]
pub(crate) struct Platform(Unbound);

impl Platform {
    /// Finds the device, bound or not. Its module must be loaded.
    pub(crate) fn of(driver: Driver) -> Outcome<Self> {
        match Unbound::any(driver)?.into_iter().min_by(|one, other| one.device.cmp(&other.device)) {
            Some(device) => Ok(Self(device)),
            None => fail(format!("no platform device belongs to driver `{}`", driver.name())),
        }
    }

    /// Whether the driver is bound to the device.
    pub(crate) fn is_bound(&self) -> bool {
        self.0.driver.join(&self.0.device).exists()
    }

    /// Unbinds the driver from the device.
    pub(crate) fn unbind(&self) -> Answer {
        self.0.write("unbind")
    }

    /// Binds the driver to the device.
    pub(crate) fn bind(&self) -> Answer {
        self.0.write("bind")
    }
}

/// A device whose driver was unbound.
#[derive(Clone, Debug)]
pub(crate) struct Unbound {
    /// The driver's folder in sysfs.
    driver: PathBuf,
    device: String,
}

impl Unbound {
    /// Returns the platform devices with the name of the driver under test that have no driver.
    fn all(driver: Driver) -> Outcome<Vec<Self>> {
        let mut all = Self::any(driver)?;
        all.retain(|device| !Path::new("/sys/bus/platform/devices").join(&device.device).join("driver").exists());
        Ok(all)
    }

    /// Returns the platform devices with the name of the driver under test, whether they have a driver or not.
    fn any(driver: Driver) -> Outcome<Vec<Self>> {
        let mut found = Vec::new();
        if driver.bus() != "platform" {
            return Ok(found);
        }
        for folder in std::fs::read_dir("/sys/bus/platform/drivers")?.flatten() {
            let module = std::fs::canonicalize(folder.path().join("module"));
            if module.is_ok_and(|module| module.ends_with(driver.module())) {
                for device in std::fs::read_dir("/sys/bus/platform/devices")?.flatten() {
                    let name = device.file_name().to_string_lossy().into_owned();
                    if name.split('.').next() == Some(NAME) {
                        found.push(Self { driver: folder.path(), device: name });
                    }
                }
            }
        }
        Ok(found)
    }

    /// Binds the driver to the device again.
    pub(crate) fn bind(&self) -> Answer {
        self.write("bind")
    }

    /// Unbinds the driver from the device, which was bound again.
    pub(crate) fn unbind(&self) -> Answer {
        self.write("unbind")
    }

    fn write(&self, file: &str) -> Answer {
        sys::write(&self.driver.join(file).to_string_lossy(), &self.device)
    }
}

/// A mode object with the numbers and first values of its properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) id: u32,
    pub(crate) kind: u32,
    properties: BTreeMap<String, (u32, u64)>,
}

impl Object {
    /// Returns the number of a property that the object must have.
    pub(crate) fn property(&self, name: &str) -> u32 {
        let found = self.properties.get(name).map(|(number, _)| *number);
        found.unwrap_or_else(|| panic!("object {} has no property `{name}`", self.id))
    }

    /// Whether the object has a property.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.properties.contains_key(name)
    }

    /// Returns the names of the properties.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.properties.keys().map(String::as_str)
    }

    /// Returns a property's value when the display was opened.
    pub(crate) fn first_value(&self, name: &str) -> Option<u64> {
        self.properties.get(name).map(|(_, value)| *value)
    }
}

/// A CRTC with its planes and a connector of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) crtc: Object,
    /// The CRTC's index.
    pub(crate) pipe: u32,
    pub(crate) primary: Object,
    pub(crate) cursor: Option<Object>,
    /// Overlay planes that can be shown on this CRTC.
    pub(crate) overlays: Vec<Object>,
    pub(crate) connector: Object,
    pub(crate) modes: Vec<ModeInfo>,
}

impl Output {
    /// Returns the preferred mode.
    pub(crate) fn mode(&self) -> ModeInfo {
        let preferred = self.modes.iter().find(|mode| mode.kind & MODE_TYPE_PREFERRED != 0);
        *preferred.or(self.modes.first()).expect("the connector has modes")
    }

    /// Returns the size of the preferred mode.
    pub(crate) fn size(&self) -> (u32, u32) {
        let mode = self.mode();
        (mode.hdisplay.into(), mode.vdisplay.into())
    }

    /// Returns all planes.
    pub(crate) fn planes(&self) -> impl Iterator<Item = &Object> {
        std::iter::once(&self.primary).chain(&self.cursor).chain(&self.overlays)
    }
}

/// A framebuffer with the dumb buffer that it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) fb: u32,
    pub(crate) handle: u32,
    pub(crate) pitch: u32,
    pub(crate) bytes: u64,
    pub(crate) size: (u32, u32),
}

/// An open card of the driver under test, used by an atomic client.
#[derive(Debug)]
pub(crate) struct Display {
    pub(crate) file: DrmFile,
    pub(crate) outputs: Vec<Output>,
    /// The properties whose values are addresses to which the kernel writes.
    fence_properties: Vec<u32>,
}

impl Display {
    /// Opens the first device of the driver under test, as its master, and switches everything off.
    pub(crate) fn open(guest: &Guest) -> Outcome<Self> {
        Self::open_card(&Card::first(guest)?)
    }

    /// Opens a device as its master, and switches everything off.
    pub(crate) fn open_card(card: &Card) -> Outcome<Self> {
        let display = Self::adopt(works!(DrmFile::open(&card.primary)))?;
        display.all_off()?;
        Ok(display)
    }

    /// Makes an open file an atomic client. Changes nothing that is shown.
    pub(crate) fn adopt(file: DrmFile) -> Outcome<Self> {
        works!(file.client_cap(CLIENT_CAP_ATOMIC, 1));
        let mut display = Self { file, outputs: Vec::new(), fence_properties: Vec::new() };
        display.enumerate()?;
        Ok(display)
    }

    /// Takes an open file whose objects are not looked up.
    pub(crate) fn unknown(file: DrmFile) -> Self {
        Self { file, outputs: Vec::new(), fence_properties: Vec::new() }
    }

    /// Returns the first output.
    pub(crate) fn output(&self) -> &Output {
        self.outputs.first().expect("a display has an output")
    }

    fn enumerate(&mut self) -> Outcome {
        let res = works!(self.file.resources());
        let mut planes = Vec::new();
        for id in works!(self.file.planes()) {
            let (info, _) = works!(self.file.plane(id));
            planes.push((info.possible_crtcs, self.object(id, OBJECT_PLANE)?));
        }
        let mut connectors = Vec::new();
        for id in res.connectors {
            let connector = works!(self.file.connector(id));
            let object = self.object(id, OBJECT_CONNECTOR)?;
            if connector.info.connection == CONNECTED && connector.info.connector_type != CONNECTOR_WRITEBACK {
                connectors.push((connector, object));
            }
        }
        for (pipe, id) in (0_u32..).zip(res.crtcs) {
            let crtc = self.object(id, OBJECT_CRTC)?;
            let of_type = |wanted: u64| {
                let of_this = planes.iter().filter(move |(possible, plane)| {
                    possible >> pipe & 1 != 0 && plane.first_value("type") == Some(wanted)
                });
                of_this.map(|(_, plane)| plane.clone())
            };
            let Some(primary) = of_type(PRIMARY).next() else { continue };
            let mut fitting = None;
            for (at, (connector, _)) in connectors.iter().enumerate() {
                for encoder in &connector.encoders {
                    if works!(self.file.encoder(*encoder)).possible_crtcs >> pipe & 1 != 0 {
                        fitting = fitting.or(Some(at));
                    }
                }
            }
            let Some(at) = fitting else { continue };
            let (connector, object) = connectors.remove(at);
            self.outputs.push(Output {
                crtc,
                pipe,
                primary,
                cursor: of_type(CURSOR_PLANE).next(),
                overlays: of_type(OVERLAY).collect(),
                connector: object,
                modes: connector.modes,
            });
        }
        Ok(())
    }

    /// Returns an object with its properties.
    pub(crate) fn object(&mut self, id: u32, kind: u32) -> Outcome<Object> {
        let mut properties = BTreeMap::new();
        for (number, value) in works!(self.file.properties(id, kind)) {
            let name = works!(self.file.property(number)).name;
            if name.ends_with("OUT_FENCE_PTR") && !self.fence_properties.contains(&number) {
                self.fence_properties.push(number);
            }
            properties.insert(name, (number, value));
        }
        Ok(Object { id, kind, properties })
    }

    /// Returns the present value of a property.
    pub(crate) fn value(&self, object: &Object, name: &str) -> Outcome<u64> {
        let number = object.property(name);
        let values = works!(self.file.properties(object.id, object.kind));
        match values.iter().find(|(found, _)| *found == number) {
            Some((_, value)) => Ok(*value),
            None => fail(format!("`{name}` is gone")),
        }
    }

    /// Returns the present value of every property of every object: object, property, value. The connector's EDID is left
    /// out, because C makes a new blob of it for each client that asks for the modes.
    pub(crate) fn snapshot(&self) -> Outcome<Vec<(u32, u32, u64)>> {
        let mut all = Vec::new();
        for output in &self.outputs {
            for object in [&output.crtc, &output.connector].into_iter().chain(output.planes()) {
                let edid = object.properties.get("EDID").map(|(number, _)| *number);
                let values = works!(self.file.properties(object.id, object.kind)).into_iter();
                all.extend(
                    values
                        .filter(|(property, _)| Some(*property) != edid)
                        .map(|(property, value)| (object.id, property, value)),
                );
            }
        }
        Ok(all)
    }

    /// Creates a blob of a mode and returns its number.
    pub(crate) fn mode_blob(&self, mode: &ModeInfo) -> Outcome<u32> {
        Ok(works!(self.file.create_blob(bytes_of(mode))))
    }

    /// Returns the mode that an output has, if any.
    pub(crate) fn mode_of(&self, output: &Output) -> Outcome<Option<ModeInfo>> {
        match u32::try_from(self.value(&output.crtc, "MODE_ID")?).expect("the numbers of blobs have 32 bits") {
            0 => Ok(None),
            blob => Ok(Some(of_bytes(&works!(self.file.blob(blob))))),
        }
    }

    /// Creates a dumb buffer of pixels with 32 bits, and its framebuffer.
    pub(crate) fn frame(&self, size: (u32, u32)) -> Outcome<Frame> {
        self.frame_of(size, XRGB8888)
    }

    /// Creates a dumb buffer of pixels with 32 bits, and its framebuffer with a format.
    pub(crate) fn frame_of(&self, (width, height): (u32, u32), pixel_format: u32) -> Outcome<Frame> {
        let made = works!(self.file.create_dumb(width, height, 32));
        let wanted = Frame { fb: 0, handle: made.handle, pitch: made.pitch, bytes: made.size, size: (width, height) };
        Ok(Frame { fb: works!(self.file.add_fb2(wanted.command(pixel_format))), ..wanted })
    }

    /// Maps the pixels of a framebuffer.
    pub(crate) fn pixels(&self, frame: &Frame) -> Outcome<Mapping> {
        let bytes = usize::try_from(frame.bytes).expect("buffers are small");
        Ok(works!(self.file.map(frame.handle, bytes)))
    }

    /// Switches an output on with its preferred mode, and shows a new framebuffer of that size.
    pub(crate) fn light(&self, output: &Output) -> Outcome<Frame> {
        let frame = self.frame(output.size())?;
        self.show(output, &frame)?;
        Ok(frame)
    }

    /// Switches an output on with its preferred mode, and shows a framebuffer of that size.
    pub(crate) fn show(&self, output: &Output, frame: &Frame) -> Outcome {
        let request = self.lit(output, frame)?;
        works!(self.commit(&request, ATOMIC_ALLOW_MODESET, 0));
        Ok(())
    }

    /// Returns the request of `show`.
    pub(crate) fn lit(&self, output: &Output, frame: &Frame) -> Outcome<Request> {
        let mode = self.mode_blob(&output.mode())?;
        let place = Place::at((0, 0), output.size());
        Ok(Request::new().on(output, mode).show(&output.primary, output, frame.fb, place))
    }

    /// Switches an output off.
    pub(crate) fn darken(&self, output: &Output) -> Outcome {
        works!(self.commit(&Request::new().off(output), ATOMIC_ALLOW_MODESET, 0));
        Ok(())
    }

    /// Switches all outputs off.
    pub(crate) fn all_off(&self) -> Outcome {
        let request = self.outputs.iter().fold(Request::new(), Request::off);
        works!(self.commit(&request, ATOMIC_ALLOW_MODESET, 0));
        Ok(())
    }

    /// Whether an output is on.
    pub(crate) fn is_on(&self, output: &Output) -> Outcome<bool> {
        Ok(self.value(&output.crtc, "ACTIVE")? == 1)
    }

    /// Returns the framebuffer that a plane shows, or 0.
    pub(crate) fn shown(&self, plane: &Object) -> Outcome<u32> {
        Ok(u32::try_from(self.value(plane, "FB_ID")?).expect("the numbers of objects have 32 bits"))
    }

    /// Flips an output's primary plane, without waiting for it. The event carries `user_data`.
    pub(crate) fn flip(&self, output: &Output, fb: u32, user_data: u64) -> Answer {
        let request = Request::new().set(&output.primary, "FB_ID", fb.into());
        self.commit(&request, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, user_data)
    }

    /// Waits for the next event.
    pub(crate) fn next_event(&self) -> Outcome<Event> {
        events::next(&self.file)
    }

    /// Waits for the completion of a flip, which must be the next event.
    pub(crate) fn flipped(&self) -> Outcome<EventVblank> {
        events::flip(&self.file)
    }

    /// Whether an event can be read now.
    pub(crate) fn has_event(&self) -> Outcome<bool> {
        events::is_there(&self.file)
    }
}

/// The status of a connector with a monitor, in `GETCONNECTOR`. The kernel keeps the list to itself
/// (`enum drm_connector_status`).
pub(crate) const CONNECTED: u32 = 1;

impl Frame {
    /// Returns the argument of `ADDFB2` for this buffer.
    pub(crate) fn command(&self, pixel_format: u32) -> FbCmd2 {
        FbCmd2 {
            width: self.size.0,
            height: self.size.1,
            pixel_format,
            handles: [self.handle, 0, 0, 0],
            pitches: [self.pitch, 0, 0, 0],
            ..Default::default()
        }
    }
}
