// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A file is turned into another driver's file by subtyping.
//!
//! Two types of which one is the other's subtype can both be files, each of another driver. `File` is invariant, so that a file
//! does not change its driver by an assignment (L9).

include!("../driver.rs");

struct Named<T>(core::marker::PhantomData<T>);
impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(core::marker::PhantomData)
    }
}
type General = Named<for<'a> fn(&'a ())>;
type Special = Named<fn(&'static ())>;

struct First;
struct Second;
#[derive(Default)]
struct FirstBuffer;
#[derive(Default)]
struct SecondBuffer;
implement!(First, (), General, FirstBuffer, drm::NoKms, ioctl::Table::empty());
implement!(Second, (), Special, SecondBuffer, drm::NoKms, ioctl::Table::empty());

fn confuse(file: &File<General>) -> &Device<Second> {
    let file: &File<Special> = file; //~ WRONG
    //= let file: &File<Special> = unimplemented!();
    file.device()
}
