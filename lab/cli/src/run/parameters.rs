// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `--param`: parameters of the driver's modules. The kernel loads a module with a parameter that it does not have, and only logs a
//! warning, so names are checked before the boot.
//!
//! Source: kernel/module/main.c, `unknown_module_param_cb`; include/linux/moduleparam.h for `parmtype` in `.modinfo`.

use drydock_base::error::{Context, Error, Kind, Result};
use drydock_machine::image::Image;
use drydock_toolchain::kernels::Kernel;
use drydock_toolchain::kmod::{Module, Stock, modinfo};

/// A parameter and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    name: String,
    value: String,
}

impl Parameter {
    /// Parses the value of `--param`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None | Some(("", _)) => Err(format!("`{text}` is not `NAME=VALUE`")),
            Some(_) if text.contains([' ', '"']) => Err(format!("`{text}` has a space or a quotation mark")),
            // The kernel takes both for the same.
            Some((name, value)) => Ok(Self { name: name.replace('-', "_"), value: value.into() }),
        }
    }
}

/// Returns each of the driver's modules with its parameters, as `insmod` takes them.
pub(super) fn of_modules(
    parameters: &[Parameter],
    modules: &[String],
    image: &Image,
    kernel: &Kernel,
) -> Result<Vec<(String, String)>> {
    if parameters.is_empty() {
        return Ok(modules.iter().map(|module| (module.clone(), String::new())).collect());
    }
    let known = modules.iter().map(|module| Ok((module.as_str(), names(module, image, kernel)?)));
    distribute(parameters, &known.collect::<Result<Vec<_>>>()?)
}

/// Returns the names of a module's parameters.
fn names(module: &str, image: &Image, kernel: &Kernel) -> Result<Vec<String>> {
    let file = match image.ours.get(module) {
        Some(path) => Module::read(path)?,
        None => Stock::index(&kernel.modules_dir)?.read(module)?,
    };
    let types = modinfo(&file.bytes, "parmtype").with_context(|| format!("failed to read module `{module}`"))?;
    Ok(types.iter().filter_map(|text| Some(text.split_once(':')?.0.to_owned())).collect())
}

/// Gives each parameter to the module that has it. The modules come with the names of their parameters.
fn distribute(parameters: &[Parameter], modules: &[(&str, Vec<String>)]) -> Result<Vec<(String, String)>> {
    let has = |names: &[String], parameter: &Parameter| names.contains(&parameter.name);
    if let Some(unknown) = parameters.iter().find(|one| !modules.iter().any(|(_, names)| has(names, one))) {
        let known: Vec<_> = modules.iter().flat_map(|(_, names)| names).map(String::as_str).collect();
        let known = if known.is_empty() { "it has none".to_owned() } else { format!("known: {}", known.join(", ")) };
        let message = format!("the driver has no parameter `{}` ({known})", unknown.name);
        return Err(Error::new(Kind::Usage, message));
    }
    let of_module = |(module, names): &(&str, Vec<String>)| {
        let own = parameters.iter().filter(|one| has(names, one));
        let words: Vec<_> = own.map(|Parameter { name, value }| format!("{name}={value}")).collect();
        ((*module).to_owned(), words.join(" "))
    };
    Ok(modules.iter().map(of_module).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(texts: &[&str]) -> Vec<Parameter> {
        texts.iter().map(|text| Parameter::parse(text).unwrap()).collect()
    }

    #[test]
    fn value_follows_the_name() {
        assert_eq!(Parameter::parse("a-b=1=2"), Ok(Parameter { name: "a_b".into(), value: "1=2".into() }));
        for wrong in ["outputs", "=3", "", "name=a b", "name=\"a\""] {
            assert!(Parameter::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_module_gets_its_own() {
        let modules = [("core", vec!["level".to_owned()]), ("drm", vec!["outputs".to_owned(), "cursor".to_owned()])];
        let given = distribute(&parameters(&["outputs=3", "level=1", "cursor=0"]), &modules).unwrap();
        assert_eq!(given, [("core".into(), "level=1".into()), ("drm".into(), "outputs=3 cursor=0".into())]);
    }

    #[test]
    fn parameter_that_no_module_has_is_refused() {
        let error = distribute(&parameters(&["output=3"]), &[("vkms", vec!["outputs".to_owned()])]).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert_eq!(error.to_string(), "the driver has no parameter `output` (known: outputs)");
        let error = distribute(&parameters(&["a=1"]), &[("bochs", Vec::new())]).unwrap_err();
        assert_eq!(error.to_string(), "the driver has no parameter `a` (it has none)");
    }
}
