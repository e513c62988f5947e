// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer is turned into another driver's buffer by subtyping.
//!
//! A class of buffers is invariant in its payload, as files are (L12).

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
struct FirstClient;
#[derive(Default)]
struct SecondClient;
implement!(First, (), FirstClient, General, drm::NoKms, ioctl::Table::empty());
implement!(Second, (), SecondClient, Special, drm::NoKms, ioctl::Table::empty());

fn confuse(obj: ARef<gem::shmem::Object<General>>) {
    let obj: ARef<gem::shmem::Object<Special>> = obj; //~ WRONG
    //= let obj: ARef<gem::shmem::Object<General>> = obj;
}
