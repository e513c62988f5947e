// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Measures the cost of mapping memory for a GPU with tyr, in instructions of the guest, and the size of the page
//! tables.
//!
//! The emulated GPU is another process, which runs by the host's clock. An access to one of its registers is one
//! instruction of the guest however long the model takes to answer: the guest's clock counts instructions and stands
//! still meanwhile. But while the driver sleeps until the GPU is done, that clock follows the host's. So operations
//! that wait for the GPU are measured by the calling thread's own clock, which does not count its sleep. The host still
//! influences how often the driver has to check whether the GPU is done. So the lower quartile of many calls is used,
//! and the cost of a further page or block in a call is a difference, in which little of it appears.
//!
//! Source: `benches/guest/src/tyr.rs` for how a row is measured; `models/src/mali/query.rs` for the code that counts
//! the tables.

use drydock_models::command::Command as Order;
use serde::Serialize;
use serde_json::{Value, json};

use drydock_base::error::Result;
use drydock_base::events::Events;
use drydock_base::exit;
use drydock_machine::error::Error as VmError;
use drydock_machine::model::Choices;
use drydock_machine::scenario::{Boot, LIMIT as MOMENT, Plan, Program, Scene, Stage, gpu_of};
use drydock_toolchain::firmware::Choice;

use super::table::number;
use super::{LIMIT, parse};

/// The size of a page table in bytes.
const TABLE: f64 = 4096.0;

/// The number of calls that map a GiB.
const CALLS: f64 = 512.0;

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Row {
    name: String,
    value: f64,
    unit: Unit,
    /// A comparison with another row.
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Unit {
    Instructions,
    Bytes,
    Accesses,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Figures {
    rows: Vec<Row>,
}

/// Runs `drydock bench tyr`.
pub(super) fn main(plan: &Plan, firmware: Option<&Choice>, events: &Events) -> Result<u8> {
    let gpu = gpu_of("tyr", &Choices::default(), firmware, events)?;
    let stage = Stage::prepare(plan, events)?;
    super::has_program(&stage)?;
    let boot = Boot { counting: true, gpu, ..Boot::default() };
    let (figures, _) = stage.play(&boot, events, |scene| measure(scene, events))?;
    events.result(&figures, Figures::text);
    Ok(exit::OK)
}

fn measure(scene: &mut Scene<'_>, events: &Events) -> Result<Figures, VmError> {
    let step = events.step("measuring tyr");
    scene.insmod("tyr")?;
    let mut figures = Figures::default();
    let out = scene.guest().check(&[Program::BENCH.name, "rows", "tyr"], LIMIT)?.out;
    for line in parse(&out)? {
        figures.put(line.row, line.instructions, Unit::Instructions);
    }
    figures.derive();
    for (how, name) in
        [("pages", "page tables for a GiB in pages of 4 KiB"), ("blocks", "page tables for a GiB in blocks of 2 MiB")]
    {
        let held = hold(scene, how)?;
        figures.put(name, held.tables * TABLE, Unit::Bytes);
        if how == "blocks" {
            figures.put("VM_BIND map, a block: registers", held.accesses, Unit::Accesses);
        }
    }
    step.done();
    Ok(figures)
}

/// The cost of a GiB that a program keeps mapped.
struct Held {
    /// The number of page tables, as the GPU counts them.
    tables: f64,
    /// Accesses to registers, for each of the calls that mapped it.
    accesses: f64,
}

/// Maps a GiB in `pages` or in `blocks`, with a call for each 2 MiB, and returns its cost.
fn hold(scene: &Scene<'_>, how: &str) -> Result<Held, VmError> {
    let gpu = scene.gpu().expect("it was booted with one");
    let accesses = || Ok(gpu.order(&Order::Status)?.get("accesses").and_then(Value::as_f64).unwrap_or_default());
    let before = accesses()?;
    let mut holder = scene.guest().spawn(&[Program::BENCH.name, "hold", how])?;
    holder.wait_for_line("holding", MOMENT)?;
    let accesses = (accesses()? - before) / CALLS;
    let counted = spaces(&gpu.order(&Order::Query(json!("spaces")))?)
        .into_iter()
        .map(|space| gpu.order(&Order::Query(json!({ "tables": { "space": space } }))))
        .collect::<Result<Vec<_>, _>>()?;
    holder.input(b"go on\n")?;
    holder.wait(MOMENT)?;
    let tables = counted.iter().find_map(|counted| tables_of_a_gib(counted, how));
    let tables = tables.ok_or_else(|| VmError::Unexpected {
        program: "the GPU".into(),
        said: format!("no address space maps a GiB in {how}: {counted:?}"),
    })?;
    Ok(Held { tables, accesses })
}

/// Returns the numbers of the address spaces that are set up, except the firmware's.
fn spaces(answer: &Value) -> Vec<u64> {
    let all = answer.as_array().into_iter().flatten();
    all.filter_map(|space| space.get("space")?.as_u64()).filter(|space| *space != 0).collect()
}

/// Returns the number of tables of an address space, if it maps exactly a GiB in this way and nothing else.
fn tables_of_a_gib(counted: &Value, how: &str) -> Option<f64> {
    let count = |key: &str| counted.get(key)?.as_u64();
    let expected = if how == "pages" { (1 << 18, 0) } else { (0, 512) };
    let levels = counted.get("tables")?.as_array()?;
    let tables: u64 = levels.iter().filter_map(Value::as_u64).sum();
    // There are at most a few thousand tables.
    ((count("pages")?, count("blocks")?) == expected).then_some(tables as f64)
}

impl Figures {
    fn put(&mut self, name: impl Into<String>, value: f64, unit: Unit) {
        self.rows.push(Row { name: name.into(), value, unit, remark: None });
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.rows.iter().find(|row| row.name == name).map(|row| row.value)
    }

    /// Computes the cost of each further page and block in a call from the measured rows.
    fn derive(&mut self) {
        for what in ["map", "unmap"] {
            let value = |how: &str| self.value(&format!("VM_BIND {what}, {how}"));
            let (Some(one), Some(many)) = (value("a page"), value("512 pages")) else { continue };
            let (Some(block), Some(blocks)) = (value("a block"), value("16 blocks")) else { continue };
            let (page, block) = ((many - one) / 511.0, (blocks - block) / 15.0);
            self.put(format!("{what}, each further page of 4 KiB"), page, Unit::Instructions);
            self.put(format!("{what}, each further block of 2 MiB"), block, Unit::Instructions);
            let last = self.rows.last_mut().expect("it was put there just now");
            last.remark = Some(format!("as much as {:.2} pages, for the memory of 512", block / page));
        }
    }

    fn text(&self) -> String {
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or_default();
        let mut lines = vec![format!("{:<width$} {:>14}", "per call", "tyr")];
        for row in &self.rows {
            let unit = match row.unit {
                Unit::Instructions => "",
                Unit::Bytes => " bytes",
                Unit::Accesses => " accesses",
            };
            let remark = row.remark.as_ref().map(|remark| format!("  {remark}")).unwrap_or_default();
            lines.push(format!("{:<width$} {:>14}{unit}{remark}", row.name, number(Some(row.value))));
        }
        lines.push(
            "instructions of a translated processor: the median of many calls (of VM_*: the lower quartile), without sleep"
                .to_owned(),
        );
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_further_page_costs_is_what_more_pages_cost() {
        let mut figures = Figures::default();
        for (name, value) in
            [("a page", 5_000.0), ("512 pages", 56_100.0), ("a block", 5_100.0), ("16 blocks", 6_600.0)]
        {
            figures.put(format!("VM_BIND map, {name}"), value, Unit::Instructions);
        }
        figures.derive();
        figures.put("page tables", 4096.0, Unit::Bytes);
        insta::assert_snapshot!(figures.text(), @r"
        per call                                    tyr
        VM_BIND map, a page                       5,000
        VM_BIND map, 512 pages                   56,100
        VM_BIND map, a block                      5,100
        VM_BIND map, 16 blocks                    6,600
        map, each further page of 4 KiB             100
        map, each further block of 2 MiB            100  as much as 1.00 pages, for the memory of 512
        page tables                               4,096 bytes
        instructions of a translated processor: the median of many calls (of VM_*: the lower quartile), without sleep
        ");
    }

    #[test]
    fn only_the_space_that_maps_a_gib_counts() {
        let tables = |pages: u64, blocks: u64| json!({ "tables": [1, 1, 1, 512], "pages": pages, "blocks": blocks });
        assert_eq!(tables_of_a_gib(&tables(1 << 18, 0), "pages"), Some(515.0));
        assert_eq!(tables_of_a_gib(&tables(1 << 18, 0), "blocks"), None);
        assert_eq!(tables_of_a_gib(&tables(3, 512), "blocks"), None);
        assert_eq!(spaces(&json!([{ "space": 0 }, { "space": 1 }])), [1]);
    }
}
