//! A deal the hub works on: its terms, and everything that follows from them and the inputs.

use gio_content::{ContentRef, Plan, SplitError};
use gio_protocol::{B256, DealId, DealTerms, Domain, JobTree, PricePerPu, UnitLeaf};

/// A signed deal with its units. Immutable; shared by everything that works on it.
#[derive(Debug)]
pub struct DealInfo {
    /// Its id.
    pub id: DealId,
    /// What both sides signed.
    pub terms: DealTerms,
    /// Where its signatures hold.
    pub domain: Domain,
    /// How the job is cut.
    pub plan: Plan,
    /// `keccak(module)` (F3, machine version 0).
    pub program_root: B256,
    /// The module.
    pub module: ContentRef,
    /// Unit leaves, in order.
    pub leaves: Vec<UnitLeaf>,
    /// The tree over them; its root is the terms' job root.
    pub tree: JobTree,
    /// What miners get for a PU.
    pub net_price: PricePerPu,
}

impl DealInfo {
    /// Derives a deal's units.
    ///
    /// # Errors
    /// [`SplitError`] if the job cannot be cut.
    pub fn derive(
        terms: DealTerms,
        chain_id: u64,
        plan: Plan,
        program_root: B256,
        net_price: PricePerPu,
    ) -> Result<Self, SplitError> {
        let leaves = plan.leaves(program_root, terms.deal_seed())?;
        let hashes: Vec<B256> = leaves.iter().map(UnitLeaf::hash).collect();
        Ok(Self {
            id: terms.deal_id(chain_id),
            domain: Domain::new(chain_id, terms.wallet),
            module: plan.spec().module,
            plan,
            program_root,
            leaves,
            tree: JobTree::new(&hashes),
            net_price,
            terms,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use gio_content::{Assemble, JobSpec, Split, UnitBounds};
    use gio_protocol::{Cu, Gio};

    use super::*;

    pub(crate) const CHAIN_ID: u64 = 31_338;

    /// A job of so many units without inputs.
    pub(crate) fn plan(units: u32, cu_limit: Cu) -> Plan {
        let spec = JobSpec {
            version: 1,
            name: "a job".to_owned(),
            module: ContentRef::of(b"module"),
            args: vec!["app".to_owned(), "{unit}".to_owned()],
            env: BTreeMap::new(),
            stdin: None,
            inputs: BTreeMap::new(),
            shared: BTreeSet::new(),
            split: Split::Range {
                start: 0,
                end: u64::from(units),
                units,
            },
            assemble: Assemble::Concat,
            bounds: UnitBounds {
                cu_limit,
                pages_max: 16,
                output_max: 4096,
            },
        };
        Plan::new(Arc::new(spec), Arc::default()).unwrap()
    }

    /// A deal over it whose terms name its job.
    pub(crate) fn deal(plan: Plan, mut terms: DealTerms) -> DealInfo {
        let program_root = B256::repeat_byte(7);
        let net_price = PricePerPu(Gio::from_units(1_000));
        let leaves = plan.leaves(program_root, terms.deal_seed()).unwrap();
        let hashes: Vec<B256> = leaves.iter().map(UnitLeaf::hash).collect();
        terms.job_root = JobTree::new(&hashes).root();
        terms.unit_count = plan.unit_count();
        DealInfo::derive(terms, CHAIN_ID, plan, program_root, net_price).unwrap()
    }
}
