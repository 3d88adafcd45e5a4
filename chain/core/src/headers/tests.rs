//! The tree against plain walking, and the choices it makes.

use proptest::prelude::*;

use super::*;
use crate::params::{Network, SPACING_SECONDS};
use crate::target::CompactTarget;

const NOW: UnixSeconds = UnixSeconds(4_000_000_000);

fn regtest() -> HeaderTree {
    HeaderTree::new(&Params::of(Network::Regtest))
}

/// A header after `parent`, `seconds` later than it; work is not checked here.
fn after(tree: &HeaderTree, parent: &BlockHash, seconds: u32, nonce: u32) -> Header {
    let before = *tree.header(parent).unwrap();
    Header {
        previous: *parent,
        time: before.time + seconds,
        bits: tree.context_after(parent).unwrap().bits,
        nonce,
        ..before
    }
}

fn grow(tree: &mut HeaderTree, parent: &BlockHash, count: u32, nonce: u32) -> Vec<BlockHash> {
    let mut ids = vec![*parent];
    for _ in 0..count {
        let header = after(tree, ids.last().unwrap(), SPACING_SECONDS, nonce);
        ids.push(tree.insert(header, NOW).unwrap());
    }
    ids.remove(0);
    ids
}

#[test]
fn the_difficulty_follows_full_periods_after_a_short_first_one() {
    let params = Params::of(Network::Main);
    let mut tree = HeaderTree::new(&params);
    let first_bits = params.genesis_bits();
    let mut tip = tree.best_header();
    let mut times = vec![params.genesis.header.time];
    let mut bits = vec![first_bits];
    // A period at 30 seconds, one at 90, one at 60 with a single jump on its first interval.
    for height in 1..=4320u32 {
        let seconds = match height {
            0..1440 => 30,
            1440..2880 => 90,
            2880 => 5000,
            _ => 60,
        };
        let header = after(&tree, &tip, seconds, 0);
        times.push(header.time);
        bits.push(header.bits);
        tip = tree.insert(header, NOW).unwrap();
    }
    assert!(bits[..1440].iter().all(|each| *each == first_bits));
    let limit = params.pow_limit;
    let expected = |from: usize, to: usize, old| retarget(old, times[from], times[to], limit);
    assert_eq!(Ok(bits[1440]), expected(0, 1439, first_bits));
    assert_eq!(Ok(bits[2880]), expected(1439, 2879, bits[1440]));
    assert_eq!(Ok(bits[4320]), expected(2879, 4319, bits[2880]));
    assert_ne!(bits[1440], first_bits);
    // The jump lies between two periods: measuring only inner intervals would miss it.
    assert_ne!(Ok(bits[4320]), expected(2880, 4319, bits[2880]));
}

#[test]
fn headers_must_fit_their_place() {
    let mut tree = regtest();
    let genesis = tree.best_header();
    let good = after(&tree, &genesis, 60, 0);
    let orphan = Header {
        previous: BlockHash::from_bytes([7; 32]),
        ..good
    };
    let error = tree.insert(orphan, NOW).unwrap_err();
    assert_eq!(error, InsertError::UnknownParent(orphan.previous));
    let wrong_bits = Header {
        bits: CompactTarget(0x1e0f_fff0),
        ..good
    };
    let error = tree.insert(wrong_bits, NOW).unwrap_err();
    assert!(matches!(
        error,
        InsertError::Header(HeaderError::WrongBits { .. })
    ));
    let early = Header {
        time: tree.header(&genesis).unwrap().time,
        ..good
    };
    let error = tree.insert(early, NOW).unwrap_err();
    assert!(matches!(
        error,
        InsertError::Header(HeaderError::TimeTooOld { .. })
    ));
    assert_eq!(tree.len(), 1);
    assert_eq!(tree.insert(good, NOW), Ok(good.id()));
    assert_eq!(tree.insert(good, NOW), Ok(good.id()));
    assert_eq!(tree.len(), 2);
}

#[test]
fn the_median_is_of_the_last_eleven() {
    let mut tree = regtest();
    let genesis = tree.best_header();
    let start = tree.header(&genesis).unwrap().time;
    let ids = grow(&mut tree, &genesis, 12, 0);
    assert_eq!(tree.median_time_past(&genesis), Some(start));
    assert_eq!(tree.median_time_past(&ids[0]), Some(start + 60));
    assert_eq!(tree.median_time_past(&ids[9]), Some(start + 5 * 60));
    assert_eq!(tree.median_time_past(&ids[11]), Some(start + 7 * 60));
}

#[test]
fn the_branch_with_the_most_work_whose_bodies_are_all_there_is_followed() {
    let mut tree = regtest();
    let genesis = tree.best_header();
    let short = grow(&mut tree, &genesis, 2, 1);
    let long = grow(&mut tree, &genesis, 3, 2);
    assert_eq!(tree.best_header(), long[2]);
    assert_eq!(tree.best_block(), genesis);
    tree.set_body(&short[1]);
    assert_eq!(tree.best_block(), genesis);
    tree.set_body(&short[0]);
    assert_eq!(tree.best_block(), short[1]);
    // Equal work does not move the tip, more work does.
    tree.set_body(&long[0]);
    tree.set_body(&long[1]);
    assert_eq!(tree.best_block(), short[1]);
    tree.set_body(&long[2]);
    assert_eq!(tree.best_block(), long[2]);
}

#[test]
fn among_equals_the_first_complete_is_followed_whatever_was_announced_first() {
    let mut tree = regtest();
    let genesis = tree.best_header();
    let announced_first = grow(&mut tree, &genesis, 2, 1);
    let complete_first = grow(&mut tree, &genesis, 2, 2);
    let longer = grow(&mut tree, &genesis, 3, 3);
    let bodies = [&complete_first[..], &announced_first, &longer].concat();
    bodies.iter().for_each(|id| tree.set_body(id));
    tree.set_invalid(&longer[0]);
    assert_eq!(tree.best_block(), complete_first[1]);
}

#[test]
fn invalid_branches_are_left_and_can_be_reconsidered() {
    let mut tree = regtest();
    let genesis = tree.best_header();
    let short = grow(&mut tree, &genesis, 2, 1);
    let long = grow(&mut tree, &genesis, 4, 2);
    for id in short.iter().chain(&long) {
        tree.set_body(id);
    }
    tree.set_invalid(&long[1]);
    assert_eq!(
        (tree.best_block(), tree.best_header()),
        (short[1], short[1])
    );
    assert!(tree.is_invalid(&long[3]) && !tree.is_invalid(&long[0]));
    let child = after(&tree, &long[3], 60, 9);
    assert_eq!(
        tree.insert(child, NOW),
        Err(InsertError::InvalidBranch(long[3]))
    );
    let known = *tree.header(&long[2]).unwrap();
    assert_eq!(
        tree.insert(known, NOW),
        Err(InsertError::InvalidBranch(long[2]))
    );
    tree.reconsider(&long[3]);
    assert_eq!(tree.best_block(), long[3]);
    tree.set_invalid(&genesis);
    assert!(!tree.is_invalid(&genesis));
}

#[test]
fn a_route_undoes_one_branch_and_connects_the_other() {
    let mut tree = regtest();
    let genesis = tree.best_header();
    let trunk = grow(&mut tree, &genesis, 3, 0);
    let left = grow(&mut tree, &trunk[2], 2, 1);
    let right = grow(&mut tree, &trunk[2], 3, 2);
    let route = tree.route(&left[1], &right[2]).unwrap();
    assert_eq!(route.disconnect, [left[1], left[0]]);
    assert_eq!(route.connect, right);
    assert_eq!(tree.route(&right[0], &right[0]), Some(Route::default()));
    let up = tree.route(&genesis, &trunk[2]).unwrap();
    assert_eq!((up.disconnect.len(), up.connect), (0, trunk));
}

#[test]
fn a_locator_is_dense_at_the_tip_and_ends_with_the_first_block() {
    let mut tree = regtest();
    let genesis = tree.best_header();
    let ids = grow(&mut tree, &genesis, 500, 0);
    let locator = tree.locator(&ids[499]);
    let heights: Vec<u32> = locator.iter().map(|id| tree.height(id).unwrap()).collect();
    assert_eq!(
        heights[..11],
        [500, 499, 498, 497, 496, 495, 494, 493, 492, 491, 489]
    );
    assert_eq!(heights.last(), Some(&0));
    assert!(heights.len() < 21);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn ancestors_routes_and_tips_agree_with_plain_walking(
        parents in proptest::collection::vec(any::<usize>(), 1..150), order: u64
    ) {
        let mut tree = regtest();
        let mut ids = vec![tree.best_header()];
        for (at, parent) in (1..).zip(&parents) {
            // Mostly long branches: half the time the newest is extended.
            let parent = if parent % 2 == 0 { ids.len() - 1 } else { parent % ids.len() };
            let header = after(&tree, &ids[parent], 60, at);
            ids.push(tree.insert(header, NOW).unwrap());
        }
        let walk = |from: &BlockHash| {
            let up = |id: &BlockHash| tree.header(id).map(|header| header.previous);
            let mut branch: Vec<BlockHash> = std::iter::successors(Some(*from), up)
                .filter(|id| tree.contains(id))
                .collect();
            branch.reverse();
            branch
        };
        let branches: Vec<Vec<BlockHash>> = ids.iter().map(walk).collect();
        for (id, branch) in ids.iter().zip(&branches) {
            for (height, ancestor) in (0..).zip(branch) {
                prop_assert_eq!(tree.ancestor(id, height), Some(*ancestor));
            }
            prop_assert_eq!(tree.ancestor(id, tree.height(id).unwrap() + 1), None);
        }
        let (a, b) = (&branches[branches.len() - 1], &branches[branches.len() / 2]);
        let common = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let route = tree.route(a.last().unwrap(), b.last().unwrap()).unwrap();
        let undone: Vec<BlockHash> = a[common..].iter().rev().copied().collect();
        prop_assert_eq!(route.disconnect, undone);
        prop_assert_eq!(&route.connect[..], &b[common..]);

        // Bodies arrive in any order; in the end the deepest block is followed.
        let mut left = ids.clone();
        let mut seed = order;
        while !left.is_empty() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = usize::try_from(seed >> 33).unwrap() % left.len();
            let id = left.swap_remove(at);
            tree.set_body(&id);
        }
        let deepest = ids.iter().map(|id| tree.work(id).unwrap()).max();
        prop_assert_eq!(tree.work(&tree.best_block()), deepest);
        prop_assert_eq!(tree.work(&tree.best_header()), deepest);
    }
}
