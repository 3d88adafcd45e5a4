//! Branches come and go; coins are exactly those of the branch that is followed.

use gio_chain::{AddBlockError, ChainEvent, InvalidBlock};
use gio_coin::{Block, BlockError, ConnectError, Script};

use crate::forge::{Forge, NOW, halve};

#[test]
fn n13_reorganisations_up_to_depth_200_restore_every_coin() {
    let mut forge = Forge::new();
    let (_folder, mut chain) = forge.chain();
    let base = forge.grow(forge.genesis(), 102);
    for block in &base {
        chain.add_block(block, NOW).unwrap();
    }
    for depth in (1..=12).chain([50, 100, 199, 200]) {
        let fork = chain.tip();
        let mut old = vec![];
        let mut parent = fork;
        for at in 0..depth {
            // The first block of a branch spends, so that undoing has something to restore.
            let (point, units) = Forge::reward_of(&base[0]);
            let spend = at == 0 && chain.coin(point).unwrap().is_some();
            let others = if spend {
                vec![halve(point, units)]
            } else {
                vec![]
            };
            let block = forge.block(parent, others);
            parent = block.id();
            old.push(block);
        }
        let new = forge.grow(fork, depth + 1);
        for block in &old {
            chain.add_block(block, NOW).unwrap();
        }
        forge.assert_at(&chain, old[old.len() - 1].id());
        for block in &new[..new.len() - 1] {
            assert!(chain.add_block(block, NOW).unwrap().events.is_empty());
        }
        let added = chain.add_block(&new[new.len() - 1], NOW).unwrap();
        let moves = usize::try_from(2 * depth + 1).unwrap();
        assert_eq!(added.events.len(), moves);
        assert!(matches!(added.events[0], ChainEvent::Disconnected { .. }));
        forge.assert_at(&chain, new[new.len() - 1].id());
    }
}

#[test]
fn blocks_may_arrive_in_any_order() {
    let mut forge = Forge::new();
    let (_folder, mut chain) = forge.chain();
    let blocks = forge.grow(forge.genesis(), 20);
    let headers: Vec<_> = blocks.iter().map(|block| block.header).collect();
    chain.add_headers(&headers, NOW).unwrap();
    for block in blocks[1..].iter().rev() {
        assert!(chain.add_block(block, NOW).unwrap().events.is_empty());
    }
    let added = chain.add_block(&blocks[0], NOW).unwrap();
    assert_eq!(added.events.len(), 20);
    forge.assert_at(&chain, blocks[19].id());
}

#[test]
fn a_branch_with_an_invalid_block_is_left_for_the_next_best() {
    let mut forge = Forge::new();
    let (folder, mut chain) = forge.chain();
    let good = forge.grow(forge.genesis(), 3);
    for block in &good {
        chain.add_block(block, NOW).unwrap();
    }
    let start = forge.grow(good[0].id(), 1).remove(0);
    let greedy = forge.block_paying(start.id(), 100_000_000_001, vec![]);
    let rest = forge.grow(greedy.id(), 2);
    chain.add_block(&start, NOW).unwrap();
    chain.add_block(&greedy, NOW).unwrap();
    let added = chain.add_block(&rest[0], NOW).unwrap();
    let (id, broken) = &added.invalid[0];
    assert_eq!(*id, greedy.id());
    let expected = matches!(
        broken,
        InvalidBlock::Coins(ConnectError::CoinbasePaysTooMuch { .. })
    );
    assert!(expected, "{broken:?}");
    forge.assert_at(&chain, good[2].id());
    let error = chain.add_block(&rest[1], NOW).unwrap_err();
    assert!(matches!(error, AddBlockError::Header(_)), "{error:?}");
    // It is still known after a restart.
    drop(chain);
    let chain = forge.open(folder.path());
    assert!(chain.headers().is_invalid(&greedy.id()));
    forge.assert_at(&chain, good[2].id());
}

#[test]
fn a_wrong_script_is_found_among_many() {
    let mut forge = Forge::new();
    let (_folder, mut chain) = forge.chain();
    let base = forge.grow(forge.genesis(), 150);
    for block in &base {
        chain.add_block(block, NOW).unwrap();
    }
    let mut spends: Vec<_> = base[..48]
        .iter()
        .map(Forge::reward_of)
        .map(|(point, units)| halve(point, units))
        .collect();
    spends[37].inputs[0].script_sig = Script::new([gio_coin::opcode::OP_RETURN]);
    let block = forge.block(chain.tip(), spends);
    let added = chain.add_block(&block, NOW).unwrap();
    let found = matches!(
        added.invalid[0].1,
        InvalidBlock::Script {
            transaction: 38,
            ..
        }
    );
    assert!(found, "{:?}", added.invalid);
    forge.assert_at(&chain, base[149].id());
}

#[test]
fn n10_a_damaged_body_does_not_condemn_its_header() {
    let mut forge = Forge::new();
    let (_folder, mut chain) = forge.chain();
    let block = forge.grow(forge.genesis(), 1).remove(0);
    let mut damaged: Block = block.clone();
    damaged.transactions.push(damaged.transactions[0].clone());
    let error = chain.add_block(&damaged, NOW).unwrap_err();
    let expected = matches!(error, AddBlockError::Block(BlockError::MutatedTransactions));
    assert!(expected, "{error:?}");
    chain.add_block(&block, NOW).unwrap();
    forge.assert_at(&chain, block.id());
}
