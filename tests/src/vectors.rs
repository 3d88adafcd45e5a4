//! Builds `tests/vectors/formats.json`: one file with every hash preimage, root, signature and amount of
//! `docs/protocol.md`, which Rust and forge both check. A change to a format shows up as a diff of that file.
//!
//! The roots and digests here come from `gio-protocol`; the test beside this file recomputes the typed data with
//! another EIP-712 implementation, and forge recomputes everything in Solidity.

use alloy_primitives::hex;
use gio_content::{InputImage, OutputImage, content_root};
use gio_keys::MachineKey;
use gio_protocol::{
    Address, B256, Claim, Cu, DealId, DealTerms, Domain, Gio, JobTree, MachineParams, PricePerPu,
    ResultTree, Status, UnitKind, UnitLeaf, UnixSeconds, VerificationMode, acceptance_hash,
    acceptances_digest, acceptances_root, bill, cancellation_digest, confirmation_digest,
    gross_of_net, keccak256, lock_of_gross, seed_commitment, unit_seed, word_root,
};
use serde_json::{Value, json};

/// The whole file.
///
/// # Panics
/// Never: the inputs are fixed.
#[must_use]
pub fn formats() -> Value {
    json!({
        "about": "Checked by Rust (tests/tests/it/vectors.rs) and forge (contracts/test/Vectors.t.sol); docs/protocol.md says what each is.",
        "unit_leaves": (0..3).map(unit_leaf_vector).collect::<Vec<_>>(),
        "job_trees": ([1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33].map(job_tree_vector)),
        "result_trees": ([1, 2, 3, 4, 5, 8, 9, 31, 32, 33].map(result_tree_vector)),
        "word_trees": ([(0, 0), (1, 0), (32, 0), (33, 1), (100, 3), (1000, 5), (0, 22), (4096, 22)].map(word_tree_vector)),
        "content_roots": ([0, 1, 16_384, 16_385, 50_000, 65_536].map(content_vector)),
        "images": image_vectors(),
        "machine_params": machine_params_vector(),
        "deals": deal_vectors(),
        "amounts": amount_vectors(),
    })
}

fn word(seed: u64) -> B256 {
    keccak256(seed.to_be_bytes())
}

fn address(seed: u64) -> Address {
    Address::from_slice(&word(seed)[12..])
}

fn hexed(bytes: impl AsRef<[u8]>) -> String {
    hex::encode_prefixed(bytes)
}

/// Decimal text: JSON numbers beyond 2^53 do not survive every parser.
fn number(value: impl Into<u128>) -> String {
    value.into().to_string()
}

fn pattern(length: usize) -> Vec<u8> {
    (0u32..)
        .take(length)
        .map(|at| at.to_be_bytes()[3] ^ at.to_be_bytes()[2].wrapping_mul(31))
        .collect()
}

fn unit_leaf(index: u32) -> UnitLeaf {
    let seed = u64::from(index);
    UnitLeaf {
        index,
        kind: UnitKind::Wasm,
        program_root: word(seed + 1),
        input_root: word(seed + 2),
        input_length: 1000 + seed,
        cu_limit: Cu(5_000_000_000 + seed),
        pages_max: 1024,
        output_max: 1 << 22,
        unit_seed: unit_seed(word(seed + 3), index),
    }
}

fn unit_leaf_vector(index: u32) -> Value {
    let leaf = unit_leaf(index * 7);
    json!({
        "index": leaf.index, "kind": leaf.kind as u8, "program_root": leaf.program_root, "input_root": leaf.input_root,
        "input_length": number(leaf.input_length), "cu_limit": number(leaf.cu_limit.0), "pages_max": leaf.pages_max,
        "output_max": number(leaf.output_max), "unit_seed": leaf.unit_seed, "hash": leaf.hash(),
    })
}

fn job_tree_vector(count: u32) -> Value {
    let leaves: Vec<B256> = (0..count).map(|index| unit_leaf(index).hash()).collect();
    let tree = JobTree::new(&leaves);
    let last = count - 1;
    let proof = tree.proof(last).expect("the last unit is of the job");
    json!({
        "count": count, "leaves": leaves, "root": tree.root(),
        "proof_index": last, "proof": proof,
    })
}

fn result_tree_vector(count: u32) -> Value {
    let claims: Vec<Option<(B256, Cu)>> = (0..count)
        .map(|unit| {
            (unit % 5 != 3).then(|| (word(u64::from(unit)), Cu(u64::from(unit) * 1_000_003 + 1)))
        })
        .collect();
    let tree = ResultTree::new(&claims).expect("the sums are far from 64 bits");
    let proof = tree.proof(count - 1).expect("the last unit is of the deal");
    json!({
        "count": count,
        "present": claims.iter().map(Option::is_some).collect::<Vec<_>>(),
        "claim_hashes": claims.iter().map(|claim| claim.unwrap_or_default().0).collect::<Vec<_>>(),
        "cus": claims.iter().map(|claim| number(claim.unwrap_or_default().1.0)).collect::<Vec<_>>(),
        "tree_hash": tree.top().hash, "cu_total": number(tree.top().sum.0), "root": tree.root(),
        "proof_unit": count - 1,
        "proof_hashes": proof.iter().map(|node| node.hash).collect::<Vec<_>>(),
        "proof_sums": proof.iter().map(|node| number(node.sum.0)).collect::<Vec<_>>(),
    })
}

fn word_tree_vector((length, depth): (usize, u8)) -> Value {
    let data = pattern(length);
    json!({ "data": hexed(&data), "depth": depth, "root": word_root(&data, depth).expect("the data fit") })
}

fn content_vector(length: usize) -> Value {
    json!({ "length": length, "root": content_root(&pattern(length)) })
}

fn image_vectors() -> Value {
    let input = InputImage {
        args: vec![b"app".to_vec(), b"--tile".to_vec(), b"3".to_vec()],
        env: [("LANG".to_owned(), b"C".to_vec())].into(),
        files: [
            ("a/b.txt".to_owned(), b"hello\n".to_vec()),
            ("scene.txt".to_owned(), pattern(40)),
        ]
        .into(),
        stdin: b"typed".to_vec(),
    };
    let output = OutputImage {
        stdout: b"out\n".to_vec(),
        stderr: Vec::new(),
        files: [("tile".to_owned(), pattern(33))].into(),
    };
    let image = |bytes: Vec<u8>| {
        json!({
            "bytes": hexed(&bytes), "length": bytes.len(), "content_root": content_root(&bytes),
            "root_at_depth_22": word_root(&bytes, MachineParams::IMAGE_DEPTH).expect("small"),
        })
    };
    json!({
        "input": image(input.encode().expect("the names are valid")),
        "output": image(output.encode().expect("the names are valid")),
    })
}

fn machine_params_vector() -> Value {
    let params = MachineParams {
        machine_version: 1,
        step_cap_log2: 40,
        pages_max: 1024,
        input_depth: 22,
        output_depth: 23,
        memory_depth: 21,
        code_depth: 18,
        call_depth_max: 4096,
        locals_max: 256,
    };
    json!({
        "machine_version": 1, "step_cap_log2": 40, "pages_max": 1024, "input_depth": 22, "output_depth": 23,
        "memory_depth": 21, "code_depth": 18, "call_depth_max": 4096, "locals_max": 256, "hash": params.hash(),
        "version_0_of_1024_pages": MachineParams::version_0(1024).hash(),
    })
}

fn key(byte: u8) -> MachineKey {
    MachineKey::from_bytes(&[byte; 32]).expect("repeated small bytes are valid keys")
}

fn terms(seed: u64, wallet: Address, buyer: Address) -> DealTerms {
    let buyer_nonce = word(seed + 10);
    DealTerms {
        buyer,
        wallet,
        buyer_nonce,
        hub_nonce: word(seed + 11),
        seed_commitment: seed_commitment(buyer_nonce),
        job_root: word(seed + 12),
        unit_count: 48,
        mode: VerificationMode::None,
        mode_params: B256::ZERO,
        machine_version: 0,
        machine_params: MachineParams::version_0(1024).hash(),
        price_per_pu: PricePerPu(Gio::from_units(1_478_572)),
        cap: Gio::from_units(500_000_000 + seed),
        guarantee: Gio::from_units(10_000_000),
        royalty_to: address(seed + 13),
        royalty_per_mille: 25,
        court: Address::ZERO,
        clock_start: UnixSeconds(1_800_000_000),
        open_by: UnixSeconds(1_800_000_600),
        deliver_by: UnixSeconds(1_800_003_600),
        window: 3600,
    }
}

fn claim(deal_id: DealId, owner: Address) -> Claim {
    Claim {
        deal_id,
        unit: 7,
        owner,
        program_root: word(20),
        input_root: word(21),
        status: Status::Exit,
        exit_code: 3,
        cu: Cu(1_234_567_890),
        output_root: word(22),
        output_length: 96,
        content_root: word(23),
    }
}

/// The same terms in three places: another chain or wallet makes another deal (R1, R11).
fn deal_vectors() -> Vec<Value> {
    [(1u64, 31_337u64, 1u64), (1, 1, 1), (2, 31_337, 2)]
        .map(|(seed, chain, wallet)| deal_vector(seed, chain, wallet))
        .into()
}

fn deal_vector(seed: u64, chain_id: u64, wallet: u64) -> Value {
    let (buyer, hub, miner) = (key(0x11), key(0x22), key(0x33));
    let terms = terms(seed, address(1000 + wallet), buyer.address());
    let domain = Domain::new(chain_id, terms.wallet);
    let id = terms.deal_id(chain_id);
    let claim = claim(id, miner.address());
    // The claim and two more of the same message: what the hub signs is one root over all three (R14).
    let more = |unit: u32| {
        let claim = Claim {
            unit,
            ..claim.clone()
        };
        acceptance_hash(id.0, unit, claim.struct_hash())
    };
    let acceptances = [claim.unit, claim.unit + 1, claim.unit + 2].map(more);
    let acceptances_tree = JobTree::new(&acceptances);
    let message_root = acceptances_root(&acceptances);
    let countersigned = acceptances_digest(&domain, message_root);
    let acceptance = domain.digest(acceptances[0]);
    let confirmation = confirmation_digest(&domain, id.0, word(24));
    let cancellation = cancellation_digest(&domain, id.0, Gio::from_units(123));
    json!({
        "chain_id": chain_id, "terms": terms_json(&terms), "domain_separator": domain.separator(),
        "terms_bytes": hexed(terms.to_bytes()), "struct_hash": terms.struct_hash(), "deal_id": id,
        "deal_seed": terms.deal_seed(), "unit_seed_7": unit_seed(terms.deal_seed(), 7),
        "buyer_key": hexed(buyer.secret_bytes()), "buyer_signature": hexed(buyer.sign(id.0).as_bytes()),
        "hub_key": hexed(hub.secret_bytes()), "hub_signature": hexed(hub.sign(id.0).as_bytes()),
        "miner_key": hexed(miner.secret_bytes()), "claim": claim_json(&claim), "claim_hash": claim.struct_hash(),
        "claim_bytes": hexed(claim.to_bytes()), "claim_digest": claim.digest(&domain),
        "claim_signature": hexed(miner.sign(claim.digest(&domain)).as_bytes()),
        "acceptance_digest": acceptance, "acceptances": acceptances, "acceptances_root": message_root,
        "acceptances_proof_index": 2, "acceptances_proof": acceptances_tree.proof(2),
        "acceptances_digest": countersigned, "countersignature": hexed(hub.sign(countersigned).as_bytes()),
        "result_root": word(24), "confirmation_digest": confirmation,
        "cancellation_payment": number(123u64), "cancellation_digest": cancellation,
    })
}

fn terms_json(terms: &DealTerms) -> Value {
    json!({
        "buyer": terms.buyer, "wallet": terms.wallet, "buyer_nonce": terms.buyer_nonce, "hub_nonce": terms.hub_nonce,
        "seed_commitment": terms.seed_commitment, "job_root": terms.job_root, "unit_count": terms.unit_count,
        "mode": terms.mode as u8, "mode_params": terms.mode_params, "machine_version": terms.machine_version,
        "machine_params": terms.machine_params, "price_per_pu": number(terms.price_per_pu.0.units()),
        "cap": number(terms.cap.units()), "guarantee": number(terms.guarantee.units()),
        "royalty_to": terms.royalty_to, "royalty_per_mille": terms.royalty_per_mille, "court": terms.court,
        "clock_start": terms.clock_start.0, "open_by": terms.open_by.0, "deliver_by": terms.deliver_by.0,
        "window": terms.window,
    })
}

fn claim_json(claim: &Claim) -> Value {
    json!({
        "deal_id": claim.deal_id, "unit": claim.unit, "owner": claim.owner, "program_root": claim.program_root,
        "input_root": claim.input_root, "status": claim.status as u8, "exit_code": claim.exit_code,
        "cu": number(claim.cu.0), "output_root": claim.output_root, "output_length": number(claim.output_length),
        "content_root": claim.content_root,
    })
}

fn amount_vectors() -> Value {
    let bills = [
        (500_000_000u64, 0u64, 1_478_572u64),
        (500_000_000, 999_999_999, 3),
        (500_000_000, 68_000_000_000, 1_478_572),
        (10, 68_000_000_000, 1_478_572),
        (u64::MAX, u64::MAX, 1),
    ];
    let bill_vector = |(cap, cu, price): (u64, u64, u64)| {
        let payment = bill(
            Gio::from_units(cap),
            Cu(cu),
            PricePerPu(Gio::from_units(price)),
        );
        json!({ "cap": number(cap), "cu": number(cu), "price_per_pu": number(price), "payment": number(payment.units()) })
    };
    let payouts = [
        0u64,
        1,
        2,
        3,
        7,
        69,
        70,
        71,
        99,
        100,
        1_000_000,
        123_456_789_012,
    ];
    let payout_vector = |net: u64| {
        let gross = gross_of_net(Gio::from_units(net)).expect("small");
        json!({ "net": number(net), "gross": number(gross.units()), "lock": number(lock_of_gross(gross).units()) })
    };
    json!({ "bills": (bills.map(bill_vector)), "payouts": (payouts.map(payout_vector)) })
}
