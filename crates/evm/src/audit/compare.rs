//! The books against the chain's own figures and the leaf files, one by one.

use std::collections::BTreeMap;

use gio_protocol::{B256, Gio};

use super::{Books, Difference, Figures, PayoutBook, Shown};
use crate::payout::PayoutTree;

/// Everything that does not agree, in the order people look for it.
pub(crate) fn compare(
    books: &Books,
    chain: &Figures,
    leaves: &BTreeMap<B256, PayoutTree>,
) -> Vec<Difference> {
    let mut found = books.problems().to_vec();
    let mut check = Check(&mut found);
    sums(&mut check, books, chain);
    miners(&mut check, books, chain);
    for (id, info) in &chain.deals {
        if let Some(deal) = books.deals.get(id) {
            check.same(&format!("deal {id}"), &deal.info(), info);
        }
    }
    let count = u32::try_from(books.payouts.len()).unwrap_or(u32::MAX);
    check.same("payouts", &count, &chain.payout_count);
    for (epoch, (payout, (root, reserve))) in (0..).zip(books.payouts.iter().zip(&chain.payouts)) {
        let kept = crate::payout::root_of(payout.count, payout.top);
        check.same(&format!("payout {epoch}: root"), &kept, root);
        check.same(
            &format!("payout {epoch}: reserve"),
            &payout.unclaimed(),
            reserve,
        );
        found_leaves(&mut check, epoch, payout, leaves.get(&payout.leaves_root));
    }
    found
}

struct Check<'a>(&'a mut Vec<Difference>);

impl Check<'_> {
    fn same<T: Shown + PartialEq>(&mut self, what: &str, rebuilt: &T, on_chain: &T) {
        if rebuilt != on_chain {
            self.0.push(Difference::Figure {
                what: what.to_owned(),
                rebuilt: rebuilt.shown(),
                on_chain: on_chain.shown(),
            });
        }
    }
}

fn sums(check: &mut Check<'_>, books: &Books, chain: &Figures) {
    let info = &chain.info;
    check.same("state", &books.state, &info.state);
    check.same("registered at", &books.registered_at, &info.registered_at);
    check.same("freezer", &books.freezer, &chain.freezer);
    for (what, rebuilt, on_chain) in [
        ("balance", books.balance(), info.balance),
        ("frozen", books.frozen(), chain.frozen),
        ("stake", books.stake, info.stake),
        ("locked", books.locked, info.locked),
        ("escrow", books.escrow, info.escrow),
        ("guarantees", books.guarantees, info.guarantees),
        ("approvals", books.approvals(), info.approvals),
        ("unclaimed", books.unclaimed(), info.unclaimed),
        ("free", books.free(), info.free),
    ] {
        check.same(what, &rebuilt, &on_chain);
    }
}

fn miners(check: &mut Check<'_>, books: &Books, chain: &Figures) {
    let mut waiting = 0_u64;
    let mut net = 0_u64;
    for (miner, approved, allowance) in &chain.miners {
        let book = books.miners.get(miner).copied().unwrap_or_default();
        check.same(&format!("approved to {miner}"), &book.approved, approved);
        waiting = waiting.saturating_add(allowance.units());
        net = net.saturating_add(book.net.units());
    }
    // What was paid is pulled or waiting: the token's word on the second, its transfers on the first.
    let waiting = Gio::from_units(waiting);
    let left = Gio::from_units(net).minus_or_zero(books.pulled());
    check.same("waiting to be pulled", &left, &waiting);
}

fn found_leaves(check: &mut Check<'_>, epoch: u32, payout: &PayoutBook, tree: Option<&PayoutTree>) {
    let unclaimed = payout.unclaimed();
    let Some(tree) = tree else {
        // A payout that was claimed to the last unit needs no file: the events name everybody.
        if unclaimed != Gio::ZERO {
            check.0.push(Difference::LeavesMissing {
                epoch,
                leaves_root: payout.leaves_root,
                unclaimed,
            });
        }
        return;
    };
    let mut wrong = |problem: String| {
        check.0.push(Difference::LeavesWrong { epoch, problem });
    };
    if tree.top() != payout.top || tree.count() != payout.count {
        wrong(format!(
            "its leaf file has the top {}, posted was {}",
            tree.top(),
            payout.top
        ));
        return;
    }
    for (index, (miner, net)) in &payout.claimed {
        if tree.leaf(*index) != Some((*miner, *net)) {
            wrong(format!(
                "leaf {index} was claimed by {miner} for {net} GIO, which its file does not say"
            ));
        }
    }
}
