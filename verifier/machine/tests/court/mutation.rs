//! No proof but one: whatever is changed in a proof, the verifier refuses it or opens another state.
//!
//! Every byte of random proofs on the mirror, a share of them on the contract; every field on the contract: `witness`.

use gio_machine::isa::Op;
use gio_machine::mirror::{self, Fault};
use gio_machine::state::{HALTED_BYTES, Halted, STATUS_EXHAUSTED};
use gio_machine::trees::push_slot;
use gio_protocol::{B256, keccak256};

use crate::differential;
use crate::evm::{Court, agreed, calldata};
use crate::rng::Rng;
use crate::scene::{SMALL, Scene};
use crate::values::scaled;

/// Of the changed bytes, one in so many also goes through the contract.
const CONTRACT_SHARE: u32 = 12;

#[test]
fn no_changed_byte_gives_the_same_step() {
    let mut court = Court::new();
    let mut rng = Rng::new(0x3117);
    let (mut tried, mut refused) = (0, 0);
    for nth in 0..scaled(u32::try_from(Op::ALL.len()).unwrap()) {
        let op = &Op::ALL[nth as usize % Op::ALL.len()];
        let mut scene = differential::random(*op, &mut rng);
        scene.prepare();
        let proof = scene.proof();
        let valid = mirror::step(&proof).unwrap();
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at] ^= 1 << rng.below(8);
            let found = if rng.one_in(CONTRACT_SHARE) {
                agreed(&mut court, &changed).0
            } else {
                mirror::step(&changed).map_err(|invalid| invalid.0)
            };
            tried += 1;
            match found {
                Err(_) => refused += 1,
                Ok(found) => {
                    assert_ne!(
                        found.before,
                        valid.before,
                        "{}: byte {at} is not checked",
                        op.name()
                    );
                }
            }
        }
    }
    println!("{tried} changed proofs, {refused} refused, the others of another state");
}

#[test]
fn a_proof_has_one_length() {
    let mut court = Court::new();
    let mut rng = Rng::new(0x1e9);
    for op in Op::ALL {
        let mut scene = differential::random(*op, &mut rng);
        scene.prepare();
        let proof = scene.proof();
        for by in [1, 8, 32] {
            let short = &proof[..proof.len() - by];
            assert!(
                agreed(&mut court, short).0.is_err(),
                "{} shorter by {by}",
                op.name()
            );
            let mut long = proof.clone();
            long.resize(proof.len() + by, 0);
            assert_eq!(
                agreed(&mut court, &long).0,
                Err(Fault::Length),
                "{}",
                op.name()
            );
        }
    }
    for length in [0, 1, 52, 54, 191, 192, 193, 224] {
        assert!(
            agreed(&mut court, &vec![0; length]).0.is_err(),
            "{length} zeros"
        );
    }
}

/// The ABI's own freedom: where in the calldata a proof lies, and what lies around it, is not part of it.
#[test]
fn what_lies_around_a_proof_changes_nothing() {
    let mut court = Court::new();
    let mut scene = Scene::new(Op::I32Add, SMALL).stack(&[1, 2]);
    scene.prepare();
    let proof = scene.proof();
    let plain = calldata(&proof);
    let answer = court.raw(plain.clone());
    assert!(answer.is_ok());
    let behind = [plain.as_slice(), &[7; 45]].concat();
    assert_eq!(court.raw(behind), answer);
    // The offset of the proof, 32 as a rule.
    let mut moved = plain[..4 + 32].to_vec();
    moved[4 + 31] = 96;
    moved.extend([7; 64]);
    moved.extend(&plain[4 + 32..]);
    assert_eq!(court.raw(moved), answer);
    let cut = plain[..4 + 64 + proof.len() - 1].to_vec();
    assert_eq!(
        court.raw(cut).unwrap_err().len(),
        0,
        "the ABI's own refusal"
    );
}

/// A proof of the state's step with something in it replaced.
fn tampered(scene: &Scene, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut scene = scene.clone();
    scene.prepare();
    let mut proof = scene.proof();
    change(&mut proof);
    proof
}

#[test]
fn siblings_cannot_be_swapped_nor_a_node_pass_for_a_leaf() {
    let mut court = Court::new();
    let scene = Scene::new(Op::I32Add, SMALL).stack(&[1, 2]);
    let swapped = tampered(&scene, |proof| {
        let (first, second) = proof[224..288].split_at_mut(32);
        first.swap_with_slice(second);
    });
    assert_eq!(agreed(&mut court, &swapped).0, Err(Fault::Code));
    // The parent of the leaf, with one sibling less, under the same root.
    let shallow = tampered(&scene, |proof| {
        let leaf: B256 = B256::from_slice(&proof[192..224]);
        let sibling = B256::from_slice(&proof[224..256]);
        let node = gio_machine::trees::parent(leaf, sibling);
        proof.splice(192..256, node.0);
    });
    assert!(agreed(&mut court, &shallow).0.is_err());
}

#[test]
fn code_of_another_program_is_refused() {
    let mut court = Court::new();
    let scene = Scene::new(Op::I32Add, SMALL).stack(&[1, 2]);
    let mut other = Scene::new(Op::I32Sub, SMALL).stack(&[1, 2]);
    other.prepare();
    let theirs = other.proof();
    let mixed = tampered(&scene, |proof| {
        proof[192..384].copy_from_slice(&theirs[192..384])
    });
    assert_eq!(agreed(&mut court, &mixed).0, Err(Fault::Code));
}

#[test]
fn slots_that_are_not_popped_are_zero() {
    let mut court = Court::new();
    for op in [Op::Const, Op::Drop, Op::I32Add] {
        let scene = Scene::new(op, SMALL);
        let first = 384 + 32 + 8 * usize::from(op.pops());
        for at in [first, first + 7, 384 + 55] {
            let filled = tampered(&scene, |proof| proof[at] = 1);
            assert_eq!(agreed(&mut court, &filled).0, Err(Fault::Slots));
        }
    }
}

#[test]
fn a_stack_cannot_show_more_than_it_holds_nor_a_frame_pass_for_slots() {
    let mut court = Court::new();
    // The same hash, but the state says it has one slot: the proof that shows two is of no step.
    let mut short = Scene::new(Op::I32Add, SMALL).stack(&[1, 2]);
    short.prepare();
    let honest = short.proof();
    let mut header = short.sealed().0;
    header.stack_len = 1;
    let longer = [header.encode().to_vec(), honest[192..].to_vec()].concat();
    assert_eq!(agreed(&mut court, &longer).0, Err(Fault::Length));
    // A chain of frames as the stack: its hash is of 128 tagged bytes, never of two words.
    let mut framed = Scene::new(Op::Drop, SMALL);
    framed.prepare();
    let (mut header, rest, _) = framed.sealed();
    header.stack_hash = rest.frames_hash;
    let (below, top) = framed.frames;
    let top = top.unwrap();
    let mut proof = [header.encode().to_vec(), framed.proof()[192..384].to_vec()].concat();
    proof.extend(below);
    proof.extend((u64::from(top.return_pc) << 32 | u64::from(top.slots)).to_be_bytes());
    proof.extend([0; 16]);
    assert_eq!(agreed(&mut court, &proof).0, Err(Fault::Stack));
    assert_ne!(
        push_slot(below, u64::from(top.return_pc) << 32),
        rest.frames_hash
    );
}

#[test]
fn a_store_proves_its_second_leaf_after_writing_the_first() {
    let mut court = Court::new();
    let mut scene = Scene::new(Op::I64Store, SMALL).stack(&[60, u64::MAX]);
    scene.prepare();
    let touched = scene.touched();
    let mut proof = scene.proof();
    let stale = scene.memory.proof(touched[1]);
    let at = proof.len() - stale.len();
    assert_ne!(
        proof[at..],
        stale[..],
        "the leaves are siblings, so the write shows in the path"
    );
    proof.truncate(at);
    proof.extend(stale);
    assert_eq!(agreed(&mut court, &proof).0, Err(Fault::Memory));
}

#[test]
fn padding_is_part_of_what_is_hashed() {
    let mut court = Court::new();
    let mut scene = Scene::new(Op::Exit, SMALL).stack(&[1]);
    scene.prepare();
    let extra = 192 + 32 + 32 * 5 + 56;
    // Zero bytes of `rest` and of `io`: anything else in them is another hash.
    for at in [
        extra + 128,
        extra + 139,
        extra + 153,
        extra + 159,
        extra + 256,
        extra + 279,
    ] {
        let mut proof = scene.proof();
        assert_eq!(proof[at], 0);
        proof[at] = 1;
        assert!(agreed(&mut court, &proof).0.is_err(), "byte {at}");
    }
}

#[test]
fn halted_states_stay_and_are_no_running_ones() {
    let mut court = Court::new();
    let halted = |status: u8| Halted {
        status,
        exit_code: 3,
        cu: 1000,
        output_root: keccak256("output"),
        output_length: 12,
    };
    for status in 0..=STATUS_EXHAUSTED {
        let checked = agreed(&mut court, &halted(status).encode()).0.unwrap();
        assert_eq!(
            (checked.before, checked.next),
            (halted(status).hash(), halted(status).hash())
        );
    }
    for status in STATUS_EXHAUSTED + 1..=u8::MAX {
        assert_eq!(
            agreed(&mut court, &halted(status).encode()).0,
            Err(Fault::Status)
        );
    }
    let mut running = halted(0).encode().to_vec();
    running.resize(HALTED_BYTES + 300, 0);
    assert!(agreed(&mut court, &running).0.is_err());
}
