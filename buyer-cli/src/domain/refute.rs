//! What can be shown to the wallet when a posted bill is false: then cap and guarantee come back to the buyer.
//!
//! Only what follows from the claims file the hub serves can be shown. A hub that serves another file than it posted
//! is refused by `verify` all the same; it is not confirmed, but nothing on chain speaks against it in mode none.

use gio_evm::{FalseBill, SumStep};
use gio_protocol::tree::result::{ResultTree, committed};
use gio_protocol::{ClaimsFile, Cu, JobTree, SumNode, UnitLeaf};

use super::verify::Expected;

/// A proof that a posted bill is false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refutation {
    /// The posted total is not the sum of the tree's two halves.
    Sum(SumStep),
    /// A unit is billed above its limit, or otherwise than its own claim says.
    Bill(Box<FalseBill>),
}

/// The proof against this result, if there is one.
#[must_use]
pub fn refutation(file: &ClaimsFile, expected: &Expected<'_>) -> Option<Refutation> {
    if file.claims.len() != expected.leaves.len() || file.deal_id != expected.deal_id {
        return None;
    }
    let tree = file.tree().ok()?;
    // The tree was posted, with this total or another one.
    let posted = SumNode {
        hash: tree.top().hash,
        sum: expected.cu_total,
    };
    let count = u32::try_from(expected.leaves.len()).ok()?;
    if committed(count, posted) != expected.result_root {
        return None;
    }
    if posted.sum == tree.top().sum {
        let above = (0..count).find(|unit| bills_above_limit(file, expected.leaves, *unit))?;
        let billed = file.claims[above as usize].as_ref()?.claim.cu;
        return bill(file, expected, &tree, above, billed);
    }
    match count {
        1 => bill(file, expected, &tree, 0, posted.sum),
        _ => Some(Refutation::Sum(halves(&tree, count)?)),
    }
}

fn bills_above_limit(file: &ClaimsFile, leaves: &[UnitLeaf], unit: u32) -> bool {
    let signed = file.claims[unit as usize].as_ref();
    signed.is_some_and(|signed| signed.claim.cu > leaves[unit as usize].cu_limit)
}

fn bill(
    file: &ClaimsFile,
    expected: &Expected<'_>,
    tree: &ResultTree,
    unit: u32,
    billed: Cu,
) -> Option<Refutation> {
    let hashes: Vec<_> = expected.leaves.iter().map(UnitLeaf::hash).collect();
    Some(Refutation::Bill(Box::new(FalseBill {
        unit: expected.leaves[unit as usize].clone(),
        job_proof: JobTree::new(&hashes).proof(unit)?,
        claim: file.claims[unit as usize].as_ref()?.claim.clone(),
        billed,
        result_proof: tree.proof(unit)?,
    })))
}

/// The two children of the top node: the last sibling of a unit in the other half.
fn halves(tree: &ResultTree, count: u32) -> Option<SumStep> {
    let right_half = count.next_power_of_two() / 2;
    Some(SumStep {
        left: *tree.proof(right_half)?.last()?,
        right: *tree.proof(0)?.last()?,
        go_right: false,
    })
}

#[cfg(test)]
mod tests {
    use gio_protocol::tree::{job, result};
    use gio_protocol::{Address, Domain};

    use super::super::verify::tests::{DEAL, good_file, leaves};
    use super::*;

    fn refute(file: &ClaimsFile, leaves: &[UnitLeaf], total: Cu) -> Option<Refutation> {
        let hash = file.tree().unwrap().top().hash;
        let count = u32::try_from(leaves.len()).unwrap();
        let expected = Expected {
            deal_id: DEAL,
            domain: Domain::new(7, Address::repeat_byte(2)),
            leaves,
            result_root: committed(count, SumNode { hash, sum: total }),
            cu_total: total,
        };
        refutation(file, &expected)
    }

    #[test]
    fn a_right_bill_cannot_be_refuted() {
        assert_eq!(refute(&good_file(), &leaves(), Cu(303)), None);
    }

    #[test]
    fn r02_a_total_that_is_not_the_sum_shows_the_two_halves() {
        let file = good_file();
        let Some(Refutation::Sum(step)) = refute(&file, &leaves(), Cu(304)) else {
            panic!("no proof");
        };
        assert_eq!((step.left.sum, step.right.sum), (Cu(201), Cu(102)));
        let top = result::node(step.left, step.right).unwrap();
        assert_eq!(
            top,
            file.tree().unwrap().top(),
            "the pair the wallet will hash"
        );
    }

    #[test]
    fn r02_a_unit_billed_above_its_limit_is_shown_with_both_proofs() {
        let mut file = good_file();
        file.claims[1].as_mut().unwrap().claim.cu = Cu(1_001);
        let total = file.tree().unwrap().top().sum;
        let Some(Refutation::Bill(bill)) = refute(&file, &leaves(), total) else {
            panic!("no proof");
        };
        assert_eq!((bill.unit.index, bill.billed), (1, Cu(1_001)));
        let hashes: Vec<_> = leaves().iter().map(UnitLeaf::hash).collect();
        let job_root = JobTree::new(&hashes).root();
        assert!(job::verify(job_root, 3, 1, hashes[1], &bill.job_proof));
        let claim = Some((bill.claim.struct_hash(), bill.claim.cu));
        let root = file.tree().unwrap().root();
        assert!(result::verify(root, 3, 1, claim, &bill.result_proof));
    }

    #[test]
    fn the_only_unit_billed_otherwise_than_it_claims_is_shown() {
        let mut file = good_file();
        file.claims.truncate(1);
        let Some(Refutation::Bill(bill)) = refute(&file, &leaves()[..1], Cu(101)) else {
            panic!("no proof");
        };
        assert_eq!((bill.billed, bill.claim.cu), (Cu(101), Cu(100)));
        assert!(bill.result_proof.is_empty());
    }

    #[test]
    fn a_file_that_was_never_posted_proves_nothing() {
        let mut other = good_file();
        other.claims[0].as_mut().unwrap().claim.cu = Cu(9_999);
        let posted = good_file().tree().unwrap();
        let expected = Expected {
            deal_id: DEAL,
            domain: Domain::new(7, Address::repeat_byte(2)),
            leaves: &leaves(),
            result_root: posted.root(),
            cu_total: posted.top().sum,
        };
        assert_eq!(refutation(&other, &expected), None);
    }
}
