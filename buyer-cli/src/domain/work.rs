//! A job whose bytes are at hand, cut into units, every unit's leaf computed but for its seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use gio_content::{JobSpec, JobSpecError, Plan, SplitError};
use gio_protocol::{AmountError, B256, Cu, JobTree, UnitLeaf, keccak256, unit_seed};
use thiserror::Error;

/// A job that cannot be bought as it stands.
#[derive(Debug, Error)]
pub enum WorkError {
    /// The description breaks a rule.
    #[error(transparent)]
    Spec(#[from] JobSpecError),
    /// It cannot be cut.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// A single unit's program needs more memory than the job allows it.
    #[error(
        "the program starts with {needed} pages of memory (64 KiB each), the job allows {allowed}"
    )]
    Memory {
        /// Pages the module starts with.
        needed: u64,
        /// Pages of the limit.
        allowed: u32,
    },
}

/// A job ready to be offered. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Work {
    plan: Plan,
    program_root: B256,
    /// With zero seeds: the seed comes from the hub's nonce, everything else is known before.
    leaves: Arc<Vec<UnitLeaf>>,
}

impl Work {
    /// Cuts the job and computes every unit's input root, which finds every mistake of the description.
    ///
    /// `pages_min` is what the module's own memory starts with.
    ///
    /// # Errors
    /// [`WorkError`].
    pub fn new(
        spec: JobSpec,
        inputs: BTreeMap<String, Vec<u8>>,
        module: &[u8],
        pages_min: u64,
    ) -> Result<Self, WorkError> {
        spec.check()?;
        if pages_min > u64::from(spec.bounds.pages_max) {
            return Err(WorkError::Memory {
                needed: pages_min,
                allowed: spec.bounds.pages_max,
            });
        }
        // Machine version 0: the program root is the hash of the module (F3).
        let program_root = keccak256(module);
        let plan = Plan::new(Arc::new(spec), Arc::new(inputs))?;
        let leaves = Arc::new(plan.leaves(program_root, B256::ZERO)?);
        Ok(Self {
            plan,
            program_root,
            leaves,
        })
    }

    /// How the job is cut.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The job.
    #[must_use]
    pub fn spec(&self) -> &JobSpec {
        self.plan.spec()
    }

    /// `keccak(module)`.
    #[must_use]
    pub fn program_root(&self) -> B256 {
        self.program_root
    }

    /// Number of units.
    #[must_use]
    pub fn unit_count(&self) -> u32 {
        self.plan.unit_count()
    }

    /// The leaves of a deal with this seed (R22).
    #[must_use]
    pub fn leaves(&self, deal_seed: B256) -> Vec<UnitLeaf> {
        let seeded = |leaf: &UnitLeaf| UnitLeaf {
            unit_seed: unit_seed(deal_seed, leaf.index),
            ..leaf.clone()
        };
        self.leaves.iter().map(seeded).collect()
    }

    /// The job root of a deal with this seed (F1).
    #[must_use]
    pub fn job_root(&self, deal_seed: B256) -> B256 {
        let leaves = self.leaves(deal_seed);
        let hashes: Vec<B256> = leaves.iter().map(UnitLeaf::hash).collect();
        JobTree::new(&hashes).root()
    }

    /// Most CU all units together may use.
    ///
    /// # Errors
    /// [`AmountError::Overflow`].
    pub fn cu_total_limit(&self) -> Result<Cu, AmountError> {
        let total = self
            .spec()
            .bounds
            .cu_limit
            .0
            .checked_mul(u64::from(self.unit_count()));
        total.map(Cu).ok_or(AmountError::Overflow)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use gio_content::job::SPEC_VERSION;
    use gio_content::{Assemble, ContentRef, Split, UnitBounds};

    use super::*;

    pub(crate) const MODULE: &[u8] = b"module";

    pub(crate) fn spec(units: u32) -> JobSpec {
        JobSpec {
            version: SPEC_VERSION,
            name: "test".to_owned(),
            module: ContentRef::of(MODULE),
            args: vec!["app".to_owned(), "{unit}".to_owned()],
            env: BTreeMap::new(),
            stdin: None,
            inputs: BTreeMap::new(),
            shared: [].into(),
            split: Split::Range {
                start: 0,
                end: 100,
                units,
            },
            assemble: Assemble::Directory,
            bounds: UnitBounds {
                cu_limit: Cu(1_000),
                pages_max: 16,
                output_max: 1024,
            },
        }
    }

    pub(crate) fn work(units: u32) -> Work {
        Work::new(spec(units), BTreeMap::new(), MODULE, 1).unwrap()
    }

    #[test]
    fn r01_seeding_afterwards_gives_the_leaves_the_split_gives() {
        let work = work(3);
        let seed = B256::repeat_byte(7);
        let expected = work.plan().leaves(work.program_root(), seed).unwrap();
        assert_eq!(work.leaves(seed), expected);
        assert_ne!(work.job_root(seed), work.job_root(B256::ZERO));
        assert_eq!(work.cu_total_limit().unwrap(), Cu(3_000));
    }

    #[test]
    fn a_program_that_cannot_start_is_found_before_anybody_is_paid() {
        let error = Work::new(spec(1), BTreeMap::new(), MODULE, 17).unwrap_err();
        let (needed, allowed) = (17, 16);
        assert!(
            matches!(error, WorkError::Memory { needed: n, allowed: a } if (n, a) == (needed, allowed))
        );
    }

    #[test]
    fn a_mistake_in_a_template_is_found_at_once() {
        let mut spec = spec(2);
        spec.args.push("{tile}".to_owned());
        let error = Work::new(spec, BTreeMap::new(), MODULE, 1).unwrap_err();
        assert!(matches!(error, WorkError::Split(SplitError::Template(_))));
    }
}
