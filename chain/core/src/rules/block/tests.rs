//! One test per rule, each from a block that is valid but for that rule.

use super::*;
use crate::mining::{assemble, coinbase};
use crate::script::opcode::{OP_CHECKMULTISIG, OP_CHECKSIG, OP_RETURN};
use crate::{BlockHash, CompactTarget, OutPoint, TxIn, Txid, Witness};

const HEIGHT: u32 = 500;
const MEDIAN: u32 = 1_800_000_000;

fn paid(script_pubkey: Script) -> TxOut {
    TxOut {
        value: Gio::from_units(1000),
        script_pubkey,
        link: Link::NONE,
    }
}

fn spend(seed: u8, witness: Witness, script_pubkey: Script) -> Transaction {
    Transaction {
        version: 2,
        inputs: vec![TxIn {
            previous: OutPoint {
                txid: Txid::from_bytes([seed; 32]),
                index: 0,
            },
            script_sig: Script::default(),
            sequence: 0,
            witness,
        }],
        outputs: vec![paid(script_pubkey)],
        lock_time: 0,
    }
}

fn plain(seed: u8) -> Transaction {
    spend(
        seed,
        Witness::new(),
        Script::pay_to_pubkey_hash(&[seed; 20]),
    )
}

fn with(others: Vec<Transaction>) -> Block {
    let first = coinbase(HEIGHT, b"test", vec![paid(Script::new([0x51]))]);
    block_of(first, others)
}

fn block_of(first: Transaction, others: Vec<Transaction>) -> Block {
    assemble(
        BlockHash::default(),
        MEDIAN,
        CompactTarget(0),
        first,
        others,
    )
    .unwrap()
}

fn recommit(mut block: Block) -> Block {
    let leaves = block.transactions.iter().map(|each| each.txid().to_leaf());
    block.header.merkle_root = merkle_root(leaves).unwrap();
    block
}

/// A block of exactly this many bytes.
fn sized(bytes: usize) -> Block {
    let mut others = vec![plain(1), plain(2), plain(3)];
    let missing = bytes - with(others.clone()).encoded_len();
    // Each script of these sizes needs two or four more bytes for its length.
    let parts = [900_000, 900_000, missing - 1_800_000 - 3 * 4];
    for (other, part) in others.iter_mut().zip(parts) {
        let mut script = vec![OP_RETURN; 25];
        script.resize(25 + part, 0);
        other.outputs[0].script_pubkey = Script::new(script);
    }
    with(others)
}

#[test]
fn a_good_block_is_good() {
    let blocks = [
        with(vec![]),
        with(vec![plain(1), plain(2)]),
        with(vec![
            plain(1),
            spend(2, vec![vec![7; 70]], Script::new([0x51])),
        ]),
    ];
    for block in blocks {
        assert_eq!(check_block(&block), Ok(()));
        assert_eq!(check_block_at(&block, HEIGHT, MEDIAN), Ok(()));
        assert_eq!(Block::decode(&block.encode()), Ok(block));
    }
}

#[test]
fn cn_07_the_size_limit_is_exact() {
    let block = sized(MAX_BLOCK_BYTES);
    assert_eq!(block.encoded_len(), MAX_BLOCK_BYTES);
    assert_eq!(check_block(&block), Ok(()));
    assert!(Block::decode(&block.encode()).is_ok());
    let block = sized(MAX_BLOCK_BYTES + 1);
    assert_eq!(
        check_block(&block),
        Err(BlockError::TooLarge(MAX_BLOCK_BYTES + 1))
    );
    assert!(Block::decode(&block.encode()).is_err());
}

#[test]
fn r28_witnesses_and_links_count_in_full() {
    let mut block = sized(MAX_BLOCK_BYTES - 100);
    block.transactions[1].outputs[0].link = Link::new([b'x'; 200]).unwrap();
    let error = check_block(&recommit(block)).unwrap_err();
    assert_eq!(error, BlockError::TooLarge(MAX_BLOCK_BYTES + 103));
}

#[test]
fn the_header_commits_to_the_transactions() {
    let mut block = with(vec![plain(1), plain(2)]);
    block.transactions[2].lock_time = 1;
    let error = check_block(&block).unwrap_err();
    assert!(matches!(error, BlockError::WrongMerkleRoot { .. }) && error.may_be_mutation());
    let mut block = with(vec![plain(1), plain(2)]);
    block.transactions.push(block.transactions[2].clone());
    assert_eq!(check_block(&block), Err(BlockError::MutatedTransactions));
    block.transactions.clear();
    assert_eq!(check_block(&block), Err(BlockError::Empty));
}

#[test]
fn the_coinbase_commits_to_the_witnesses() {
    let good = with(vec![spend(2, vec![vec![7; 70]], Script::new([0x51]))]);
    let mut other_witness = good.clone();
    other_witness.transactions[1].inputs[0].witness[0][0] ^= 1;
    let error = check_block(&other_witness).unwrap_err();
    assert_eq!(error, BlockError::WrongWitnessCommitment);
    let mut no_reserve = good.clone();
    no_reserve.transactions[0].inputs[0].witness.clear();
    let error = check_block(&no_reserve).unwrap_err();
    assert_eq!(error, BlockError::WitnessReserveMissing);
    let mut unexpected = with(vec![plain(1), plain(2)]);
    unexpected.transactions[2].inputs[0].witness = vec![vec![]];
    let error = check_block(&unexpected).unwrap_err();
    assert_eq!(error, BlockError::UnexpectedWitness { transaction: 2 });
    assert!(error.may_be_mutation());
}

#[test]
fn there_is_exactly_one_coinbase_and_it_is_first() {
    let mut block = with(vec![plain(1), plain(2)]);
    block.transactions.remove(0);
    assert_eq!(check_block(&recommit(block)), Err(BlockError::NoCoinbase));
    let second = coinbase(HEIGHT, b"two", vec![paid(Script::default())]);
    let error = check_block(&with(vec![plain(1), second])).unwrap_err();
    assert_eq!(error, BlockError::SecondCoinbase { transaction: 2 });
    assert!(!error.may_be_mutation());
}

#[test]
fn r28_no_transaction_has_64_bytes_links_included() {
    let base = spend(1, Witness::new(), Script::default());
    assert_eq!(base.txid_preimage_len(), 60);
    let mut by_script = base.clone();
    by_script.outputs[0].script_pubkey = Script::new([0x51; 4]);
    // A link section adds the marker, the flag, the length and the bytes.
    let mut by_link = base;
    by_link.outputs[0].link = Link::new(*b"x").unwrap();
    for sixty_four in [by_script, by_link] {
        assert_eq!(sixty_four.txid_preimage_len(), 64);
        let error = check_block(&with(vec![sixty_four])).unwrap_err();
        let source = TransactionError::SixtyFourBytes;
        assert_eq!(
            error,
            BlockError::Transaction {
                transaction: 1,
                source
            }
        );
    }
}

#[test]
fn the_limit_of_signature_checks_is_exact_and_has_no_discount() {
    let checks = |count: usize, multi: usize| {
        let mut script = vec![OP_CHECKSIG; count];
        script.extend(vec![OP_CHECKMULTISIG; multi]);
        with(vec![spend(1, Witness::new(), Script::new(script))])
    };
    assert_eq!(check_block(&checks(20_000, 1000)), Ok(()));
    let error = check_block(&checks(20_001, 1000)).unwrap_err();
    assert_eq!(error, BlockError::TooManySigops(40_001));
}

#[test]
fn a_broken_transaction_is_named_with_its_rule() {
    let refused = |change: &dyn Fn(&mut Transaction)| {
        let mut transaction = plain(9);
        change(&mut transaction);
        match check_block(&with(vec![plain(1), transaction])) {
            Err(BlockError::Transaction {
                transaction: 2,
                source,
            }) => source,
            other => panic!("{other:?}"),
        }
    };
    let too_much = |tx: &mut Transaction| {
        tx.outputs[0].value = Gio::from_units(199_999_999_985_000_001);
    };
    assert_eq!(
        refused(&too_much),
        TransactionError::ValueTooLarge { output: 0 }
    );
    let twice_too_much = |tx: &mut Transaction| {
        tx.outputs[0].value = Gio::from_units(199_999_999_985_000_000);
        tx.outputs.push(paid(Script::default()));
    };
    assert_eq!(refused(&twice_too_much), TransactionError::TotalTooLarge);
    let nothing = |tx: &mut Transaction| tx.outputs.clear();
    assert_eq!(refused(&nothing), TransactionError::NoOutputs);
    let twice = |tx: &mut Transaction| tx.inputs.push(tx.inputs[0].clone());
    let point = plain(9).inputs[0].previous;
    assert_eq!(refused(&twice), TransactionError::DuplicateInput(point));
    let null = |tx: &mut Transaction| {
        let mut input = tx.inputs[0].clone();
        input.previous = OutPoint::NULL;
        tx.inputs.push(input);
    };
    assert_eq!(refused(&null), TransactionError::NullInput { input: 1 });
    let large = |tx: &mut Transaction| {
        tx.outputs[0].script_pubkey = Script::new(vec![0; 1_000_000]);
    };
    assert_eq!(refused(&large), TransactionError::TooLarge(1_000_064));
}

#[test]
fn coinbase_scripts_have_2_to_100_bytes() {
    let mut first = coinbase(HEIGHT, b"", vec![paid(Script::new([0x51]))]);
    let mut with_length = |length: usize| {
        first.inputs[0].script_sig = Script::new(vec![0; length]);
        check_block(&block_of(first.clone(), vec![]))
    };
    for (length, good) in [(1, false), (2, true), (100, true), (101, false)] {
        assert_eq!(with_length(length).is_ok(), good, "{length}");
    }
}

#[test]
fn r28_the_coinbase_is_locked_to_the_height_before() {
    let change = |change: &dyn Fn(&mut Transaction)| {
        let mut first = coinbase(HEIGHT, b"test", vec![paid(Script::new([0x51]))]);
        change(&mut first);
        check_block_at(&block_of(first, vec![]), HEIGHT, MEDIAN)
    };
    assert_eq!(change(&|_| ()), Ok(()));
    let late = change(&|tx| tx.lock_time = HEIGHT);
    assert_eq!(late, Err(BlockError::NotFinal { transaction: 0 }));
    let early = BlockError::CoinbaseLockTime {
        required: HEIGHT - 1,
        found: HEIGHT - 2,
    };
    assert_eq!(change(&|tx| tx.lock_time = HEIGHT - 2), Err(early));
    let sequence = change(&|tx| tx.inputs[0].sequence = u32::MAX);
    assert_eq!(sequence, Err(BlockError::CoinbaseSequence));
    let height = change(&|tx| tx.inputs[0].script_sig = Script::new([2, 0xf5, 1]));
    assert_eq!(height, Err(BlockError::CoinbaseHeight(HEIGHT)));
}

#[test]
fn locked_transactions_wait() {
    let mut locked = plain(3);
    locked.lock_time = HEIGHT;
    let block = with(vec![locked]);
    assert_eq!(check_block(&block), Ok(()));
    let error = check_block_at(&block, HEIGHT, MEDIAN).unwrap_err();
    assert_eq!(error, BlockError::NotFinal { transaction: 1 });
}

#[test]
fn small_heights_have_their_short_form() {
    for height in [1, 16, 17, 127, 128, 65_535, 8_388_608] {
        let first = coinbase(
            height,
            b"",
            vec![paid(Script::pay_to_pubkey_hash(&[7; 20]))],
        );
        let block = block_of(first, vec![]);
        assert_eq!(check_block(&block), Ok(()), "{height}");
        assert_eq!(check_block_at(&block, height, MEDIAN), Ok(()), "{height}");
    }
}
