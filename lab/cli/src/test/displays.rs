// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Shows what unmodified clients of Debian packages draw on a driver with a screen, and checks pictures of it:
//! `displays-DRIVER::CLIENT`. Only `--all` runs them, because they are downloaded.
//!
//! A client's device is taken away while it draws. The client notices, the driver can be unloaded, and after both are back the client
//! shows the same again.
//!
//! All clients of a driver share a boot. If one takes the machine down, only it fails, and the clients after it get another
//! boot. The pictures stay in the cache, the last one of each client.

mod clients;
mod facts;
mod page;
mod playing;
mod plug;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use drydock_base::cache;
use drydock_base::error::{Kind, Result};
use drydock_machine::error::Error as VmError;
use drydock_machine::scenario::{Boot, ClientRoot, Content, Program, Scene, driver_modules};
use drydock_toolchain::kernels::Flavour;
use drydock_toolchain::{client_root, compositor};

use clients::{CLIENTS, COMPOSITOR, Client, PACKAGES};
use page::{LINES, Line};
use plug::Plug;

use super::suite::{Case, Context, Filter, Need, Progress, Suite, Verdict};
use crate::drivers;

/// The clients on one driver.
pub(super) struct Displays {
    name: &'static str,
    /// The name of the driver on the command line.
    driver: &'static str,
    /// The name that its device reports.
    reported: &'static str,
    has_cursor: bool,
    /// Whether the driver copies what is committed, rather than scan it out.
    copies: bool,
    /// How its device is taken away while a client draws.
    plug: Option<&'static Plug>,
}

/// The memory of the guest in MiB.
const MEMORY: u32 = 2048;

/// The directory of the pictures, in that of the checkout in the cache.
const PICTURES: &str = "displays";

impl Displays {
    /// Returns the suite of our vkms.
    pub(super) fn vkms() -> Self {
        Self {
            name: "displays-vkms",
            driver: "vkms",
            reported: "vkms",
            has_cursor: true,
            copies: false,
            plug: Some(&plug::UNBOUND),
        }
    }

    /// Returns the suite of C's vkms, on which the clients must show the same. Its device stays: it is on the faux bus, which has no
    /// `unbind`, and configfs removes only devices that it made.
    pub(super) fn c_vkms() -> Self {
        Self {
            name: "displays-c-vkms",
            driver: "c-vkms",
            reported: "vkms",
            has_cursor: true,
            copies: false,
            plug: None,
        }
    }

    /// Returns the suite of our bochs, on a device of QEMU.
    pub(super) fn bochs() -> Self {
        Self {
            name: "displays-bochs",
            driver: "bochs",
            reported: "bochs-drm",
            has_cursor: false,
            copies: true,
            plug: Some(&plug::REMOVED),
        }
    }

    fn case_name(&self, client: &str) -> String {
        format!("{}::{client}", self.name)
    }

    /// Returns the clients that the driver can serve.
    fn clients(&self) -> impl Iterator<Item = &'static Client> {
        let serves =
            |client: &Client| (self.has_cursor || !client.needs_cursor) && !(self.copies && client.may_draw_late);
        CLIENTS.iter().filter(move |client| serves(client))
    }

    /// Returns the lines of the documentation that belong to it.
    fn lines(&self) -> impl Iterator<Item = &'static Line> {
        LINES.iter().filter(|line| line.driver == self.driver)
    }

    /// Tests a client: it shows what it should, and again after its device was taken away meanwhile.
    fn test(&self, scene: &mut Scene<'_>, setting: &Setting, client: &Client) -> Result<Verdict, VmError> {
        let (guest, file) = (scene.guest(), setting.pictures.join(client.name).with_extension("png"));
        let from = guest.settle_log()?;
        let mut verdict = playing::show(guest, client, self.reported, &file, self.plug)?;
        if let Some(plug) = self.plug {
            // In any case, for the clients that follow.
            plug.load_again(scene, &setting.boot, &setting.modules)?;
            if verdict == Verdict::Passed {
                verdict = playing::show(guest, client, self.reported, &file, None)?;
                if let Verdict::Failed { why, .. } = &mut verdict {
                    why.insert_str(0, "with the device back: ");
                }
            }
        }
        drivers::no_report(guest, from)?;
        Ok(verdict)
    }
}

/// The settings of the boots of a suite.
struct Setting {
    boot: Boot,
    /// The modules of the driver, in the order of loading.
    modules: Vec<String>,
    /// The directory of the pictures.
    pictures: PathBuf,
}

impl Suite for Displays {
    fn name(&self) -> &'static str {
        self.name
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    /// The checkers of a debug kernel find faults of the kernel's vkms, which is not ours to mend.
    fn tests_the_kernel(&self) -> bool {
        self.driver != "c-vkms"
    }

    fn is_extra(&self) -> bool {
        true
    }

    fn content(&self, repo: &Path, _filter: &Filter) -> Result<Content> {
        let content = Content::of_driver(repo, self.driver)?.with(Program::SCREEN).with(Program::CLIENT);
        Ok(content.with_stock(&ClientRoot::Image(PathBuf::new()).modules(false)))
    }

    fn names(&self, _repo: &Path) -> Result<BTreeSet<String>> {
        let clients = self.clients().map(|client| client.name);
        Ok(clients.chain(self.lines().map(|line| line.name)).map(|name| self.case_name(name)).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        let packages: Vec<_> = PACKAGES.iter().map(|&name| name.to_owned()).collect();
        let root = ClientRoot::Image(client_root::ensure(context.toolchain(), &packages, context.events)?);
        let mut left: Vec<_> =
            self.clients().filter(|client| context.filter.selects(&self.case_name(client.name))).collect();
        let lines: Vec<_> = self.lines().filter(|line| context.filter.selects(&self.case_name(line.name))).collect();
        let title = format!("clients on the screen of {}", self.driver);
        let mut progress = Progress::begin(context, title, left.len() + lines.len(), tell);
        let pictures = context.toolchain().work().join(PICTURES).join(self.driver);
        cache::make_dir(&pictures)?;
        let devices = drivers::devices(context.repo, self.driver);
        let mut boot = Boot { root, devices, memory: MEMORY, may_leave_holders: true, ..Boot::default() };
        if left.iter().any(|client| client.name == COMPOSITOR) {
            let program = compositor::build(context.toolchain(), context.events)?;
            boot.programs.push((format!("/usr/bin/{}", compositor::NAME), program));
        }
        let modules = driver_modules(self.driver, context.stage().image())?;
        let setting = Setting { boot, modules, pictures };
        while !left.is_empty() {
            let mut current = None;
            let played = context.stage().play(&setting.boot, context.events, |scene| -> Result<(), VmError> {
                setting.modules.iter().try_for_each(|module| scene.insmod(module))?;
                setting.boot.root.settle(scene.guest())?;
                while !left.is_empty() {
                    let client = left.remove(0);
                    current = Some(client);
                    let verdict = context.in_time(|| self.test(scene, &setting, client))?;
                    current = None;
                    progress.tell(self.case_name(client.name), verdict);
                }
                Ok(())
            });
            match (played, current) {
                (Ok(_), _) => {}
                (Err(error), Some(client)) if error.kind() != Kind::Interrupted => {
                    progress.tell(self.case_name(client.name), Verdict::of_error(error)?);
                }
                (Err(error), _) => return Err(error),
            }
        }
        for line in lines {
            let verdict = match context.toolchain().kernel.flavour {
                Flavour::Stock => context.in_time(|| line.verdict(&setting.pictures))?,
                _ => Verdict::Skipped { why: "the line on the page runs the stock kernel".to_owned() },
            };
            progress.tell(self.case_name(line.name), verdict);
        }
        progress.done();
        Ok(())
    }
}
