// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Records a demo: each step with the guest's clock, the things that exist, and what the kernel logged meanwhile.

use drydock_models::Event;
use drydock_models::command::Command as Order;

use crate::report::{Picture, State, Step, Thing};
use drydock_base::events::Events;
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::Guest;
use drydock_machine::scenario::Scene;
use drydock_machine::timeline::Entry;
use drydock_machine::{gpu, timeline};

use super::summary;

/// The beginning of the line that settles the log.
const MARK: &str = "drydock: mark";

/// A demo that is being recorded.
pub(super) struct Recorder<'r, 's> {
    scene: &'r mut Scene<'s>,
    events: &'r Events,
    steps: Vec<Step>,
    things: Vec<Thing>,
}

/// The log and events of one action, of which several steps take their parts.
pub(super) struct Tale {
    entries: Vec<Entry>,
    /// The guest's clock after the action.
    ended: f64,
}

impl Tale {
    /// Returns all entries that no step has taken yet.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Declares that the first entries of these kinds happened in this order, whatever the clocks say.
    pub(super) fn happened_in_order(&mut self, kinds: &[&dyn Fn(&Entry) -> bool]) {
        timeline::put_in_order(&mut self.entries, kinds);
    }

    /// Takes the part up to and including the first entry that `ends` it.
    fn take(&mut self, ends: impl Fn(&Entry) -> bool) -> Option<Vec<Entry>> {
        let at = self.entries.iter().position(ends)?;
        Some(self.entries.drain(..=at).collect())
    }
}

impl<'r, 's> Recorder<'r, 's> {
    pub(super) fn new(scene: &'r mut Scene<'s>, events: &'r Events) -> Self {
        Self { scene, events, steps: Vec::new(), things: Vec::new() }
    }

    /// Returns the guest, for processes that outlive a step.
    pub(super) fn guest(&self) -> &'s Guest {
        self.scene.guest()
    }

    /// Returns the scene, for actions that are no step.
    pub(super) fn scene(&self) -> &Scene<'s> {
        self.scene
    }

    /// Adds `thing` from the next step on.
    pub(super) fn exists(&mut self, thing: Thing) {
        self.things.push(thing);
    }

    /// Removes `thing` from the next step on.
    pub(super) fn vanishes(&mut self, thing: Thing) {
        self.things.retain(|there| *there != thing);
    }

    /// Does something that several steps describe. Returns its log and events.
    pub(super) fn tale(
        &mut self,
        title: &str,
        act: impl FnOnce(&mut Scene<'s>) -> Result<(), VmError>,
    ) -> Result<Tale, VmError> {
        self.watch(title, act).map(|((), tale)| tale)
    }

    /// Records as a step the part of a tale up to the first entry that `ends` it, with the lines that `seen` makes of
    /// that part.
    pub(super) fn chapter(
        &mut self,
        tale: &mut Tale,
        title: &str,
        state: State,
        ends: impl Fn(&Entry) -> bool,
        seen: impl FnOnce(&[Entry]) -> Vec<String>,
    ) -> Result<(), VmError> {
        let Some(part) = tale.take(ends) else {
            let said = format!("no end of `{title}` in:\n{}", summary::lines(&tale.entries).join("\n"));
            return Err(VmError::Unexpected { program: "the timeline".into(), said });
        };
        let time = part.last().map_or(tale.ended, |entry| entry.time);
        self.record(title, state, time, seen(&part), summary::lines(&part));
        Ok(())
    }

    /// Records as a step everything that no other step has taken of a tale.
    pub(super) fn rest(&mut self, tale: Tale, title: &str, state: State, seen: Vec<String>) {
        let time = tale.entries.last().map_or(tale.ended, |entry| entry.time);
        self.record(title, state, time, seen, summary::lines(&tale.entries));
    }

    /// Does something and records it as a step with the lines it returns.
    pub(super) fn step(
        &mut self,
        title: &str,
        state: State,
        act: impl FnOnce(&mut Scene<'s>) -> Result<Vec<String>, VmError>,
    ) -> Result<(), VmError> {
        let (seen, tale) = self.watch(title, act)?;
        self.record(title, state, tale.ended, seen, summary::lines(&tale.entries));
        Ok(())
    }

    /// Does something. Returns its result, and what kernel and GPU reported meanwhile.
    fn watch<T>(
        &mut self,
        title: &str,
        act: impl FnOnce(&mut Scene<'s>) -> Result<T, VmError>,
    ) -> Result<(T, Tale), VmError> {
        let shown = self.events.step(title);
        let (from, began) = (self.guest().console().position(), gpu::now());
        let seen = act(self.scene)?;
        let until = self.guest().settle_log()?;
        shown.done();
        let log = self.guest().console().lines_from(from);
        let log = &log[..until - from];
        let saw = self.gpu_saw(began)?;
        // The last line is the mark that settled the log, so its time is the kernel's clock after the step.
        let ended = log.last().and_then(|mark| mark.time).unwrap_or_default();
        let mut entries = timeline::merge(log, &saw, &self.guest().console().lines());
        entries.retain(|entry| !entry.is_line_with(MARK));
        Ok((seen, Tale { entries, ended }))
    }

    /// Returns the emulated GPU's events from the host's time `began` until now.
    fn gpu_saw(&self, began: f64) -> Result<Vec<Event>, VmError> {
        let Some(gpu) = self.scene.gpu() else { return Ok(Vec::new()) };
        // The answer arrives after all events before the request.
        gpu.order(&Order::Status)?;
        Ok(timeline::since(&gpu.told(), began))
    }

    /// Adds a picture of the screen to the last step. `file` is its name.
    pub(super) fn picture(&mut self, file: &str, png: Vec<u8>) {
        let step = self.steps.last_mut().expect("a picture belongs to a step");
        step.picture = Some(Picture { file: file.into(), png });
    }

    fn record(&mut self, title: &str, state: State, time: f64, seen: Vec<String>, log: Vec<String>) {
        self.steps.push(Step {
            title: title.into(),
            state,
            time,
            things: self.things.clone(),
            seen,
            log,
            picture: None,
        });
    }

    /// Returns the recorded steps.
    pub(super) fn into_steps(self) -> Vec<Step> {
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drydock_machine::timeline::Told;

    #[test]
    fn a_tale_is_taken_part_by_part() {
        let entry = |time, text: &str| Entry { time, told: Told::Kernel(text.into()) };
        let mut tale = Tale { entries: vec![entry(1.0, "a"), entry(2.0, "b"), entry(3.0, "c")], ended: 4.0 };
        assert_eq!(tale.take(|entry| entry.is_line_with("b")).map(|part| part.len()), Some(2));
        assert_eq!(tale.take(|entry| entry.is_line_with("b")), None);
        assert_eq!(tale.entries().len(), 1);
    }
}
