//! Every field an order could lie about, and the rule that catches it.

use gio_protocol::{Gio, JobTree, UnitKind, VerificationMode, keccak256, seed_commitment};

use super::*;

const CHAIN: u64 = 31_337;
const WALLET: Address = Address::repeat_byte(0x77);
const UNITS: u32 = 5;

fn price(units: u64) -> PricePerPu {
    PricePerPu(Gio::from_units(units))
}

fn image(unit: u32) -> Vec<u8> {
    vec![u8::try_from(unit).unwrap() + 1; 40]
}

fn terms() -> DealTerms {
    let buyer_nonce = B256::repeat_byte(1);
    DealTerms {
        buyer: Address::repeat_byte(2),
        wallet: WALLET,
        buyer_nonce,
        hub_nonce: B256::repeat_byte(3),
        seed_commitment: seed_commitment(buyer_nonce),
        job_root: B256::ZERO,
        unit_count: UNITS,
        mode: VerificationMode::None,
        mode_params: B256::ZERO,
        machine_version: 0,
        machine_params: MachineParams::version_0(16).hash(),
        price_per_pu: price(10),
        cap: Gio::from_units(1_000),
        guarantee: Gio::ZERO,
        royalty_to: Address::ZERO,
        royalty_per_mille: 0,
        court: Address::ZERO,
        clock_start: UnixSeconds(1_700_000_000),
        open_by: UnixSeconds(1_800_000_000),
        deliver_by: UnixSeconds(1_800_003_600),
        window: 60,
    }
}

fn leaf(terms: &DealTerms, index: u32) -> UnitLeaf {
    UnitLeaf {
        index,
        kind: UnitKind::Wasm,
        program_root: keccak256(b"module"),
        input_root: image_root(&image(index)),
        input_length: 40,
        cu_limit: Cu(1_000_000),
        pages_max: 16,
        output_max: 4_096,
        unit_seed: unit_seed(terms.deal_seed(), index),
    }
}

/// Terms whose job root holds the units, and the order of one of them.
fn deal_and_order(unit: u32) -> (DealTerms, Order) {
    let mut terms = terms();
    let hashes: Vec<B256> = (0..UNITS).map(|i| leaf(&terms, i).hash()).collect();
    let tree = JobTree::new(&hashes);
    terms.job_root = tree.root();
    let order = Order {
        deal: terms.deal_id(CHAIN),
        leaf: leaf(&terms, unit),
        module: ContentRef {
            root: content_root(b"module"),
            length: 6,
        },
        input: Input::Inline(image(unit).into()),
        clock_start: terms.clock_start,
        deadline: UnixSeconds(1_800_000_100),
        net_price: price(7),
        job_proof: tree.proof(unit).unwrap(),
    };
    (terms, order)
}

fn own() -> OwnLimits {
    OwnLimits {
        pages_max: 16,
        module_bytes_max: 6,
        net_price_min: price(7),
    }
}

#[test]
fn a_true_order_passes_every_check() {
    for unit in 0..UNITS {
        let (terms, order) = deal_and_order(unit);
        check_terms(&terms, order.deal, CHAIN, WALLET).unwrap();
        check_due(&terms, UnixSeconds(1_800_003_599)).unwrap();
        check_bound(&order, &terms).unwrap();
        check_limits(&order, &own()).unwrap();
        check_input(&order.leaf, &image(unit)).unwrap();
        check_program(&order.leaf, keccak256(b"module")).unwrap();
    }
}

#[test]
fn r01_terms_of_another_deal_wallet_or_chain_are_refused() {
    let (terms, order) = deal_and_order(0);
    assert!(matches!(
        check_terms(&terms, order.deal, CHAIN + 1, WALLET),
        Err(TermsRefusal::OtherDeal { .. })
    ));
    let other = Address::repeat_byte(9);
    assert!(matches!(
        check_terms(&terms, order.deal, CHAIN, other),
        Err(TermsRefusal::OtherWallet { .. })
    ));
    let mut cheaper = terms.clone();
    cheaper.cap = Gio::from_units(1);
    assert!(matches!(
        check_terms(&cheaper, order.deal, CHAIN, WALLET),
        Err(TermsRefusal::OtherDeal { .. })
    ));
    let mut courtly = terms.clone();
    courtly.court = Address::repeat_byte(1);
    let id = courtly.deal_id(CHAIN);
    assert_eq!(
        check_terms(&courtly, id, CHAIN, WALLET),
        Err(TermsRefusal::Invalid(TermsError::MachineVersion(0)))
    );
    assert!(check_due(&terms, terms.deliver_by).is_err());
}

#[test]
fn r01_any_changed_field_of_the_leaf_unbinds_the_unit() {
    let changes: [fn(&mut UnitLeaf); 6] = [
        |leaf| leaf.program_root = B256::ZERO,
        |leaf| leaf.input_root = B256::ZERO,
        |leaf| leaf.input_length += 1,
        |leaf| leaf.cu_limit.0 += 1,
        |leaf| leaf.pages_max += 1,
        |leaf| leaf.output_max += 1,
    ];
    for change in changes {
        let (terms, mut order) = deal_and_order(3);
        change(&mut order.leaf);
        assert_eq!(check_bound(&order, &terms), Err(OrderRefusal::NotBound));
    }
    let (terms, mut order) = deal_and_order(3);
    order.job_proof.pop();
    assert_eq!(check_bound(&order, &terms), Err(OrderRefusal::NotBound));
    let (_, other) = deal_and_order(2);
    let moved = Order {
        leaf: UnitLeaf {
            index: 3,
            unit_seed: unit_seed(terms.deal_seed(), 3),
            ..other.leaf.clone()
        },
        ..other
    };
    assert_eq!(check_bound(&moved, &terms), Err(OrderRefusal::NotBound));
}

#[test]
fn r22_seed_and_clock_come_from_the_terms() {
    let (terms, mut order) = deal_and_order(1);
    order.leaf.unit_seed = B256::repeat_byte(5);
    assert_eq!(check_bound(&order, &terms), Err(OrderRefusal::Seed));
    let (terms, mut order) = deal_and_order(1);
    order.clock_start = order.clock_start.after(1);
    assert_eq!(check_bound(&order, &terms), Err(OrderRefusal::Clock));
}

#[test]
fn r20_a_leaf_outside_the_machine_is_refused() {
    let changes: [fn(&mut UnitLeaf); 3] = [
        |leaf| leaf.cu_limit = Cu(CU_LIMIT_MAX + 1),
        |leaf| leaf.input_length = IMAGE_BYTES_MAX + 1,
        |leaf| leaf.output_max = IMAGE_BYTES_MAX + 1,
    ];
    for change in changes {
        let (_, mut order) = deal_and_order(0);
        change(&mut order.leaf);
        assert!(matches!(
            check_limits(&order, &own()),
            Err(OrderRefusal::OutsideMachine { .. })
        ));
    }
}

#[test]
fn a_miner_takes_no_more_and_no_cheaper_than_it_said() {
    let (_, order) = deal_and_order(0);
    let small = OwnLimits {
        pages_max: 15,
        ..own()
    };
    assert!(matches!(
        check_limits(&order, &small),
        Err(OrderRefusal::Memory { .. })
    ));
    let short = OwnLimits {
        module_bytes_max: 5,
        ..own()
    };
    assert!(matches!(
        check_limits(&order, &short),
        Err(OrderRefusal::ModuleLength { .. })
    ));
    let dear = OwnLimits {
        net_price_min: price(8),
        ..own()
    };
    assert!(matches!(
        check_limits(&order, &dear),
        Err(OrderRefusal::Price { .. })
    ));
}

#[test]
fn r19_roots_are_derived_from_the_bytes() {
    let (_, order) = deal_and_order(2);
    let mut wrong = image(2);
    wrong[39] ^= 1;
    assert!(matches!(
        check_input(&order.leaf, &wrong),
        Err(OrderRefusal::InputRoot { .. })
    ));
    // Zeros past the end change no word-tree root: only the length tells them apart.
    let mut longer = image(2);
    longer.push(0);
    assert_eq!(
        check_input(&order.leaf, &longer),
        Err(OrderRefusal::InputLength {
            found: 41,
            expected: 40
        })
    );
    assert!(matches!(
        check_program(&order.leaf, keccak256(b"other module")),
        Err(OrderRefusal::ProgramRoot { .. })
    ));
}

#[test]
fn a_claim_names_what_was_derived_and_who_answers() {
    let (_, order) = deal_and_order(4);
    let owner = Address::repeat_byte(0xaa);
    let halt = Halt {
        status: Status::Exit,
        exit_code: 3,
        cu: Cu(99),
        output: b"out",
    };
    let claim = claim_of(&order, owner, &halt);
    assert_eq!(
        (claim.deal_id, claim.unit, claim.owner),
        (order.deal, 4, owner)
    );
    assert_eq!(
        (claim.program_root, claim.input_root),
        (order.leaf.program_root, order.leaf.input_root)
    );
    assert_eq!(
        (claim.status, claim.exit_code, claim.cu),
        (Status::Exit, 3, Cu(99))
    );
    assert_eq!(claim.output_root, image_root(b"out"));
    assert_eq!(claim.output_length, 3);
    assert_eq!(claim.content_root, content_root(b"out"));
}
