// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Keeps what a story shows: each step with the guest's clock, what exists, and what the kernel logged meanwhile.

use drydock_models::Event;
use drydock_models::command::Command as Order;

use crate::events::Events;
use crate::report::{State, Step, Thing};
use crate::scenario::Scene;
use crate::vm::console::Line;
use crate::vm::error::Error as VmError;
use crate::vm::guest::Guest;
use crate::vm::{gpu, timeline};

/// A story that is being told.
pub(super) struct Recorder<'r, 's> {
    scene: &'r mut Scene<'s>,
    events: &'r Events,
    steps: Vec<Step>,
    things: Vec<Thing>,
}

impl<'r, 's> Recorder<'r, 's> {
    pub(super) fn new(scene: &'r mut Scene<'s>, events: &'r Events) -> Self {
        Self { scene, events, steps: Vec::new(), things: Vec::new() }
    }

    /// The guest, for what outlives a step.
    pub(super) fn guest(&self) -> &'s Guest {
        self.scene.guest()
    }

    /// From the next step on, `thing` exists.
    pub(super) fn exists(&mut self, thing: Thing) {
        self.things.push(thing);
    }

    /// From the next step on, `thing` is no more.
    pub(super) fn vanishes(&mut self, thing: Thing) {
        self.things.retain(|there| *there != thing);
    }

    /// Does something that several recorded steps come out of; gives the number of its first line in the log.
    pub(super) fn act(
        &mut self,
        title: &str,
        act: impl FnOnce(&mut Scene<'s>) -> Result<(), VmError>,
    ) -> Result<usize, VmError> {
        let shown = self.events.step(title);
        let from = self.guest().settle_log()?;
        act(self.scene)?;
        self.guest().settle_log()?;
        shown.done();
        Ok(from)
    }

    /// Does something and records it with what it shows.
    pub(super) fn step(
        &mut self,
        title: &str,
        state: State,
        act: impl FnOnce(&mut Scene<'s>) -> Result<Vec<String>, VmError>,
    ) -> Result<(), VmError> {
        let shown = self.events.step(title);
        let (from, began) = (self.guest().console().position(), gpu::now());
        let seen = act(self.scene)?;
        let until = self.guest().settle_log()?;
        shown.done();
        let log = self.guest().console().lines_from(from);
        let log = &log[..until - from];
        let saw = self.gpu_saw(began)?;
        // The last line is the mark that settled the log: the kernel's clock when the step had happened.
        let time = log.last().and_then(|mark| mark.time).unwrap_or_default();
        let mut log = timeline::merge(log, &saw, &self.guest().console().lines());
        log.retain(|entry| !is_mark(&entry.text));
        let log = log.iter().map(ToString::to_string).collect();
        self.record(title, state, time, seen, log);
        Ok(())
    }

    /// Records a step that the kernel itself tells, in the first line from number `from` on that contains `needle`.
    pub(super) fn logged(&mut self, from: usize, needle: &str, title: &str, state: State) -> Result<(), VmError> {
        let lines = self.guest().console().lines_from(from);
        let Some(line) = lines.iter().find(|line| line.text.contains(needle)) else {
            let said = lines.iter().map(Line::to_string).collect::<Vec<_>>().join("\n");
            let said = format!("no line with `{needle}` in:\n{said}");
            return Err(VmError::Unexpected { program: "the kernel's log".into(), said });
        };
        self.record(title, state, line.time.unwrap_or_default(), vec![line.text.clone()], vec![line.to_string()]);
        Ok(())
    }

    /// What the emulated GPU told since the host's time `began`, up to now.
    fn gpu_saw(&self, began: f64) -> Result<Vec<Event>, VmError> {
        let Some(gpu) = self.scene.gpu() else { return Ok(Vec::new()) };
        // An answer comes after all that happened before it was asked for.
        gpu.order(&Order::Status)?;
        Ok(timeline::since(&gpu.told(), began))
    }

    fn record(&mut self, title: &str, state: State, time: f64, seen: Vec<String>, log: Vec<String>) {
        self.steps.push(Step { title: title.into(), state, time, things: self.things.clone(), seen, log });
    }

    /// What was recorded.
    pub(super) fn into_steps(self) -> Vec<Step> {
        self.steps
    }
}

fn is_mark(text: &str) -> bool {
    text.starts_with("drydock: mark")
}
