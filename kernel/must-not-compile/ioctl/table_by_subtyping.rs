// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver uses another driver's table by subtyping.
//!
//! Two types of which one is the other's subtype can both be drivers. A table is invariant in its driver (L10).

include!("../driver.rs");

struct Named<T>(core::marker::PhantomData<T>);
type General = Named<for<'a> fn(&'a ())>;
type Special = Named<fn(&'static ())>;

#[derive(Default)]
struct FirstClient;
#[derive(Default)]
struct SecondClient;
#[derive(Default)]
struct FirstBuffer;
#[derive(Default)]
struct SecondBuffer;
implement!(
    General, (), FirstClient, FirstBuffer, drm::NoKms,
    <Special as drm::Driver>::IOCTLS //~ WRONG
    //= ioctl::Table::empty()
);
implement!(Special, (), SecondClient, SecondBuffer, drm::NoKms, ioctl::Table::empty());
