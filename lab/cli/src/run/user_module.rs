// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `--module`: modules of the user's own, built elsewhere for the guest's kernel. Each is checked before anything is built.
//!
//! Source: kernel/module/version.c, `same_magic`; scripts/mod/modpost.c for `.modinfo`.

use std::path::{Path, PathBuf};

use drydock_base::error::{Context, Error, Kind, Result};
use drydock_machine::error::Error as VmError;
use drydock_machine::scenario::Scene;
use drydock_toolchain::kernels::Kernel;
use drydock_toolchain::kmod::{Module, Stock, modinfo};

/// The stock module that shows how modules of the guest's kernel are built. Every guest has it.
const REFERENCE: &str = "vgem";

/// A module on the command line: `FILE[,PARAMETER=VALUE…]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UserModule {
    path: PathBuf,
    /// As `insmod` takes them, separated by spaces.
    parameters: String,
}

impl UserModule {
    /// Parses the value of `--module`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (path, parameters) = match text.split_once(',') {
            // A file's name may have a comma.
            Some((path, parameters)) if !Path::new(text).exists() => (path, parameters),
            _ => (text, ""),
        };
        match parameters.split(',').find(|parameter| !parameters.is_empty() && parameter.contains([' ', '"'])) {
            Some(parameter) => Err(format!("the parameter `{parameter}` has a space or a quotation mark")),
            None => Ok(Self { path: path.into(), parameters: parameters.replace(',', " ") }),
        }
    }

    /// Lets a relative path begin in `directory`.
    pub(super) fn within(self, directory: &Path) -> Self {
        Self { path: directory.join(&self.path), ..self }
    }

    /// Reads the file. Fails if it is no kernel module.
    pub(super) fn read(&self) -> Result<Checked> {
        let shown = self.path.display();
        let refused = |why: String| Error::new(Kind::Usage, format!("`{shown}` cannot be loaded: {why}"));
        let metadata = self.path.metadata().map_err(|error| refused(error.to_string()))?;
        if !metadata.is_file() {
            return Err(refused("it is no file".into()));
        }
        let module = Module::read(&self.path).map_err(|error| Error::new(Kind::Usage, error.chain()))?;
        let magic = modinfo(&module.bytes, "vermagic").map_err(|error| refused(error.to_string()))?;
        let Some(magic) = magic.into_iter().next() else {
            let error = refused("it is no kernel module, because it has no `vermagic`".into());
            return Err(
                error.hint("give the file `NAME.ko` that the kernel's build has linked, not an object `NAME.o`")
            );
        };
        Ok(Checked { module: self.clone(), name: module.name, magic: magic.trim_end().to_owned() })
    }
}

/// A file that is a kernel module.
#[derive(Debug)]
pub(super) struct Checked {
    module: UserModule,
    name: String,
    /// The text that the kernel compares with its own: its release, and the options that change the layout of modules.
    magic: String,
}

impl Checked {
    /// Returns the module's file.
    pub(super) fn path(&self) -> PathBuf {
        self.module.path.clone()
    }

    /// Fails if `kernel` would refuse the module, because it was built for another one.
    pub(super) fn check(&self, kernel: &Kernel) -> Result<()> {
        let reference = Stock::index(&kernel.modules_dir)?.read(REFERENCE)?;
        let expected = modinfo(&reference.bytes, "vermagic").context("failed to read a module of the kernel")?;
        let expected = expected.first().map(|magic| magic.trim_end()).unwrap_or_default();
        if self.magic == expected {
            return Ok(());
        }
        let (shown, magic) = (self.module.path.display(), &self.magic);
        let message = format!(
            "`{shown}` was built for another kernel: its `vermagic` is `{magic}`, and kernel {} needs `{expected}`",
            kernel.release
        );
        Err(Error::new(Kind::Usage, message).hint(format!(
            "build it for {}, for example with Debian's package `linux-headers-{0}`, or choose its kernel with `--kernel`",
            kernel.release
        )))
    }

    /// Loads the module.
    pub(super) fn load(&self, scene: &mut Scene<'_>) -> Result<(), VmError> {
        scene.insmod_with(&self.name, &self.module.parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path) -> String {
        let module = UserModule::parse(path.to_str().unwrap()).unwrap();
        module.read().unwrap_err().to_string().replace(path.to_str().unwrap(), "FILE")
    }

    #[test]
    fn parameters_follow_the_file() {
        let parsed = |text| UserModule::parse(text).map(|module| (module.path, module.parameters));
        assert_eq!(parsed("a/b.ko"), Ok(("a/b.ko".into(), String::new())));
        assert_eq!(parsed("b.ko,debug=1,name=x"), Ok(("b.ko".into(), "debug=1 name=x".into())));
        assert!(parsed("b.ko,name=a b").is_err());
    }

    #[test]
    fn file_that_is_no_module_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("text.ko");
        assert_eq!(refusal(&path), "`FILE` cannot be loaded: No such file or directory (os error 2)");
        assert_eq!(refusal(dir.path()), "`FILE` cannot be loaded: it is no file");
        std::fs::write(&path, "text").unwrap();
        assert_eq!(refusal(&path), "`FILE` is not a readable ELF file: Could not read file magic");
        let program = std::env::current_exe().unwrap();
        assert!(refusal(&program).ends_with("it is no kernel module, because it has no `vermagic`"));
    }
}
