//! Splitting (R1): the pure function from a job and its inputs to units, which buyer and hub both run before
//! they sign, so that the hub never chooses what a paid unit computes.

use std::collections::BTreeMap;
use std::sync::Arc;

use gio_protocol::terms::UNITS_MAX;
use gio_protocol::tree::words::TooLong;
use gio_protocol::{B256, MachineParams, UnitKind, UnitLeaf, unit_seed, word_root};
use thiserror::Error;

use crate::image::{ImageError, InputImage};
use crate::job::{JobSpec, Split};
use crate::template::{TemplateError, Values, fill};

/// A job that cannot be cut as it says.
#[derive(Debug, Error)]
pub enum SplitError {
    /// The bytes of an input are not what the job names.
    #[error("input `{0}` is missing, or is not what the job names")]
    Input(String),
    /// No unit, or too many.
    #[error("the split makes {0} units; a deal has 1 to {UNITS_MAX}")]
    UnitCount(u64),
    /// A range that runs backwards, or has fewer numbers than units.
    #[error("a range from {start} to {end} has no {units} parts")]
    Range {
        /// First number.
        start: u64,
        /// One past the last.
        end: u64,
        /// Parts asked for.
        units: u32,
    },
    /// Parts of no bytes.
    #[error("parts of 0 bytes")]
    NoBytes,
    /// A placeholder is wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The stdin's name is not one of the unit's files.
    #[error("unit {unit} has no file `{name}` for its standard input")]
    Stdin {
        /// Which unit.
        unit: u32,
        /// Which name.
        name: String,
    },
    /// The unit's input is no image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The unit's input is longer than its word tree.
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

/// A job cut into units. Cheap to clone: the inputs are shared.
#[derive(Clone, Debug)]
pub struct Plan {
    spec: Arc<JobSpec>,
    inputs: Arc<BTreeMap<String, Vec<u8>>>,
    parts: Arc<Vec<Part>>,
}

/// One unit: the numbers it is told, and the piece of which file it sees.
#[derive(Clone, Debug)]
struct Part {
    start: u64,
    end: u64,
    file: Option<String>,
    /// Byte range of the cut file, or the whole of it.
    cut: Option<std::ops::Range<usize>>,
}

impl Plan {
    /// Cuts the job.
    ///
    /// # Errors
    /// [`SplitError`].
    pub fn new(
        spec: Arc<JobSpec>,
        inputs: Arc<BTreeMap<String, Vec<u8>>>,
    ) -> Result<Self, SplitError> {
        for (name, expected) in &spec.inputs {
            let found = inputs
                .get(name)
                .filter(|bytes| bytes.len() as u64 == expected.length);
            found.ok_or_else(|| SplitError::Input(name.clone()))?;
        }
        if let Some(name) = inputs.keys().find(|name| !spec.inputs.contains_key(*name)) {
            return Err(SplitError::Input(name.clone()));
        }
        let parts = parts(&spec, &inputs)?;
        if parts.is_empty() || parts.len() > UNITS_MAX as usize {
            return Err(SplitError::UnitCount(parts.len() as u64));
        }
        Ok(Self {
            spec,
            inputs,
            parts: Arc::new(parts),
        })
    }

    /// Number of units.
    ///
    /// # Panics
    /// Never: [`Self::new`] bounds it.
    #[must_use]
    pub fn unit_count(&self) -> u32 {
        u32::try_from(self.parts.len()).expect("new() admits at most 2^20 units")
    }

    /// The job.
    #[must_use]
    pub fn spec(&self) -> &JobSpec {
        &self.spec
    }

    /// The input image of a unit, encoded.
    ///
    /// # Errors
    /// [`SplitError`].
    ///
    /// # Panics
    /// If there is no such unit.
    pub fn input_image(&self, unit: u32) -> Result<Vec<u8>, SplitError> {
        let part = &self.parts[unit as usize];
        let values = Values {
            unit,
            units: self.unit_count(),
            start: part.start,
            end: part.end,
            file: part.file.as_deref(),
        };
        let files = self.files(part);
        let stdin = match &self.spec.stdin {
            None => Vec::new(),
            Some(name) => {
                let name = fill(name, &values)?;
                files
                    .get(&name)
                    .cloned()
                    .ok_or(SplitError::Stdin { unit, name })?
            }
        };
        let args = self
            .spec
            .args
            .iter()
            .map(|arg| fill(arg, &values).map(String::into_bytes));
        let env = self
            .spec
            .env
            .iter()
            .map(|(name, value)| Ok((name.clone(), fill(value, &values)?.into_bytes())));
        let image = InputImage {
            args: args.collect::<Result<_, TemplateError>>()?,
            env: env.collect::<Result<_, TemplateError>>()?,
            files,
            stdin,
        };
        Ok(image.encode()?)
    }

    /// The leaf of a unit, and its input image.
    ///
    /// # Errors
    /// [`SplitError`].
    pub fn leaf(
        &self,
        unit: u32,
        program_root: B256,
        deal_seed: B256,
    ) -> Result<(UnitLeaf, Vec<u8>), SplitError> {
        let image = self.input_image(unit)?;
        let bounds = self.spec.bounds;
        let leaf = UnitLeaf {
            index: unit,
            kind: UnitKind::Wasm,
            program_root,
            input_root: word_root(&image, MachineParams::IMAGE_DEPTH)?,
            input_length: image.len() as u64,
            cu_limit: bounds.cu_limit,
            pages_max: bounds.pages_max,
            output_max: bounds.output_max,
            unit_seed: unit_seed(deal_seed, unit),
        };
        Ok((leaf, image))
    }

    /// All leaves in order.
    ///
    /// # Errors
    /// [`SplitError`].
    pub fn leaves(&self, program_root: B256, deal_seed: B256) -> Result<Vec<UnitLeaf>, SplitError> {
        (0..self.unit_count())
            .map(|unit| Ok(self.leaf(unit, program_root, deal_seed)?.0))
            .collect()
    }

    fn files(&self, part: &Part) -> BTreeMap<String, Vec<u8>> {
        let whole = matches!(
            self.spec.split,
            Split::None | Split::Range { .. } | Split::List { .. }
        );
        let seen = |name: &String| {
            whole || self.spec.shared.contains(name) || part.file.as_ref() == Some(name)
        };
        let piece = |name: &String, bytes: &Vec<u8>| match &part.cut {
            Some(range) if part.file.as_ref() == Some(name) => bytes[range.clone()].to_vec(),
            _ => bytes.clone(),
        };
        self.inputs
            .iter()
            .filter(|(name, _)| seen(name))
            .map(|(name, b)| (name.clone(), piece(name, b)))
            .collect()
    }
}

fn parts(spec: &JobSpec, inputs: &BTreeMap<String, Vec<u8>>) -> Result<Vec<Part>, SplitError> {
    Ok(match &spec.split {
        Split::None => vec![Part {
            start: 0,
            end: 1,
            file: None,
            cut: None,
        }],
        Split::Files => numbered(inputs.keys().filter(|name| !spec.shared.contains(*name))),
        Split::List { items } => numbered(items.iter()),
        Split::Range { start, end, units } => range(*start, *end, *units)?,
        Split::Lines { file, units } => lines(file, &inputs[file], *units)?,
        Split::Bytes { file, size } => bytes(file, &inputs[file], *size)?,
    })
}

fn numbered<'a>(names: impl Iterator<Item = &'a String>) -> Vec<Part> {
    (0u64..)
        .zip(names)
        .map(|(i, name)| Part {
            start: i,
            end: i + 1,
            file: Some(name.clone()),
            cut: None,
        })
        .collect()
}

fn range(start: u64, end: u64, units: u32) -> Result<Vec<Part>, SplitError> {
    let error = || SplitError::Range { start, end, units };
    let length = end
        .checked_sub(start)
        .filter(|length| *length >= u64::from(units))
        .ok_or_else(error)?;
    check_count(u64::from(units))?;
    Ok(shares(length, units)
        .map(|(a, b)| Part {
            start: start + a,
            end: start + b,
            file: None,
            cut: None,
        })
        .collect())
}

/// `units` consecutive shares of `length`, the first ones longer by one.
fn shares(length: u64, units: u32) -> impl Iterator<Item = (u64, u64)> {
    let units = u64::from(units);
    let (each, more) = (length / units, length % units);
    let bound = move |i: u64| i * each + i.min(more);
    (0..units).map(move |i| (bound(i), bound(i + 1)))
}

fn lines(file: &str, data: &[u8], units: u32) -> Result<Vec<Part>, SplitError> {
    check_count(u64::from(units))?;
    let mut ends: Vec<usize> = (0..data.len())
        .filter(|at| data[*at] == b'\n')
        .map(|at| at + 1)
        .collect();
    if ends.last().copied().unwrap_or(0) < data.len() {
        ends.push(data.len());
    }
    let count = u32::try_from(ends.len())
        .unwrap_or(u32::MAX)
        .min(units)
        .max(1);
    let byte_of = |line: u64| {
        usize::try_from(line)
            .ok()
            .filter(|n| *n > 0)
            .map_or(0, |n| ends[n - 1])
    };
    let part = |(start, end)| Part {
        start,
        end,
        file: Some(file.to_owned()),
        cut: Some(byte_of(start)..byte_of(end)),
    };
    Ok(shares(ends.len() as u64, count).map(part).collect())
}

fn bytes(file: &str, data: &[u8], size: u64) -> Result<Vec<Part>, SplitError> {
    let step = usize::try_from(size).unwrap_or(usize::MAX);
    if step == 0 {
        return Err(SplitError::NoBytes);
    }
    check_count((data.len().div_ceil(step) as u64).max(1))?;
    let part = |start: usize| {
        let end = start.saturating_add(step).min(data.len());
        Part {
            start: start as u64,
            end: end as u64,
            file: Some(file.to_owned()),
            cut: Some(start..end),
        }
    };
    let starts = (0..data.len().max(1)).step_by(step);
    Ok(starts.map(part).collect())
}

fn check_count(units: u64) -> Result<(), SplitError> {
    if units == 0 || units > u64::from(UNITS_MAX) {
        Err(SplitError::UnitCount(units))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use gio_protocol::Cu;
    use proptest::prelude::*;

    use super::*;
    use crate::job::{Assemble, ContentRef, SPEC_VERSION, UnitBounds};

    fn plan(split: Split, inputs: &[(&str, &[u8])], shared: &[&str]) -> Result<Plan, SplitError> {
        let inputs: BTreeMap<String, Vec<u8>> = inputs
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()))
            .collect();
        let spec = JobSpec {
            version: SPEC_VERSION,
            name: "test".to_owned(),
            module: ContentRef::of(b"module"),
            args: vec!["app".to_owned(), "{unit}/{units}:{start}-{end}".to_owned()],
            env: BTreeMap::new(),
            stdin: None,
            inputs: inputs
                .iter()
                .map(|(name, bytes)| (name.clone(), ContentRef::of(bytes)))
                .collect(),
            shared: shared
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<BTreeSet<_>>(),
            split,
            assemble: Assemble::Directory,
            bounds: UnitBounds {
                cu_limit: Cu(1000),
                pages_max: 16,
                output_max: 1024,
            },
        };
        spec.check().unwrap();
        Plan::new(Arc::new(spec), Arc::new(inputs))
    }

    fn image(plan: &Plan, unit: u32) -> InputImage {
        InputImage::decode(&plan.input_image(unit).unwrap()).unwrap()
    }

    #[test]
    fn files_make_one_unit_each_and_shared_ones_are_everywhere() {
        let plan = plan(
            Split::Files,
            &[("b", b"B"), ("a", b"A"), ("lib", b"L")],
            &["lib"],
        )
        .unwrap();
        assert_eq!(plan.unit_count(), 2);
        let second = image(&plan, 1);
        assert_eq!(second.files.keys().collect::<Vec<_>>(), ["b", "lib"]);
        assert_eq!(second.args, [b"app".to_vec(), b"1/2:1-2".to_vec()]);
    }

    #[test]
    fn ranges_cover_everything_once() {
        let plan = plan(
            Split::Range {
                start: 10,
                end: 20,
                units: 3,
            },
            &[],
            &[],
        )
        .unwrap();
        let told: Vec<_> = (0..3)
            .map(|unit| String::from_utf8(image(&plan, unit).args[1].clone()).unwrap())
            .collect();
        assert_eq!(told, ["0/3:10-14", "1/3:14-17", "2/3:17-20"]);
    }

    #[test]
    fn a_split_that_makes_no_unit_is_refused() {
        assert!(matches!(
            plan(Split::Files, &[], &[]),
            Err(SplitError::UnitCount(0))
        ));
        assert!(matches!(
            plan(
                Split::Range {
                    start: 5,
                    end: 3,
                    units: 1
                },
                &[],
                &[]
            ),
            Err(SplitError::Range { .. })
        ));
        assert!(matches!(
            plan(
                Split::Range {
                    start: 0,
                    end: 3,
                    units: 0
                },
                &[],
                &[]
            ),
            Err(SplitError::UnitCount(0))
        ));
        assert!(matches!(
            plan(
                Split::Bytes {
                    file: "a".into(),
                    size: 0
                },
                &[("a", b"x")],
                &[]
            ),
            Err(SplitError::NoBytes)
        ));
    }

    #[test]
    fn r01_leaves_bind_seed_input_and_limits() {
        let plan = plan(Split::None, &[("a", b"x")], &[]).unwrap();
        let (leaf, image) = plan
            .leaf(0, B256::repeat_byte(1), B256::repeat_byte(2))
            .unwrap();
        assert_eq!(leaf.input_length, image.len() as u64);
        let other = plan
            .leaf(0, B256::repeat_byte(1), B256::repeat_byte(3))
            .unwrap()
            .0;
        assert_ne!(leaf.hash(), other.hash());
    }

    proptest! {
        #[test]
        fn cut_files_join_to_the_whole(data in prop::collection::vec(prop::sample::select(b"ab\n".to_vec()), 0..60),
                                       units in 1u32..9, size in 1u64..20) {
            for split in [Split::Lines { file: "f".into(), units }, Split::Bytes { file: "f".into(), size }] {
                let by_lines = matches!(split, Split::Lines { .. });
                let plan = plan(split, &[("f", &data)], &[]).unwrap();
                let parts: Vec<Vec<u8>> = (0..plan.unit_count()).map(|unit| image(&plan, unit).files["f"].clone()).collect();
                prop_assert_eq!(parts.concat(), data.clone());
                if by_lines {
                    let whole_lines = parts[..parts.len() - 1].iter().all(|part| part.ends_with(b"\n"));
                    prop_assert!(whole_lines);
                }
            }
        }
    }
}
