//! Makes regtest blocks with as many spends as a benchmark wants.

use gio_coin::{
    Block, BlockHash, Link, Network, OutPoint, Params, SIGHASH_ALL, Script, ScriptBuilder,
    SignatureHashes, Transaction, TxIn, TxOut, Txid, Witness, assemble, coinbase, mine, opcode,
    subsidy,
};
use gio_protocol::Gio;
use secp256k1::{Message, PublicKey, SECP256K1, SecretKey};

/// What a coin pays for being spent: more than nothing, and the same for all.
const FEE: u64 = 1000;

/// Whom coins are paid to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payee {
    /// One key (BIP 141): spending takes a signature.
    Key,
    /// Anybody, by a script as long as a key's.
    Anybody,
}

pub(crate) struct Maker {
    params: Params,
    tip: BlockHash,
    height: u32,
    time: u32,
    /// Rewards by height, from 1.
    rewards: Vec<(Txid, u64)>,
    secret: SecretKey,
}

impl Maker {
    pub(crate) fn new() -> Self {
        let params = Params::of(Network::Regtest);
        Self {
            tip: params.genesis_id(),
            height: 0,
            time: params.genesis.header.time,
            rewards: Vec::new(),
            secret: SecretKey::from_slice(&[7; 32]).expect("a number below the order"),
            params,
        }
    }

    pub(crate) const fn height(&self) -> u32 {
        self.height
    }

    fn script(&self, payee: Payee) -> Script {
        let key = PublicKey::from_secret_key(SECP256K1, &self.secret).serialize();
        let hash = Script::hash160(&key);
        match payee {
            Payee::Key => Script::pay_to_witness_pubkey_hash(&hash),
            Payee::Anybody => ScriptBuilder::new()
                .push(&hash)
                .op(opcode::OP_DROP)
                .op(opcode::OP_1)
                .build(),
        }
    }

    /// The next block, its time six blocks to the second, as mining at will gives it.
    pub(crate) fn block(&mut self, others: Vec<Transaction>) -> Block {
        self.height += 1;
        self.time += u32::from(self.height.is_multiple_of(6)) + u32::from(self.height < 12);
        let units = subsidy(self.height).units();
        let paid = pay(units, Script::new([opcode::OP_1]));
        let first = coinbase(self.height, &self.height.to_le_bytes(), vec![paid]);
        self.rewards.push((first.txid(), units));
        let bits = self.params.genesis_bits();
        let block = assemble(self.tip, self.time, bits, first, others);
        let mut block = block.expect("the transactions differ");
        block.header = mine(block.header, 0..=u32::MAX).expect("every second nonce is good");
        self.tip = block.id();
        block
    }

    /// Spends the reward of a height into so many equal coins.
    pub(crate) fn fan_out(&self, height: usize, count: u32, payee: Payee) -> Transaction {
        let (txid, units) = self.rewards[height - 1];
        let value = units / u64::from(count);
        let outputs = vec![pay(value, self.script(payee)); count as usize];
        spending(OutPoint { txid, index: 0 }, outputs)
    }

    /// Spends one of those coins into another of the same kind.
    pub(crate) fn spend(&self, coins: &Transaction, index: u32, payee: Payee) -> Transaction {
        let txid = coins.txid();
        let coin = &coins.outputs[index as usize];
        let paid = pay(coin.value.units() - FEE, coin.script_pubkey.clone());
        let mut spend = spending(OutPoint { txid, index }, vec![paid]);
        if payee == Payee::Key {
            let key = PublicKey::from_secret_key(SECP256K1, &self.secret).serialize();
            let code = Script::pay_to_pubkey_hash(&Script::hash160(&key));
            let coin = gio_coin::Coin::new(coin, 1, false);
            let hashes = SignatureHashes::new(&spend, std::slice::from_ref(&coin));
            let hash = hashes.witness_v0(0, code.as_bytes(), SIGHASH_ALL);
            let signature = SECP256K1.sign_ecdsa(&Message::from_digest(hash), &self.secret);
            let mut bytes = signature.serialize_der().to_vec();
            bytes.push(SIGHASH_ALL);
            spend.inputs[0].witness = vec![bytes, key.to_vec()];
        }
        spend
    }
}

fn pay(units: u64, script_pubkey: Script) -> TxOut {
    TxOut {
        value: Gio::from_units(units),
        script_pubkey,
        link: Link::NONE,
    }
}

fn spending(previous: OutPoint, outputs: Vec<TxOut>) -> Transaction {
    Transaction {
        version: 2,
        inputs: vec![TxIn {
            previous,
            script_sig: Script::default(),
            sequence: u32::MAX,
            witness: Witness::new(),
        }],
        outputs,
        lock_time: 0,
    }
}
