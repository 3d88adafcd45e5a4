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
