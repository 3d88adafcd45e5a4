//! Deals with real units: WASI commands of a few lines.

use bytes::Bytes;
use gio_content::{InputImage, OutputImage, content_root};
use gio_net::wire::{ContentRef, UnitOrder, field, unit_order};
use gio_protocol::{
    Address, B256, Cu, DealId, DealTerms, Gio, JobTree, MachineParams, PricePerPu, UnitKind,
    UnitLeaf, UnixSeconds, VerificationMode, keccak256, seed_commitment, unit_seed, word_root,
};

/// Writes its first argument to stdout and exits with 3.
pub(crate) const ECHO: &str = r#"(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $args (i32.const 16) (i32.const 64)))
    (i32.store (i32.const 32) (i32.load (i32.const 16)))
    (i32.store (i32.const 36) (i32.sub (i32.load (i32.const 4)) (i32.const 1)))
    (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 8)))
    (call $exit (i32.const 3))))"#;

/// Writes 100,000 zeros to stdout.
pub(crate) const LARGE: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 3)
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 16))
    (i32.store (i32.const 4) (i32.const 100000))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// Counts to a million: some millions of CU, thousands of base units of pay.
pub(crate) const BUSY: &str = r#"(module (memory (export "memory") 1) (func (export "_start") (local i32)
  (loop
    (local.set 0 (i32.add (local.get 0) (i32.const 1)))
    (br_if 0 (i32.lt_u (local.get 0) (i32.const 1000000))))))"#;

/// Never ends by itself.
pub(crate) const ENDLESS: &str =
    r#"(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))"#;

/// What one PU pays the miner, in base units.
pub(crate) const NET_PRICE: u64 = 1_000_000;
const CLOCK: UnixSeconds = UnixSeconds(1_700_000_000);
pub(crate) const CHAIN_ID: u64 = 31_337;

/// A job before it is a deal.
pub(crate) struct Job {
    pub(crate) module: Vec<u8>,
    pub(crate) args: Vec<String>,
    pub(crate) cu_limit: u64,
    /// Another program root in the leaves than the module's: the trap of R19.
    pub(crate) false_program_root: bool,
    /// Other input roots in the leaves than the inputs': the other trap.
    pub(crate) false_input_root: bool,
    /// Makes the deal another one.
    pub(crate) salt: u8,
}

impl Job {
    pub(crate) fn new(wat: &str, units: usize) -> Self {
        Self {
            module: wat::parse_str(wat).unwrap(),
            args: (0..units).map(|unit| format!("unit {unit}")).collect(),
            cu_limit: 100_000_000,
            false_program_root: false,
            false_input_root: false,
            salt: 1,
        }
    }

    pub(crate) fn deal(self, wallet: Address) -> Deal {
        Deal::new(self, wallet)
    }
}

/// A deal and everything a hub needs to order its units.
pub(crate) struct Deal {
    pub(crate) id: DealId,
    pub(crate) terms: DealTerms,
    pub(crate) module: Bytes,
    pub(crate) leaves: Vec<UnitLeaf>,
    inputs: Vec<Bytes>,
    tree: JobTree,
}

impl Deal {
    fn new(job: Job, wallet: Address) -> Self {
        let inputs: Vec<Bytes> = job.args.iter().map(|arg| input(arg)).collect();
        let mut terms = terms(wallet, job.salt, u32::try_from(inputs.len()).unwrap());
        let leaf = |(index, image): (u32, &Bytes)| UnitLeaf {
            index,
            kind: UnitKind::Wasm,
            program_root: match job.false_program_root {
                true => keccak256(b"another module"),
                false => keccak256(&job.module),
            },
            input_root: match job.false_input_root {
                true => B256::repeat_byte(6),
                false => root_of(image),
            },
            input_length: image.len() as u64,
            cu_limit: Cu(job.cu_limit),
            pages_max: 16,
            output_max: 1_000_000,
            unit_seed: unit_seed(terms.deal_seed(), index),
        };
        let leaves: Vec<UnitLeaf> = (0u32..).zip(&inputs).map(leaf).collect();
        let tree = JobTree::new(&leaves.iter().map(UnitLeaf::hash).collect::<Vec<_>>());
        terms.job_root = tree.root();
        Self {
            id: terms.deal_id(CHAIN_ID),
            terms,
            module: job.module.into(),
            leaves,
            inputs,
            tree,
        }
    }

    pub(crate) fn module_root(&self) -> B256 {
        content_root(&self.module)
    }

    /// The order of a unit, with the terms.
    pub(crate) fn order(&self, unit: u32) -> UnitOrder {
        let leaf = &self.leaves[unit as usize];
        let input = self.inputs[unit as usize].clone();
        UnitOrder {
            deal_id: field::bytes(self.id.0),
            unit,
            kind: 1,
            module: Some(ContentRef {
                root: field::bytes(self.module_root()),
                length: self.module.len() as u64,
            }),
            input: Some(unit_order::Input::InputInline(input)),
            input_root: field::bytes(leaf.input_root),
            input_length: leaf.input_length,
            program_root: field::bytes(leaf.program_root),
            cu_limit: leaf.cu_limit.0,
            pages_max: leaf.pages_max,
            output_max: leaf.output_max,
            unit_seed: field::bytes(leaf.unit_seed),
            clock_start: self.terms.clock_start.0,
            deadline: gio_agent::unix_now() + 300,
            net_price_per_pu: NET_PRICE,
            terms: self.terms.to_bytes().into(),
            job_proof: self
                .tree
                .proof(unit)
                .unwrap()
                .into_iter()
                .map(field::bytes)
                .collect(),
        }
    }

    /// The same order with its input at the hub.
    pub(crate) fn order_by_ref(&self, unit: u32) -> (UnitOrder, Bytes) {
        let mut order = self.order(unit);
        let input = self.inputs[unit as usize].clone();
        let content = ContentRef {
            root: field::bytes(content_root(&input)),
            length: input.len() as u64,
        };
        order.input = Some(unit_order::Input::InputRef(content));
        (order, input)
    }
}

pub(crate) fn root_of(image: &[u8]) -> B256 {
    word_root(image, MachineParams::IMAGE_DEPTH).unwrap()
}

/// What an echo unit puts out.
pub(crate) fn echoed(arg: &str) -> Vec<u8> {
    let image = OutputImage {
        stdout: arg.as_bytes().to_vec(),
        ..OutputImage::default()
    };
    image.encode().unwrap()
}

fn input(arg: &str) -> Bytes {
    let image = InputImage {
        args: vec![arg.as_bytes().to_vec()],
        ..InputImage::default()
    };
    image.encode().unwrap().into()
}

fn terms(wallet: Address, salt: u8, unit_count: u32) -> DealTerms {
    let buyer_nonce = B256::repeat_byte(salt);
    DealTerms {
        buyer: Address::repeat_byte(2),
        wallet,
        buyer_nonce,
        hub_nonce: B256::repeat_byte(3),
        seed_commitment: seed_commitment(buyer_nonce),
        job_root: B256::ZERO,
        unit_count,
        mode: VerificationMode::None,
        mode_params: B256::ZERO,
        machine_version: 0,
        machine_params: MachineParams::version_0(16).hash(),
        price_per_pu: PricePerPu(Gio::from_units(2 * NET_PRICE)),
        cap: Gio::from_units(1_000_000_000),
        guarantee: Gio::ZERO,
        royalty_to: Address::ZERO,
        royalty_per_mille: 0,
        court: Address::ZERO,
        clock_start: CLOCK,
        open_by: UnixSeconds(1_900_000_000),
        deliver_by: UnixSeconds(1_900_003_600),
        window: 60,
    }
}
