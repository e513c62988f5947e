// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Lists where Drydock's `vgem` and `vkms` and the kernel's own differ, and why that is right.
//!
//! Source: `drivers/gpu/drm/vgem/vgem_drv.c`, `vkms/vkms_drv.c` (Linux 7.3) and `drivers/base/faux.c`.

use crate::subjects::driver::Driver;

/// A difference: a case that does not apply to one driver, or that gets another answer from it.
#[derive(Debug)]
pub(crate) struct Difference {
    /// The full name of the case, or its area and `::*`.
    pub(crate) case: &'static str,
    /// The difference and its reason.
    pub(crate) why: &'static str,
    /// The consequence for each driver.
    pub(crate) effect: Effect,
}

/// The consequence of a difference for its case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The case cannot run on this driver.
    Impossible(Driver),
    /// The case expects this word.
    Answers {
        /// The word on Drydock's driver.
        rust: &'static str,
        /// The word on the kernel's driver.
        c: &'static str,
    },
}

/// Reason for cases that load a test driver of their own.
const OWN_MODULE: &str = "the case is about a test driver, and runs beside Drydock's vgem";

/// Reason for cases with several outputs in use when their device is removed through configfs.
const TIMER: &str = "the kernel's vkms has vblank timers that outlive their outputs (docs/reference/c-core-faults.md)";

/// All expected differences. Any other difference fails a case.
pub(crate) const EXPECTED_DIFFERENCES: &[Difference] = &[
    Difference { case: "edu::*", why: OWN_MODULE, effect: Effect::Impossible(Driver::C) },
    Difference { case: "auxiliary::*", why: OWN_MODULE, effect: Effect::Impossible(Driver::C) },
    Difference { case: "faux::*", why: OWN_MODULE, effect: Effect::Impossible(Driver::C) },
    Difference { case: "sync_fence::*", why: OWN_MODULE, effect: Effect::Impossible(Driver::C) },
    Difference { case: "syncobj::*", why: OWN_MODULE, effect: Effect::Impossible(Driver::C) },
    Difference { case: "event::*", why: OWN_MODULE, effect: Effect::Impossible(Driver::C) },
    Difference { case: "sync_stress::*", why: OWN_MODULE, effect: Effect::Impossible(Driver::C) },
    Difference { case: "display::*", why: OWN_MODULE, effect: Effect::Impossible(Driver::C) },
    Difference {
        case: "fdinfo::*",
        why: "the kernel's vgem shows nothing in fdinfo: its file operations lack `show_fdinfo`",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "life::*",
        why: "the kernel's vgem sits on a faux device, which sysfs cannot unbind",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "gate::*",
        why: "the test drivers are of Drydock's library, whatever `vgem` is loaded",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "compat::calls_after_unplug_fail_with_enodev",
        why: "the kernel's vgem sits on a faux device, which sysfs cannot unbind",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "lifecycle::*",
        why: "the test driver is one of Drydock's library, whatever `vgem` is loaded",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "probe::*",
        why: "the steps that fail are those of Drydock's library, and the kernel's vgem is probed once only",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "sweep::*",
        why: "what is swept is Drydock's library and its driver",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "race::unplug_and_rebind",
        why: "the kernel's vgem sits on a faux device, which sysfs cannot unbind",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "race::unplug_while_faulting",
        why: "the kernel's vgem sits on a faux device, which sysfs cannot unbind",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "race::first_open_after_bind",
        why: "the kernel's vgem sits on a faux device, which sysfs cannot bind",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "race::unbound_by_several",
        why: "the kernel's vgem sits on a faux device, which sysfs cannot unbind",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "race::unload_while_unbinding",
        why: "the kernel's vgem sits on a faux device, which sysfs cannot unbind",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "storm::*",
        why: "the kernel's fences call back into its module when they are released, which a storm would meet",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "module::signalled_fence_outlives_it",
        why: "the kernel's fences call back into its module when they are released, which would crash",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "module::library_is_held_by_the_driver",
        why: "the kernel's vgem needs no `drm_rust` module",
        effect: Effect::Impossible(Driver::C),
    },
    Difference {
        case: "vkms_sleep::unbind_after_a_sleep",
        why: "the kernel's vkms sits on a faux device, which sysfs cannot unbind",
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_teardown::*",
        why: "the kernel's vkms sits on a faux device, which sysfs cannot unbind",
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_storm::*",
        why: "the kernel's vkms sits on a faux device, which sysfs cannot unbind",
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_probe::*",
        why: "the steps that fail are those of Drydock's library, and the kernel's vkms cannot be bound through sysfs",
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_console::*",
        why: "the kernel's vkms sits on a faux device, which sysfs cannot unbind",
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_render::render_node_does_not_set_modes",
        why: "the kernel's vkms has no render node and no fence ioctls",
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_render::picture_and_fences_have_their_numbers",
        why: "the kernel's vkms has no render node and no fence ioctls",
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_render::buffer_is_shared_between_the_nodes",
        why: "the kernel's vkms has no render node and no fence ioctls",
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_render::flip_waits_for_a_fence_of_the_render_node",
        why: "the kernel's vkms has no render node and no fence ioctls",
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_render::unbind_with_a_fence_pending",
        why: "the kernel's vkms has no render node and no fence ioctls",
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_render::vgems_cases_of_fences_pass",
        why: "the kernel's vkms has no render node and no fence ioctls",
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_faults::*",
        why: "the kernel's vkms fails here, most often with an oops (docs/reference/c-core-faults.md)",
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_crowd::ten_threads_commit_to_two_outputs",
        why: TIMER,
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_crowd::lessee_of_each_output_beside_their_lessor",
        why: TIMER,
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_c::*",
        why: "these are faults of the kernel's own vkms (docs/reference/c-core-faults.md)",
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "vkms_c::*",
        why: "the set-up is one that only the kernel's own vkms offers, or a call is skipped, which leaks",
        effect: Effect::Impossible(Driver::Vkms),
    },
    Difference {
        case: "vkms_wrong::mode_without_a_frame_time_is_refused",
        why: "the kernel's vkms accepts such modes, whose vblank timer fires without end or never",
        effect: Effect::Impossible(Driver::CVkms),
    },
    Difference {
        case: "identity::parent_bus",
        why: "a platform device can be unbound and bound, and `drmdevice` lists it",
        effect: Effect::Answers { rust: "platform", c: "faux" },
    },
];

/// Returns why a case cannot run on a driver, or `None` if it can.
pub(crate) fn impossible(case: &str, driver: Driver) -> Option<&'static str> {
    let row = about(case).find(|row| row.effect == Effect::Impossible(driver))?;
    Some(row.why)
}

/// Returns the word that a case must find on a driver.
pub(crate) fn expected(case: &str, driver: Driver) -> Option<&'static str> {
    about(case).find_map(|row| match (&row.effect, driver) {
        (Effect::Answers { rust, .. }, Driver::Rust | Driver::Vkms) => Some(*rust),
        (Effect::Answers { c, .. }, Driver::C | Driver::CVkms) => Some(*c),
        (Effect::Answers { .. }, Driver::Nova | Driver::Tyr) | (Effect::Impossible(_), _) => None,
    })
}

fn about(case: &str) -> impl Iterator<Item = &'static Difference> + use<'_> {
    EXPECTED_DIFFERENCES.iter().filter(move |row| match row.case.strip_suffix('*') {
        Some(area) => case.starts_with(area),
        None => row.case == case,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_name_and_by_area() {
        assert!(impossible("life::unbind_while_open", Driver::C).is_some());
        assert!(impossible("life::unbind_while_open", Driver::Rust).is_none());
        assert_eq!(expected("identity::parent_bus", Driver::C), Some("faux"));
        assert_eq!(expected("identity::version", Driver::C), None);
    }
}
