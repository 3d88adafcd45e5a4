//! One test per rule, and a random chain in which no coin is created or lost.

use proptest::prelude::*;

use super::*;
use crate::mining::{assemble, coinbase};
use crate::params::{Network, Params};
use crate::script::opcode::{OP_1, OP_CHECKMULTISIG, OP_RETURN};
use crate::subsidy::{issued, subsidy};
use crate::{Block, BlockHash, CompactTarget, Link, Transaction, TxIn, Txid, Witness};

const HEIGHT: u32 = 1000;

fn context(height: u32) -> BlockContext<'static> {
    BlockContext {
        height,
        median_time_past: height * 60,
        median_time_at: &|height| height * 60,
    }
}

fn point(seed: u8) -> OutPoint {
    OutPoint {
        txid: Txid::from_bytes([seed; 32]),
        index: 0,
    }
}

fn coin(units: u64) -> Coin {
    Coin {
        value: Gio::from_units(units),
        script_pubkey: Script::new([OP_1]),
        link: None,
        height: 10,
        is_coinbase: false,
    }
}

fn pay(units: u64) -> TxOut {
    TxOut {
        value: Gio::from_units(units),
        script_pubkey: Script::new([OP_1]),
        link: Link::NONE,
    }
}

fn spend(points: &[OutPoint], outputs: Vec<TxOut>) -> Transaction {
    let inputs = points.iter().map(|previous| TxIn {
        previous: *previous,
        script_sig: Script::default(),
        sequence: 0,
        witness: Witness::new(),
    });
    Transaction {
        version: 2,
        inputs: inputs.collect(),
        outputs,
        lock_time: 0,
    }
}

fn block(height: u32, reward: u64, others: Vec<Transaction>) -> Block {
    let first = coinbase(height, b"tests", vec![pay(reward)]);
    assemble(BlockHash::default(), 0, CompactTarget(0), first, others).unwrap()
}

fn set(coins: &[(u8, Coin)]) -> UtxoSet {
    let mut set = UtxoSet::new();
    let created = coins
        .iter()
        .map(|(seed, coin)| (point(*seed), coin.clone()));
    let created = created.collect();
    let removed = Vec::new();
    set.apply(CoinChanges { created, removed }).unwrap();
    set
}

/// What connecting a block with these transactions over these coins breaks.
fn refused(coins: &[(u8, Coin)], others: Vec<Transaction>) -> ConnectError {
    connect_block(&block(HEIGHT, 0, others), &context(HEIGHT), &set(coins)).unwrap_err()
}

fn refused_spend(coins: &[(u8, Coin)], others: Vec<Transaction>) -> SpendError {
    match refused(coins, others) {
        ConnectError::Spend { source, .. } => source,
        other => panic!("{other}"),
    }
}

#[test]
fn coins_are_spent_once_and_only_if_they_are_there() {
    let missing = SpendError::MissingCoin {
        input: 0,
        point: point(1),
    };
    let once = || spend(&[point(1)], vec![pay(1)]);
    assert_eq!(refused_spend(&[(2, coin(5))], vec![once()]), missing);
    let again = spend(&[point(1)], vec![pay(2)]);
    assert_eq!(refused_spend(&[(1, coin(5))], vec![once(), again]), missing);
}

#[test]
fn a_block_may_spend_what_it_makes_but_only_in_order() {
    let first = spend(&[point(1)], vec![pay(5)]);
    let made = OutPoint {
        txid: first.txid(),
        index: 0,
    };
    let second = spend(&[made], vec![pay(4)]);
    let coins = set(&[(1, coin(5))]);
    let good = block(HEIGHT, 1, vec![first.clone(), second.clone()]);
    let connected = connect_block(&good, &context(HEIGHT), &coins).unwrap();
    assert_eq!(connected.fees, Gio::from_units(1));
    assert_eq!(connected.undo.coins, [coin(5)]);
    assert_eq!(connected.changes.removed, [point(1)]);
    assert_eq!(connected.changes.created.len(), 2);
    let error = refused_spend(&[(1, coin(5))], vec![second, first]);
    assert!(matches!(error, SpendError::MissingCoin { .. }));
}

#[test]
fn n7_coinbases_mature_after_100_blocks() {
    let young = |height| Coin {
        height,
        is_coinbase: true,
        ..coin(5)
    };
    let spending = || vec![spend(&[point(1)], vec![pay(5)])];
    let error = refused_spend(&[(1, young(HEIGHT - 99))], spending());
    let made = HEIGHT - 99;
    assert_eq!(error, SpendError::ImmatureCoin { input: 0, made });
    let coins = set(&[(1, young(HEIGHT - 100))]);
    assert!(connect_block(&block(HEIGHT, 0, spending()), &context(HEIGHT), &coins).is_ok());
}

#[test]
fn nothing_pays_more_than_it_takes() {
    let error = refused_spend(&[(1, coin(5))], vec![spend(&[point(1)], vec![pay(6)])]);
    let (paid, taken) = (Gio::from_units(6), Gio::from_units(5));
    assert_eq!(error, SpendError::PaysMoreThanItTakes { paid, taken });
    let all = 199_999_999_985_000_000;
    let two = spend(&[point(1), point(2)], vec![pay(6)]);
    let error = refused_spend(&[(1, coin(all)), (2, coin(1))], vec![two]);
    assert_eq!(error, SpendError::TakenTooLarge);
}

#[test]
fn cn_04_the_coinbase_takes_at_most_subsidy_and_fees() {
    let coins = set(&[(1, coin(50))]);
    let reward = subsidy(HEIGHT).units();
    let paying = || vec![spend(&[point(1)], vec![pay(20)])];
    let good = block(HEIGHT, reward + 30, paying());
    assert!(connect_block(&good, &context(HEIGHT), &coins).is_ok());
    let greedy = block(HEIGHT, reward + 31, paying());
    let error = connect_block(&greedy, &context(HEIGHT), &coins).unwrap_err();
    let (paid, allowed) = (reward + 31, reward + 30);
    let (paid, allowed) = (Gio::from_units(paid), Gio::from_units(allowed));
    assert_eq!(error, ConnectError::CoinbasePaysTooMuch { paid, allowed });
}

#[test]
fn relative_locks_wait() {
    let mut locked = spend(&[point(1)], vec![pay(5)]);
    locked.inputs[0].sequence = HEIGHT - 10 + 1;
    let coins = [(1, coin(5))];
    assert_eq!(
        refused_spend(&coins, vec![locked.clone()]),
        SpendError::RelativeLock
    );
    locked.inputs[0].sequence = HEIGHT - 10;
    let good = block(HEIGHT, 0, vec![locked.clone()]);
    assert!(connect_block(&good, &context(HEIGHT), &set(&coins)).is_ok());
    // The coin's clock is the median time before its block, 9 minutes: at this height one
    // minute more or less is another unit of 512 seconds.
    let height = 1008;
    locked.inputs[0].sequence = 1 << 22 | ((height * 60 - 9 * 60) / 512);
    let connect = |locked: &Transaction| {
        let block = block(height, 0, vec![locked.clone()]);
        connect_block(&block, &context(height), &set(&coins)).map(drop)
    };
    assert_eq!(connect(&locked), Ok(()));
    locked.inputs[0].sequence += 1;
    let source = SpendError::RelativeLock;
    let transaction = 1;
    assert_eq!(
        connect(&locked),
        Err(ConnectError::Spend {
            transaction,
            source
        })
    );
}

#[test]
fn r28_a_transaction_runs_at_most_2500_signature_checks() {
    let spending = |inputs: u8, more: u8| {
        let mut script = vec![OP_CHECKMULTISIG; 25];
        script.push(OP_1);
        let wide = Coin {
            script_pubkey: Script::new(script),
            ..coin(5)
        };
        let mut coins: Vec<(u8, Coin)> = (0..inputs).map(|seed| (seed, wide.clone())).collect();
        let one_more = Coin {
            script_pubkey: Script::new([0xac]),
            ..coin(5)
        };
        coins.extend((0..more).map(|seed| (200 + seed, one_more.clone())));
        let points: Vec<OutPoint> = coins.iter().map(|(seed, _)| point(*seed)).collect();
        (coins, vec![spend(&points, vec![pay(5)])])
    };
    let (coins, others) = spending(5, 0);
    let good = block(HEIGHT, 0, others);
    assert!(connect_block(&good, &context(HEIGHT), &set(&coins)).is_ok());
    let (coins, others) = spending(5, 1);
    assert_eq!(
        refused_spend(&coins, others),
        SpendError::TooManySigops(2501)
    );
}

#[test]
fn signature_checks_of_witnesses_count_for_the_block() {
    let script = Script::new(vec![0xac; 9000]);
    let program = Script::pay_to_witness_script_hash(&script);
    let coins: Vec<(u8, Coin)> = (0..5)
        .map(|seed| {
            (
                seed,
                Coin {
                    script_pubkey: program.clone(),
                    ..coin(5)
                },
            )
        })
        .collect();
    let others = (0..5).map(|seed| {
        let mut spending = spend(&[point(seed)], vec![pay(5)]);
        spending.inputs[0].witness = vec![script.as_bytes().to_vec()];
        spending
    });
    let error = refused(&coins, others.collect());
    assert_eq!(error, ConnectError::TooManySigops(45_000));
}

#[test]
fn r27_all_four_outputs_of_the_first_block_become_coins_that_mature() {
    let genesis = Params::of(Network::Regtest).genesis;
    let mut set = UtxoSet::new();
    set.apply(connect_genesis(&genesis)).unwrap();
    assert_eq!((set.len(), set.total()), (4, issued(0)));
    let (_, first) = set.iter().next().unwrap();
    assert!(!first.is_mature_at(99) && first.is_mature_at(100));
    assert_eq!(first.link, genesis.transactions[0].outputs[0].link.hash());
}

#[test]
fn a_list_of_changes_is_applied_whole_or_not_at_all() {
    let mut set = set(&[(1, coin(5))]);
    let before = set.clone();
    let wrong = CoinChanges {
        created: vec![(point(1), coin(6))],
        removed: vec![],
    };
    assert_eq!(set.apply(wrong), Err(ApplyError::Exists(point(1))));
    let wrong = CoinChanges {
        created: vec![(point(3), coin(6))],
        removed: vec![point(1), point(2)],
    };
    assert_eq!(set.apply(wrong), Err(ApplyError::Missing(point(2))));
    assert_eq!(set, before);
}

#[test]
fn undo_records_of_another_block_are_refused() {
    let good = block(HEIGHT, 0, vec![spend(&[point(1)], vec![pay(5)])]);
    let error = disconnect_block(&good, BlockUndo::default()).unwrap_err();
    assert_eq!(error, UndoError::CoinCount { spent: 1, kept: 0 });
}

/// Random transactions over what there is: some spend what the block itself made, some burn.
fn random_block(set: &UtxoSet, height: u32, choices: &[u8]) -> Block {
    let mature = |(point, coin): (&OutPoint, &Coin)| {
        let usable = coin.is_mature_at(height) && !coin.script_pubkey.is_unspendable();
        usable.then(|| (*point, coin.value.units()))
    };
    let mut available: Vec<(OutPoint, u64)> = set.iter().filter_map(mature).collect();
    let mut others = Vec::new();
    let mut fees = 0;
    for choice in choices {
        if available.is_empty() {
            break;
        }
        let (spent, value) = available.swap_remove(usize::from(*choice) % available.len());
        let fee = value.min(u64::from(choice % 5));
        let half = (value - fee) / 2;
        let mut outputs = vec![pay(half), pay(value - fee - half)];
        if choice % 7 == 0 {
            outputs[1].script_pubkey = Script::new([OP_RETURN]);
        }
        if choice % 3 == 0 {
            outputs[0].link = Link::new(vec![*choice; 5]).unwrap();
        }
        fees += fee;
        let transaction = spend(&[spent], outputs);
        let txid = transaction.txid();
        available.push((OutPoint { txid, index: 0 }, half));
        others.push(transaction);
    }
    block(height, subsidy(height).units() + fees, others)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_coin_is_created_or_lost_and_undoing_restores_every_set(
        choices in proptest::collection::vec(any::<[u8; 6]>(), 130..160)
    ) {
        let mut set = UtxoSet::new();
        set.apply(connect_genesis(&Params::of(Network::Regtest).genesis)).unwrap();
        let mut burned = 0;
        let mut connected = Vec::new();
        for (height, choices) in (1..).zip(&choices) {
            let block = random_block(&set, height, choices);
            burned += block.transactions.iter().flat_map(|each| &each.outputs)
                .filter(|output| output.script_pubkey.is_unspendable())
                .map(|output| output.value.units())
                .sum::<u64>();
            let digest = set.digest();
            let result = connect_block(&block, &context(height), &set).unwrap();
            set.apply(result.changes).unwrap();
            prop_assert_eq!(set.total().units(), issued(height).units() - burned);
            let undo = BlockUndo::decode(&result.undo.encode()).unwrap();
            prop_assert_eq!(&undo, &result.undo);
            connected.push((block, undo, digest));
        }
        while let Some((block, undo, digest)) = connected.pop() {
            set.apply(disconnect_block(&block, undo).unwrap()).unwrap();
            prop_assert_eq!(set.digest(), digest);
        }
    }

    #[test]
    fn coins_round_trip(
        units: u64, height: u32, is_coinbase: bool, link: Option<[u8; 32]>, script: Vec<u8>
    ) {
        let coin = Coin {
            value: Gio::from_units(units),
            script_pubkey: Script::new(script),
            link: link.map(LinkHash::from_bytes),
            height,
            is_coinbase,
        };
        prop_assert_eq!(Coin::decode(&coin.encode()), Ok(coin));
    }

    #[test]
    fn stored_garbage_is_refused_or_canonical(bytes in proptest::collection::vec(0u8..20, 0..80)) {
        if let Ok(coin) = Coin::decode(&bytes) {
            prop_assert_eq!(coin.encode(), bytes.clone());
        }
        if let Ok(undo) = BlockUndo::decode(&bytes) {
            prop_assert_eq!(undo.encode(), bytes);
        }
    }
}
