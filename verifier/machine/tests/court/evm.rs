//! The two contracts, deployed in an EVM of their own.

use std::collections::BTreeSet;
use std::path::Path;

use gio_machine::mirror::{self, Checked, Fault};
use gio_protocol::{Address, B256, keccak256};
use revm::bytecode::opcode::OpCode;
use revm::context::result::ExecutionResult;
use revm::context::{ContextTr as _, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Bytes, TxKind, U256};
use revm::{
    Context, ExecuteCommitEvm as _, ExecuteEvm as _, MainBuilder as _, MainContext as _, MainnetEvm,
};

type Evm = MainnetEvm<revm::handler::MainnetContext<CacheDB<EmptyDB>>>;

/// The base cost of a transaction, and of its calldata by byte.
const BASE_GAS: u64 = 21_000;
const ZERO_BYTE_GAS: u64 = 4;
const BYTE_GAS: u64 = 16;

pub struct Court {
    evm: Evm,
    step: Address,
    floats: Address,
}

/// Who asks the contract, and when.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    pub address: Address,
    pub block: u64,
    pub time: u64,
}

/// What a call costs its sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gas {
    /// Inside the contracts: without the base cost and calldata.
    pub exec: u64,
    /// All calldata, selector and ABI head included.
    pub proof_bytes: u64,
    /// What is paid: the greater of standard gas and the calldata floor of EIP-7623.
    pub billed: u64,
}

impl Court {
    pub fn new() -> Self {
        Self::of(SpecId::PRAGUE)
    }

    /// Under the rules of a fork.
    pub fn of(spec: SpecId) -> Self {
        let context = Context::mainnet().with_db(CacheDB::new(EmptyDB::new()));
        let evm = context
            .modify_cfg_chained(|cfg| {
                cfg.spec = spec;
                cfg.disable_nonce_check = true;
                cfg.tx_gas_limit_cap = Some(u64::MAX);
            })
            .modify_block_chained(|block| block.gas_limit = u64::MAX)
            .build_mainnet();
        let mut court = Self {
            evm,
            step: Address::ZERO,
            floats: Address::ZERO,
        };
        court.floats = court.deploy("FloatVerifier", &[]);
        let argument = court.floats.into_word();
        court.step = court.deploy("StepVerifier", argument.as_slice());
        court
    }

    fn deploy(&mut self, contract: &str, arguments: &[u8]) -> Address {
        let path = format!("contracts/out/{contract}.sol/{contract}.json");
        // Packages at different depths use this file.
        let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let mut built = above.map(|folder| folder.join(&path));
        let path = built.find(|path| path.exists());
        let path = path.unwrap_or_else(|| panic!("{contract}: run `forge build` first"));
        let text = std::fs::read_to_string(path).unwrap();
        let artifact: serde_json::Value = serde_json::from_str(&text).unwrap();
        let code = artifact["bytecode"]["object"].as_str().unwrap();
        let mut code = gio_protocol_hex(code);
        code.extend_from_slice(arguments);
        let tx = transaction(TxKind::Create, code);
        match self.evm.transact_commit(tx).unwrap() {
            result @ ExecutionResult::Success { .. } => result.created_address().unwrap(),
            other => panic!("{contract} was not deployed: {other:?}"),
        }
    }

    /// What the contract answers to a proof, and what it costs.
    pub fn step(&mut self, proof: &[u8]) -> (Result<Checked, Fault>, Gas) {
        let (answer, gas) = self.call(self.step, calldata(proof));
        let checked = match answer {
            Ok(words) => Ok(Checked {
                before: B256::from_slice(&words[..32]),
                next: B256::from_slice(&words[32..64]),
            }),
            Err(revert) => {
                assert_eq!(revert[..4], keccak256("ProofInvalid(uint8)")[..4]);
                Err(FAULTS[usize::from(revert[35])])
            }
        };
        (checked, gas)
    }

    /// Whether a step gets through with so much gas for its execution. Before Prague: with the calldata floor no
    /// transaction can have so little.
    pub fn succeeds_with(&mut self, proof: &[u8], exec: u64) -> bool {
        let data = calldata(proof);
        let mut tx = transaction(TxKind::Call(self.step), data.clone());
        tx.gas_limit = intrinsic(&data) + exec;
        match self.evm.transact(tx) {
            Ok(outcome) => outcome.result.is_success(),
            Err(_) => false,
        }
    }

    /// What the contract answers to this calldata.
    pub fn raw(&mut self, data: Vec<u8>) -> Result<Bytes, Bytes> {
        self.call(self.step, data).0
    }

    /// What the contract answers or reverts with when `asker` sends it a proof in a transaction that counts.
    pub fn sent_by(&mut self, asker: Asker, proof: &[u8]) -> Result<Bytes, Bytes> {
        let block = &mut self.evm.ctx.block;
        block.number = U256::from(asker.block);
        block.timestamp = U256::from(asker.time);
        let mut tx = transaction(TxKind::Call(self.step), calldata(proof));
        tx.caller = asker.address;
        match self.evm.transact_commit(tx).unwrap() {
            ExecutionResult::Success { output, logs, .. } => {
                assert_eq!(logs, [], "a step said something");
                Ok(output.into_data())
            }
            ExecutionResult::Revert { output, .. } => Err(output),
            ExecutionResult::Halt { reason, .. } => panic!("the contract ended: {reason:?}"),
        }
    }

    /// How many words the contracts have stored.
    pub fn stored(&self) -> usize {
        let accounts = &self.evm.ctx.db_ref().cache.accounts;
        let words = |contract| accounts[contract].storage.len();
        words(&self.step) + words(&self.floats)
    }

    /// Every opcode in the contracts' code, reached or not.
    pub fn opcodes(&self) -> BTreeSet<u8> {
        let cache = &self.evm.ctx.db_ref().cache;
        let mut found = BTreeSet::new();
        for contract in [self.step, self.floats] {
            let code = &cache.contracts[&cache.accounts[&contract].info.code_hash];
            let mut rest = code.original_byte_slice();
            while let [opcode, behind @ ..] = rest {
                found.insert(*opcode);
                let pushed = OpCode::new(*opcode).map_or(0, |known| known.info().immediate_size());
                rest = behind.get(usize::from(pushed)..).unwrap_or_default();
            }
        }
        found
    }

    /// What the float unit answers; nothing if it knows no such operation.
    pub fn float(&mut self, op: u64, x: u64, y: u64) -> Option<(u64, bool)> {
        let (answer, _) = self.compute(op, x, y);
        let words = answer.ok()?;
        assert_eq!(words[..24], [0; 24], "a result of more than 64 bits");
        let result = u64::from_be_bytes(words[24..32].try_into().unwrap());
        Some((result, words[63] == 1))
    }

    /// Whether an operation of the float unit traps, and the gas that it takes inside.
    pub fn float_cost(&mut self, op: u64, x: u64, y: u64) -> (bool, u64) {
        let (answer, gas) = self.compute(op, x, y);
        (answer.unwrap()[63] == 1, gas.exec)
    }

    fn compute(&mut self, op: u64, x: u64, y: u64) -> (Result<Bytes, Bytes>, Gas) {
        let mut data = keccak256("compute(uint256,uint256,uint256)")[..4].to_vec();
        for word in [op, x, y] {
            data.extend(U256::from(word).to_be_bytes::<32>());
        }
        self.call(self.floats, data)
    }

    fn call(&mut self, to: Address, data: Vec<u8>) -> (Result<Bytes, Bytes>, Gas) {
        let intrinsic = intrinsic(&data);
        let proof_bytes = data.len() as u64;
        let result = self
            .evm
            .transact(transaction(TxKind::Call(to), data))
            .unwrap()
            .result;
        let spent = result.gas().total_gas_spent();
        let gas = Gas {
            exec: spent - intrinsic,
            proof_bytes,
            billed: result.gas().tx_gas_used(),
        };
        match result {
            ExecutionResult::Success { output, .. } => (Ok(output.into_data()), gas),
            ExecutionResult::Revert { output, .. } => (Err(output), gas),
            ExecutionResult::Halt { reason, .. } => panic!("the contract ended: {reason:?}"),
        }
    }
}

fn intrinsic(data: &[u8]) -> u64 {
    let zeros = data.iter().filter(|byte| **byte == 0).count() as u64;
    BASE_GAS + zeros * ZERO_BYTE_GAS + (data.len() as u64 - zeros) * BYTE_GAS
}

const FAULTS: [Fault; 15] = [
    Fault::Length,
    Fault::Code,
    Fault::Stack,
    Fault::Slots,
    Fault::Locals,
    Fault::Globals,
    Fault::Memory,
    Fault::Table,
    Fault::Rest,
    Fault::Frame,
    Fault::Io,
    Fault::Env,
    Fault::Input,
    Fault::Output,
    Fault::Status,
];

/// The contract's answer, which must be the mirror's.
pub fn agreed(court: &mut Court, proof: &[u8]) -> (Result<Checked, Fault>, Gas) {
    let (contract, gas) = court.step(proof);
    let mirror = mirror::step(proof).map_err(|invalid| invalid.0);
    assert_eq!(contract, mirror, "contract and mirror differ");
    (contract, gas)
}

/// `step(bytes)` as a transaction carries it.
pub fn calldata(proof: &[u8]) -> Vec<u8> {
    let mut data = keccak256("step(bytes)")[..4].to_vec();
    data.extend(U256::from(32).to_be_bytes::<32>());
    data.extend(U256::from(proof.len()).to_be_bytes::<32>());
    data.extend_from_slice(proof);
    data.resize(4 + 64 + proof.len().next_multiple_of(32), 0);
    data
}

fn transaction(kind: TxKind, data: Vec<u8>) -> TxEnv {
    let builder = TxEnv::builder().kind(kind).data(data.into());
    builder.gas_limit(100_000_000).gas_price(0).build().unwrap()
}

fn gio_protocol_hex(text: &str) -> Vec<u8> {
    let digits = text.trim_start_matches("0x").as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap();
    let byte = |pair: &[u8]| u8::try_from(digit(pair[0]) << 4 | digit(pair[1])).unwrap();
    digits.chunks_exact(2).map(byte).collect()
}
