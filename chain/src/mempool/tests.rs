//! Admission, replacement, eviction and selection over anyone-can-spend coins.

use gio_coin::{Link, Script, TxIn, Witness, opcode};
use proptest::prelude::*;

use super::*;

const COIN: u64 = 1_000_000;

fn point(seed: u8) -> OutPoint {
    OutPoint {
        txid: Txid::from_bytes([seed; 32]),
        index: 0,
    }
}

fn spend(points: &[OutPoint], outputs: usize, left: u64) -> Transaction {
    let input = |previous: &OutPoint| TxIn {
        previous: *previous,
        script_sig: Script::default(),
        sequence: u32::MAX,
        witness: Witness::new(),
    };
    let output = TxOut {
        value: Gio::from_units(left / outputs as u64),
        script_pubkey: Script::pay_to_script_hash(&Script::new([opcode::OP_1])),
        link: Link::NONE,
    };
    Transaction {
        version: 2,
        inputs: points.iter().map(input).collect(),
        outputs: vec![output; outputs],
        lock_time: 0,
    }
}

/// Spends an output of a transaction made here.
fn child(parent: &Transaction, index: u32, outputs: usize, left: u64) -> Transaction {
    let txid = parent.txid();
    let mut child = spend(&[OutPoint { txid, index }], outputs, left);
    child.inputs[0].script_sig = Script::new([1, opcode::OP_1]);
    child
}

fn coins() -> BTreeMap<OutPoint, Coin> {
    let coin = Coin {
        value: Gio::from_units(COIN),
        script_pubkey: Script::new([opcode::OP_1]),
        link: None,
        height: 1,
        is_coinbase: false,
    };
    (0..100).map(|seed| (point(seed), coin.clone())).collect()
}

fn context() -> BlockContext<'static> {
    BlockContext {
        height: 500,
        median_time_past: 1_800_000_000,
        median_time_at: &|_| 0,
    }
}

fn admit(pool: &mut Mempool, transaction: &Transaction) -> Result<Vec<Txid>, AdmitError> {
    let next = NextBlock {
        context: context(),
        coins: &coins(),
    };
    pool.admit(transaction.clone(), &next)
}

fn room(bytes: usize) -> Room {
    let sigops = usize::MAX;
    Room { bytes, sigops }
}

fn pool() -> Mempool {
    Mempool::new(MempoolLimits::default())
}

fn assert_consistent(pool: &Mempool) {
    let coins = coins();
    let mut spent = BTreeSet::new();
    for (txid, entry) in pool.iter() {
        assert_eq!(*txid, entry.transaction.txid());
        for input in &entry.transaction.inputs {
            assert!(spent.insert(input.previous), "spent twice");
            assert_eq!(pool.spender(&input.previous), Some(txid));
            let found =
                coins.contains_key(&input.previous) || pool.output(&input.previous).is_some();
            assert!(found, "spends nothing");
        }
    }
    assert_eq!(pool.spent_by.len(), spent.len());
    let ranks = pool
        .entries
        .keys()
        .map(|txid| (pool.family_rate(txid), *txid));
    assert_eq!(pool.ranks, ranks.collect::<BTreeSet<_>>());
    let bytes: usize = pool.iter().map(|(_, entry)| entry.bytes).sum();
    assert_eq!(pool.bytes(), bytes);
    assert!(bytes <= pool.limits.bytes_max);
}

#[test]
fn what_is_valid_and_pays_waits() {
    let mut pool = pool();
    let parent = spend(&[point(1)], 2, COIN - 1000);
    let offspring = child(&parent, 0, 1, (COIN - 1000) / 2 - 1000);
    let missing = AdmitError::MissingCoin(offspring.inputs[0].previous);
    assert_eq!(admit(&mut pool, &offspring), Err(missing));
    assert_eq!(admit(&mut pool, &parent), Ok(vec![]));
    assert_eq!(admit(&mut pool, &parent), Err(AdmitError::Known));
    assert_eq!(admit(&mut pool, &offspring), Ok(vec![]));
    assert_consistent(&pool);
    assert_eq!(pool.remove(&parent.txid()).len(), 2);
    assert!(pool.is_empty() && pool.bytes() == 0);
}

#[test]
fn what_breaks_a_rule_is_refused_by_that_rule() {
    let mut pool = pool();
    let cheap = spend(&[point(1)], 1, COIN - 1);
    let error = admit(&mut pool, &cheap).unwrap_err();
    assert!(matches!(error, AdmitError::FeeTooLow { .. }), "{error}");
    let greedy = spend(&[point(1)], 1, COIN + 1);
    let error = admit(&mut pool, &greedy).unwrap_err();
    assert!(matches!(error, AdmitError::Spend(_)), "{error}");
    let mut locked = spend(&[point(1)], 1, COIN - 1000);
    locked.lock_time = 500;
    locked.inputs[0].sequence = 0;
    assert_eq!(admit(&mut pool, &locked), Err(AdmitError::NotFinal));
    let dust = spend(&[point(1)], 1, 100);
    let error = admit(&mut pool, &dust).unwrap_err();
    assert!(
        matches!(error, AdmitError::Policy(PolicyError::Dust { .. })),
        "{error}"
    );
    let mut binary = spend(&[point(1)], 1, COIN - 1000);
    binary.outputs[0].link = Link::new([0xff]).unwrap();
    let not_text = AdmitError::Policy(PolicyError::LinkNotText(0));
    assert_eq!(admit(&mut pool, &binary), Err(not_text));
    let mut script = spend(&[point(1)], 1, COIN - 1000);
    script.inputs[0].script_sig = Script::new([opcode::OP_1]);
    let error = admit(&mut pool, &script).unwrap_err();
    assert!(matches!(error, AdmitError::UnusualScript(_)), "{error}");
    script.inputs[0].script_sig = Script::new([opcode::OP_RETURN]);
    let error = admit(&mut pool, &script).unwrap_err();
    assert!(matches!(error, AdmitError::Script(_)), "{error}");
    let mut version = spend(&[point(1)], 1, COIN - 1000);
    version.version = 3;
    let error = admit(&mut pool, &version).unwrap_err();
    assert_eq!(error, AdmitError::Policy(PolicyError::Version(3)));
    assert!(pool.is_empty());
}

#[test]
fn n15_a_replacement_pays_for_all_it_removes() {
    let mut pool = pool();
    let old = spend(&[point(1)], 2, COIN - 1000);
    let offspring = child(&old, 0, 1, (COIN - 1000) / 2 - 5000);
    admit(&mut pool, &old).unwrap();
    admit(&mut pool, &offspring).unwrap();
    let mut same_rate = old.clone();
    same_rate.lock_time = 1;
    let error = admit(&mut pool, &same_rate).unwrap_err();
    assert_eq!(error, AdmitError::ReplacementRate(old.txid()));
    let relay = u64::try_from(spend(&[point(1)], 1, 1000).encoded_len()).unwrap();
    let too_little = spend(&[point(1)], 1, COIN - (6000 + relay - 1));
    let error = admit(&mut pool, &too_little).unwrap_err();
    assert!(
        matches!(error, AdmitError::ReplacementFee { .. }),
        "{error}"
    );
    let enough = spend(&[point(1)], 1, COIN - (6000 + relay));
    let gone: BTreeSet<Txid> = admit(&mut pool, &enough).unwrap().into_iter().collect();
    assert_eq!(gone, BTreeSet::from([old.txid(), offspring.txid()]));
    assert_consistent(&pool);
    assert_eq!(pool.len(), 1);
}

#[test]
fn a_replacement_cannot_stand_on_what_it_removes() {
    let mut pool = pool();
    let old = spend(&[point(1)], 1, COIN - 1000);
    admit(&mut pool, &old).unwrap();
    let mut both = child(&old, 0, 1, COIN);
    both.inputs.push(spend(&[point(1)], 1, 0).inputs.remove(0));
    both.inputs.push(spend(&[point(2)], 1, 0).inputs.remove(0));
    assert_eq!(
        admit(&mut pool, &both),
        Err(AdmitError::SpendsWhatItReplaces)
    );
}

#[test]
fn families_are_bounded() {
    let mut pool = pool();
    let mut last = spend(&[point(1)], 1, COIN - 1000);
    admit(&mut pool, &last).unwrap();
    for generation in 2..=25 {
        last = child(&last, 0, 1, COIN - generation * 1000);
        admit(&mut pool, &last).unwrap();
    }
    let one_more = child(&last, 0, 1, COIN - 26_000);
    assert_eq!(
        admit(&mut pool, &one_more),
        Err(AdmitError::FamilyTooLarge(26))
    );
}

#[test]
fn a_full_pool_keeps_the_best_and_asks_for_more() {
    let mut pool = pool();
    let one = spend(&[point(0)], 1, 500_000).encoded_len();
    pool.limits.bytes_max = 10 * one;
    for seed in 0..10 {
        let fee = 1000 * (u64::from(seed) + 1);
        admit(&mut pool, &spend(&[point(seed)], 1, COIN - fee)).unwrap();
    }
    let gone = admit(&mut pool, &spend(&[point(20)], 1, COIN - 5500)).unwrap();
    assert_eq!(gone, [spend(&[point(0)], 1, COIN - 1000).txid()]);
    let worse = spend(&[point(21)], 1, COIN - 1000);
    let error = admit(&mut pool, &worse).unwrap_err();
    assert!(matches!(error, AdmitError::FeeTooLow { .. }), "{error}");
    assert_consistent(&pool);
    for _ in 0..20 {
        pool.block_connected(&[]);
    }
    assert_eq!(pool.rate_min(), pool.limits.relay_rate_min);
}

#[test]
fn a_block_takes_what_it_has_and_what_it_contradicts() {
    let mut pool = pool();
    let mined = spend(&[point(1)], 1, COIN - 1000);
    let offspring = child(&mined, 0, 1, COIN - 2000);
    let contradicted = spend(&[point(2)], 1, COIN - 1000);
    let its_child = child(&contradicted, 0, 1, COIN - 2000);
    for transaction in [&mined, &offspring, &contradicted, &its_child] {
        admit(&mut pool, transaction).unwrap();
    }
    pool.block_connected(&[mined, spend(&[point(2)], 1, COIN - 3000)]);
    let left: Vec<&Txid> = pool.iter().map(|(txid, _)| txid).collect();
    assert_eq!(left, [&offspring.txid()]);
}

#[test]
fn undone_transactions_come_back_and_misfits_leave() {
    let mut pool = pool();
    let undone = spend(&[point(1)], 1, COIN - 1000);
    let waiting = child(&undone, 0, 1, COIN - 2000);
    admit(&mut pool, &undone).unwrap();
    admit(&mut pool, &waiting).unwrap();
    pool.block_connected(std::slice::from_ref(&undone));
    let orphan = spend(&[point(200)], 1, COIN - 1000);
    let back = vec![orphan.clone(), undone.clone()];
    let result = pool.rebuild(back, &context(), |_| Ok::<_, ()>(coins()));
    assert_eq!(result, Ok(()));
    assert!(pool.get(&undone.txid()).is_some() && pool.get(&waiting.txid()).is_some());
    assert!(pool.get(&orphan.txid()).is_none());
    assert_consistent(&pool);
}

#[test]
fn children_pay_for_their_parents_and_follow_them() {
    let mut pool = pool();
    let poor = spend(&[point(1)], 1, COIN - 1000);
    let rich_child = child(&poor, 0, 1, COIN - 100_000);
    let middle = spend(&[point(2)], 1, COIN - 10_000);
    for transaction in [&poor, &rich_child, &middle] {
        admit(&mut pool, transaction).unwrap();
    }
    let all = pool.select(room(1_000_000));
    assert_eq!(
        all.transactions,
        [poor.clone(), rich_child.clone(), middle.clone()]
    );
    assert_eq!(all.fees, Gio::from_units(110_000));
    let two = poor.encoded_len() + rich_child.encoded_len();
    assert_eq!(
        pool.select(room(two)).transactions,
        [poor.clone(), rich_child]
    );
    // Without room for both, the parent is worth only what it pays itself.
    assert_eq!(pool.select(room(two - 1)).transactions, [middle, poor]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn random_traffic_leaves_the_pool_consistent(
        steps in proptest::collection::vec(any::<[u8; 4]>(), 1..120)
    ) {
        let mut pool = pool();
        pool.limits.bytes_max = 3000;
        let mut known: Vec<Transaction> = Vec::new();
        for [kind, a, b, fee] in steps {
            let fee = 500 + u64::from(fee) * 100;
            let transaction = match known.get(usize::from(a) % known.len().max(1)) {
                Some(parent) if kind % 3 == 0 => {
                    let index = u32::from(b) % u32::try_from(parent.outputs.len()).unwrap();
                    let value = parent.outputs[0].value.units();
                    child(parent, index, 1, value.saturating_sub(fee))
                }
                _ => spend(&[point(a % 20)], 1 + usize::from(b % 3), COIN - fee),
            };
            if kind % 17 == 0 {
                pool.block_connected(std::slice::from_ref(&transaction));
            } else if admit(&mut pool, &transaction).is_ok() {
                known.push(transaction);
            }
            // Outputs of mined transactions are not among the coins here: leave them out.
            let orphans: Vec<Txid> = pool.iter()
                .filter(|(_, entry)| entry.transaction.inputs.iter().any(|input| {
                    pool.output(&input.previous).is_none() && !coins().contains_key(&input.previous)
                }))
                .map(|(txid, _)| *txid)
                .collect();
            orphans.iter().for_each(|txid| drop(pool.remove(txid)));
            assert_consistent(&pool);
            let selection = pool.select(room(2000));
            prop_assert!(selection.bytes <= 2000);
        }
    }
}
