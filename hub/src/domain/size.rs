//! How much work and memory a job costs the hub before it signs, from the specification alone.
//!
//! # Security
//! Splitting and hashing happen before anybody has paid anything. Every figure here is an upper bound computed from
//! what the buyer wrote, so that a job is refused before its bytes are touched: a few kilobytes of specification can
//! otherwise ask for terabytes of images.

use gio_content::{JobSpec, Split};
use thiserror::Error;

/// What an entry of an image costs beside its bytes: the table row, padding, and the work of placing it.
const ENTRY_COST: u128 = 256;
/// What a unit costs on the board beside its image: leaf, tree nodes, state, part.
const UNIT_BYTES: u128 = 768;
/// Longest number a placeholder becomes.
const NUMBER_LENGTH_MAX: u128 = 20;
/// Copies of an image while it is hashed: the image, what it is made from, and its word tree.
const COPIES: u128 = 5;

/// Bounds on a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct JobSize {
    pub units: u128,
    /// Module and inputs.
    pub input_bytes: u128,
    /// All units' input images together: what is hashed before signing.
    pub image_bytes: u128,
    /// The largest of them.
    pub image_bytes_max: u128,
}

/// What this hub takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SizeLimits {
    pub units: u32,
    pub input_bytes: u64,
    pub image_bytes: u64,
    /// Memory for checking one job.
    pub memory_bytes: u64,
}

/// A job this hub does not take because of its size.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} of this job may be {found}, this hub takes at most {max}")]
pub struct JobTooLarge {
    /// Which figure.
    pub what: &'static str,
    /// An upper bound on it.
    pub found: u128,
    /// The hub's limit.
    pub max: u64,
}

impl JobSize {
    /// The bounds of a job.
    #[must_use]
    pub fn of(spec: &JobSpec) -> Self {
        let length = |name: &String| {
            let input = spec.inputs.get(name);
            input.map_or(0, |input| entry(name, input.length))
        };
        let total = |names: &mut dyn Iterator<Item = &String>| names.map(length).sum::<u128>();
        let all = total(&mut spec.inputs.keys());
        let shared = total(&mut spec.shared.iter());
        let largest = spec.inputs.keys().map(length).max().unwrap_or(0);
        let (each, cut, cut_max) = match &spec.split {
            Split::None | Split::Range { .. } | Split::List { .. } => (all, 0, 0),
            Split::Files => (shared, all, largest),
            Split::Lines { file, .. } | Split::Bytes { file, .. } => {
                (shared + entry(file, 0), length(file), length(file))
            }
        };
        // Standard input is one more copy of one file the unit sees.
        let (stdin, copies) = match spec.stdin {
            Some(_) => (each.min(largest), 2),
            None => (0, 1),
        };
        let (units, fixed) = (units(spec), texts(spec) + each + stdin);
        Self {
            units,
            input_bytes: u128::from(spec.module.length) + all,
            image_bytes: units.saturating_mul(fixed).saturating_add(cut * copies),
            image_bytes_max: fixed + cut_max * copies,
        }
    }

    /// Memory to check the job once.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let images = COPIES.saturating_mul(self.image_bytes_max);
        let bytes = self.resident().saturating_add(images);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// Memory the deal takes as long as it is worked on.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        u64::try_from(self.resident()).unwrap_or(u64::MAX)
    }

    fn resident(&self) -> u128 {
        self.input_bytes
            .saturating_add(self.units.saturating_mul(UNIT_BYTES))
    }

    /// Refuses what is beyond the hub's limits.
    ///
    /// # Errors
    /// [`JobTooLarge`].
    pub fn check(&self, limits: &SizeLimits) -> Result<(), JobTooLarge> {
        let rows = [
            ("the number of units", self.units, u64::from(limits.units)),
            (
                "the bytes of module and inputs",
                self.input_bytes,
                limits.input_bytes,
            ),
            (
                "the bytes of all units' images",
                self.image_bytes,
                limits.image_bytes,
            ),
            (
                "the memory to check it",
                u128::from(self.memory_bytes()),
                limits.memory_bytes,
            ),
        ];
        match rows
            .into_iter()
            .find(|(_, found, max)| *found > u128::from(*max))
        {
            Some((what, found, max)) => Err(JobTooLarge { what, found, max }),
            None => Ok(()),
        }
    }
}

fn entry(name: &str, length: u64) -> u128 {
    u128::from(length) + name.len() as u128 + ENTRY_COST
}

fn units(spec: &JobSpec) -> u128 {
    match &spec.split {
        Split::None => 1,
        Split::Files => spec.inputs.len().saturating_sub(spec.shared.len()) as u128,
        Split::Range { units, .. } | Split::Lines { units, .. } => u128::from(*units),
        Split::Bytes { file, size } => {
            let length = spec.inputs.get(file).map_or(0, |input| input.length);
            u128::from(length.div_ceil((*size).max(1)).max(1))
        }
        Split::List { items } => items.len() as u128,
    }
}

/// Arguments and environment of one unit, placeholders filled with the longest there is.
fn texts(spec: &JobSpec) -> u128 {
    let items: &[String] = match &spec.split {
        Split::List { items } => items,
        _ => &[],
    };
    let names = items.iter().chain(spec.inputs.keys());
    let longest = names.map(|name| name.len() as u128).max().unwrap_or(0);
    let filled = |text: &String| {
        let placeholders = text.bytes().filter(|byte| *byte == b'{').count() as u128;
        text.len() as u128 + placeholders * longest.max(NUMBER_LENGTH_MAX) + ENTRY_COST
    };
    let args: u128 = spec.args.iter().map(filled).sum();
    let env: u128 = spec
        .env
        .iter()
        .map(|(name, value)| name.len() as u128 + filled(value))
        .sum();
    args + env
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use gio_content::{Assemble, ContentRef, Plan, UnitBounds};
    use gio_protocol::{B256, Cu};
    use proptest::prelude::*;

    use super::*;

    fn spec(split: Split, inputs: &[(&str, u64)], shared: &[&str]) -> JobSpec {
        let of = |length| ContentRef {
            root: B256::ZERO,
            length,
        };
        JobSpec {
            version: 1,
            name: String::new(),
            module: of(10),
            args: vec!["{unit}".to_owned()],
            env: BTreeMap::new(),
            stdin: None,
            inputs: inputs
                .iter()
                .map(|(name, length)| ((*name).to_owned(), of(*length)))
                .collect(),
            shared: shared.iter().map(|name| (*name).to_owned()).collect(),
            split,
            assemble: Assemble::Concat,
            bounds: UnitBounds {
                cu_limit: Cu(1),
                pages_max: 1,
                output_max: 1,
            },
        }
    }

    const LIMITS: SizeLimits = SizeLimits {
        units: 1 << 17,
        input_bytes: 256 << 20,
        image_bytes: 1 << 30,
        memory_bytes: 1 << 30,
    };

    fn refused(spec: &JobSpec) -> &'static str {
        JobSize::of(spec).check(&LIMITS).unwrap_err().what
    }

    #[test]
    fn a_split_into_a_million_units_of_large_images_is_refused_by_its_numbers() {
        let bomb = |units| Split::Range {
            start: 0,
            end: u64::MAX,
            units,
        };
        let large = 100 << 20;
        assert_eq!(
            refused(&spec(bomb(1 << 20), &[], &[])),
            "the number of units"
        );
        assert_eq!(
            refused(&spec(bomb(1000), &[("scene", large)], &[])),
            "the bytes of all units' images"
        );
        assert_eq!(
            refused(&spec(
                Split::None,
                &[("a", large), ("b", large), ("c", large)],
                &[]
            )),
            "the bytes of module and inputs"
        );
        assert_eq!(
            refused(&spec(Split::None, &[("a", 250 << 20)], &[])),
            "the memory to check it"
        );
        let fine = spec(bomb(500), &[("scene", 1 << 20)], &[]);
        assert_eq!(JobSize::of(&fine).check(&LIMITS), Ok(()));
    }

    #[test]
    fn placeholders_that_grow_texts_without_end_are_refused() {
        let items = vec!["x".repeat(1 << 20)];
        let mut bomb = spec(Split::List { items }, &[], &[]);
        bomb.args = vec!["{file}".repeat(1 << 18)];
        assert_eq!(refused(&bomb), "the bytes of all units' images");
        bomb.args.clear();
        bomb.env = BTreeMap::from([("E".to_owned(), "{file}".repeat(1 << 18))]);
        assert_eq!(refused(&bomb), "the bytes of all units' images");
    }

    #[test]
    fn a_length_that_leaves_64_bits_is_no_way_around() {
        let split = Split::Bytes {
            file: "a".to_owned(),
            size: 0,
        };
        let bomb = spec(split, &[("a", u64::MAX), ("b", u64::MAX)], &["b"]);
        assert_eq!(refused(&bomb), "the number of units");
    }

    fn any_split() -> impl Strategy<Value = Split> {
        let file = || Just("a".to_owned());
        prop_oneof![
            Just(Split::None),
            Just(Split::Files),
            (0u64..9, 10u64..99, 1u32..9).prop_map(|(start, end, units)| Split::Range {
                start,
                end,
                units
            }),
            (file(), 1u32..9).prop_map(|(file, units)| Split::Lines { file, units }),
            (file(), 1u64..20).prop_map(|(file, size)| Split::Bytes { file, size }),
            prop::collection::vec("[a-z]{1,30}", 1..5).prop_map(|items| Split::List { items }),
        ]
    }

    proptest! {
        /// The one property that matters: no job is larger than its bound.
        #[test]
        fn the_bound_holds(
            split in any_split(),
            lengths in prop::collection::vec(0usize..200, 1..4),
            shared in prop::collection::vec(any::<bool>(), 4),
            args in prop::collection::vec("[a-z]{0,40}(\\{file\\}|\\{unit\\}|\\{end\\}){0,3}", 0..3),
            stdin in any::<bool>(),
        ) {
            let names = ["a", "b", "c"];
            let inputs: BTreeMap<String, Vec<u8>> = names
                .iter()
                .zip(&lengths)
                .map(|(name, length)| ((*name).to_owned(), vec![b'\n'; *length]))
                .collect();
            let mut spec = spec(split, &[], &[]);
            spec.inputs = inputs
                .iter()
                .map(|(name, bytes)| (name.clone(), ContentRef::of(bytes)))
                .collect();
            spec.shared = inputs
                .keys()
                .zip(&shared)
                .filter(|(_, shared)| **shared)
                .map(|(name, _)| name.clone())
                .collect::<BTreeSet<_>>();
            spec.args = args.clone();
            spec.env = args.into_iter().enumerate().map(|(i, arg)| (format!("V{i}"), arg)).collect();
            spec.stdin = stdin.then(|| "a".to_owned());
            let size = JobSize::of(&spec);
            if let Ok(plan) = Plan::new(Arc::new(spec), Arc::new(inputs)) {
                prop_assert!(u128::from(plan.unit_count()) <= size.units);
                let images: Result<Vec<_>, _> = (0..plan.unit_count()).map(|u| plan.input_image(u)).collect();
                if let Ok(images) = images {
                    let total: usize = images.iter().map(Vec::len).sum();
                    let largest = images.iter().map(Vec::len).max().unwrap_or(0);
                    prop_assert!(total as u128 <= size.image_bytes);
                    prop_assert!(largest as u128 <= size.image_bytes_max);
                }
            }
        }
    }
}
