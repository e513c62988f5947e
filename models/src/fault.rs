// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Faults on request, with their conditions. A plan is a TOML file; the same tables come as JSON over the control
//! socket.
//!
//! ```toml
//! [[fault]]
//! kind = "removal"                                    # of every device: see `Common`
//! after = { accesses = 3 }                            # after three accesses to registers
//!
//! [[fault]]
//! kind = "slow-boot"                                  # of one GPU: see its own faults
//! seconds = 2.5
//! after = { register = "NV_PMC_BOOT_0" }              # after the first access to that register
//!
//! [[fault]]
//! kind = "spurious-interrupt"
//! after = { seconds = 1 }                             # a second after the first access
//! ```
//!
//! Without `after` a fault begins at once. Accesses and seconds count from when the fault was planned; seconds from the
//! first access on, since a guest needs time to reach the driver.

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::gpu::Gpu;

/// A fault that every device can have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Common {
    /// The device is gone: reads return ones, writes and its own accesses have no effect, and it does not interrupt.
    Removal {},
    /// The next interrupts do not arrive.
    LostInterrupt {
        /// The number of interrupts; 1 by default.
        #[serde(default = "one")]
        count: u64,
    },
    /// An interrupt without a cause.
    SpuriousInterrupt {
        /// The vector; 0 by default.
        #[serde(default)]
        vector: u32,
    },
    /// Everything that takes time takes longer: resets, power, a processor's answers.
    Slow {
        /// The factor.
        factor: u32,
    },
    /// The device's accesses to memory fail.
    DmaRefusal {},
}

impl Common {
    const KINDS: [&'static str; 5] = ["removal", "lost-interrupt", "spurious-interrupt", "slow", "dma-refusal"];
}

fn one() -> u64 {
    1
}

/// A fault of any device, or of one kind of GPU.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault<F> {
    /// A fault of any device.
    Common(Common),
    /// A fault of the GPU.
    Gpu(F),
}

/// The time when a fault begins.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// At once.
    Now,
    /// After this time from the first access on.
    Time(Duration),
    /// After this number of accesses, to one register or to all.
    Accesses(u64, Option<String>),
}

/// A planned fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned<F> {
    /// The fault.
    pub fault: Fault<F>,
    /// The time when it begins.
    pub when: When,
    /// The text of the plan, for people.
    pub text: String,
    seen: u64,
    first: Option<Instant>,
}

/// The reason why a plan is refused.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The text is not TOML, or has other tables than `fault`.
    #[error("the fault plan cannot be read: {0}")]
    Syntax(#[from] toml::de::Error),
    /// A fault of the plan makes no sense.
    #[error("fault {number} of the plan: {error}")]
    Fault {
        /// The fault's number in the plan, from 1.
        number: usize,
        /// The error in the fault.
        error: FaultError,
    },
}

/// The reason why a fault is refused.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The fault has no kind.
    #[error("it has no `kind` (known kinds: {known})")]
    NoKind {
        /// The kinds that this device has.
        known: String,
    },
    /// This device has no such fault.
    #[error("kind `{kind}` not found (known kinds: {known})")]
    Unknown {
        /// The requested kind.
        kind: String,
        /// The kinds that this device has.
        known: String,
    },
    /// A key is missing, unknown or of the wrong type.
    #[error("{0}")]
    Keys(#[from] serde_json::Error),
    /// `after` has no condition, or too many.
    #[error("`after` needs either `seconds`, or `accesses` or `register` or both")]
    After,
    /// An invalid time.
    #[error("`seconds = {0}` is no time")]
    Seconds(f64),
}

/// The faults of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan<F>(pub Vec<Planned<F>>);

impl<F> Default for Plan<F> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    fault: Vec<Map<String, Value>>,
}

impl<F: DeserializeOwned> Plan<F> {
    /// Parses a plan for `G` from the text of a TOML file.
    ///
    /// # Errors
    /// The error in the text, or in one of its faults.
    pub fn parse<G: Gpu<Fault = F>>(text: &str) -> Result<Self, PlanError> {
        let file: File = toml::from_str(text)?;
        let faults = file.fault.into_iter().enumerate();
        let planned = faults.map(|(index, table)| {
            Planned::parse::<G>(table).map_err(|error| PlanError::Fault { number: index + 1, error })
        });
        planned.collect::<Result<_, _>>().map(Self)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    seconds: Option<f64>,
    accesses: Option<u64>,
    register: Option<String>,
}

impl After {
    fn when(self) -> Result<When, FaultError> {
        match (self.seconds, self.accesses, self.register) {
            (Some(seconds), None, None) => {
                Duration::try_from_secs_f64(seconds).map(When::Time).map_err(|_| FaultError::Seconds(seconds))
            }
            (None, Some(0), _) => Ok(When::Now),
            (None, Some(count), register) => Ok(When::Accesses(count, register)),
            (None, None, Some(register)) => Ok(When::Accesses(1, Some(register))),
            _ => Err(FaultError::After),
        }
    }
}

impl<F: DeserializeOwned> Planned<F> {
    /// Parses one fault for `G`.
    ///
    /// # Errors
    /// The error in the fault.
    pub fn parse<G: Gpu<Fault = F>>(mut table: Map<String, Value>) -> Result<Self, FaultError> {
        let text = describe(&table);
        let when = match table.remove("after") {
            Some(after) => serde_json::from_value::<After>(after)?.when()?,
            None => When::Now,
        };
        let known = || [&Common::KINDS, G::FAULTS].concat().join(", ");
        let Some(kind) = table.get("kind").and_then(Value::as_str).map(str::to_owned) else {
            return Err(FaultError::NoKind { known: known() });
        };
        let fault = if Common::KINDS.contains(&kind.as_str()) {
            Fault::Common(serde_json::from_value(table.into())?)
        } else if G::FAULTS.contains(&kind.as_str()) {
            Fault::Gpu(serde_json::from_value(table.into())?)
        } else {
            return Err(FaultError::Unknown { kind, known: known() });
        };
        Ok(Self { fault, when, text, seen: 0, first: None })
    }
}

impl<F> Planned<F> {
    /// Counts an access; `name` is the register's.
    pub(crate) fn count(&mut self, name: Option<&str>, now: Instant) {
        self.first.get_or_insert(now);
        let counts = match &self.when {
            When::Accesses(_, Some(register)) => name == Some(register.as_str()),
            _ => true,
        };
        self.seen += u64::from(counts);
    }

    /// Returns when the fault begins by itself, if its time is known.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self.when {
            When::Time(time) => self.first?.checked_add(time),
            _ => None,
        }
    }

    /// Whether the fault begins now.
    pub(crate) fn begins(&self, now: Instant) -> bool {
        match &self.when {
            When::Now => true,
            When::Time(_) => self.due().is_some_and(|due| due <= now),
            When::Accesses(count, _) => self.seen >= *count,
        }
    }
}

/// Describes a fault in a few words: its kind, and its keys as they were written.
fn describe(table: &Map<String, Value>) -> String {
    let kind = table.get("kind").and_then(Value::as_str).unwrap_or("?");
    let keys = table.iter().filter(|(key, _)| *key != "kind").map(|(key, value)| format!("{key} = {value}"));
    match keys.collect::<Vec<_>>() {
        keys if keys.is_empty() => kind.to_owned(),
        keys => format!("{kind} ({})", keys.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nova::{self, Nova};

    fn plan(text: &str) -> Result<Plan<nova::Fault>, String> {
        Plan::parse::<Nova>(text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_of_the_documentation_is_one() {
        let source = include_str!("fault.rs");
        let text: String = source
            .lines()
            .filter_map(|line| line.strip_prefix("//!"))
            .skip_while(|line| !line.contains("toml"))
            .skip(1)
            .take_while(|line| !line.contains("```"))
            .map(|line| format!("{line}\n"))
            .collect();
        let plan = plan(&text).unwrap();
        assert_eq!(plan.0.len(), 3);
        assert_eq!(plan.0[1].fault, Fault::Gpu(nova::Fault::SlowBoot { seconds: 2.5 }));
        assert_eq!(plan.0[1].when, When::Accesses(1, Some("NV_PMC_BOOT_0".into())));
        assert_eq!(plan.0[2].text, "spurious-interrupt (after = {\"seconds\":1})");
    }

    #[test]
    fn an_empty_plan_has_no_faults() {
        assert_eq!(plan("").unwrap(), Plan::default());
    }

    #[test]
    fn malformed_fault_is_refused_with_its_name() {
        let refused = [
            ("[[fault]]\n", "fault 1 of the plan: it has no `kind` (known kinds: removal, lost-interrupt"),
            (
                "[[fault]]\nkind = \"removal\"\n[[fault]]\nkind = \"remova\"",
                "fault 2 of the plan: kind `remova` not found",
            ),
            ("[[fault]]\nkind = \"removal\"\nwhen = 1", "unknown field `when`"),
            ("[[fault]]\nkind = \"slow\"", "missing field `factor`"),
            ("[[fault]]\nkind = \"slow\"\nfactor = -1", "invalid value: integer `-1`"),
            ("[[fault]]\nkind = \"removal\"\nafter = {}", "`after` needs either"),
            ("[[fault]]\nkind = \"removal\"\nafter = { seconds = 1, accesses = 1 }", "`after` needs either"),
            ("[[fault]]\nkind = \"removal\"\nafter = { seconds = -1.0 }", "`seconds = -1` is no time"),
            ("[[fault]]\nkind = \"other-chip\"\nname = \"GA999\"", "chip `GA999` not found (known chips: TU102"),
            ("[[faults]]", "unknown field `faults`"),
            ("fault = 1", "the fault plan cannot be read: "),
        ];
        for (text, why) in refused {
            let error = plan(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn the_plan_in_the_documentation_is_one() {
        let page = include_str!("../../docs/how-to/use-an-emulated-gpu.md");
        let plan = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        assert_eq!(Plan::parse::<Nova>(plan).unwrap().0.len(), 2);
    }
}
