//! What signatures sign (`docs/coin.md` 3). Without links it is what Bitcoin signs, byte for
//! byte; the links of the outputs that are signed are signed with them.

use std::cell::OnceCell;

use sha2::{Digest, Sha256};

use super::{Instructions, opcode};
use crate::coins::Coin;
use crate::hash::{finish_sha256d, sha256, tagged_engine};
use crate::transaction::{Transaction, TxOut};
use crate::wire::{Sink, put_compact, put_var_bytes};

/// Signs all inputs and outputs.
pub const SIGHASH_ALL: u8 = 1;
/// Signs no outputs.
pub const SIGHASH_NONE: u8 = 2;
/// Signs the output at the input's position.
pub const SIGHASH_SINGLE: u8 = 3;
/// Signs no other inputs; added to one of the three.
pub const SIGHASH_ANYONE: u8 = 0x80;
/// Taproot's short way to say all.
pub const SIGHASH_DEFAULT: u8 = 0;

/// First byte of taproot's message when signed outputs carry no links.
const EPOCH: u8 = 0;
/// First byte when they do: no message of one kind is one of the other.
const EPOCH_LINKS: u8 = 1;

/// Which outputs a hash type covers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outputs {
    All,
    None,
    One,
}

impl Outputs {
    const fn of(hash_type: u8) -> Self {
        match hash_type & 0x1f {
            SIGHASH_NONE => Self::None,
            SIGHASH_SINGLE => Self::One,
            _ => Self::All,
        }
    }
}

/// What taproot signs besides the transaction.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaprootExtra<'a> {
    /// The annex, if the witness has one, with its first byte.
    pub annex: Option<&'a [u8]>,
    /// Hash of the executed leaf and position of its last code separator; none for key spends.
    pub leaf: Option<([u8; 32], u32)>,
}

/// Single SHA-256 over parts that all inputs share.
struct Shared {
    prevouts: [u8; 32],
    sequences: [u8; 32],
    amounts: [u8; 32],
    scripts: [u8; 32],
    outputs: [u8; 32],
    links: Option<[u8; 32]>,
}

/// Computes the hashes that the signatures of one transaction sign.
pub struct SignatureHashes<'a> {
    transaction: &'a Transaction,
    coins: &'a [Coin],
    shared: OnceCell<Shared>,
}

impl std::fmt::Debug for SignatureHashes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignatureHashes")
            .field("transaction", &self.transaction)
            .finish_non_exhaustive()
    }
}

impl<'a> SignatureHashes<'a> {
    /// For a transaction and the coins it spends, in the order of its inputs.
    ///
    /// # Panics
    /// If there is not one coin for each input.
    #[must_use]
    pub fn new(transaction: &'a Transaction, coins: &'a [Coin]) -> Self {
        assert_eq!(
            transaction.inputs.len(),
            coins.len(),
            "one coin for each input"
        );
        Self {
            transaction,
            coins,
            shared: OnceCell::new(),
        }
    }

    pub(super) const fn transaction(&self) -> &'a Transaction {
        self.transaction
    }

    pub(super) const fn coins(&self) -> &'a [Coin] {
        self.coins
    }

    /// What a signature outside witnesses signs: the transaction, with the input scripts
    /// replaced, exactly as its txid would hash it.
    #[must_use]
    pub fn legacy(&self, input: usize, script_code: &[u8], hash_type: u8) -> [u8; 32] {
        let transaction = self.transaction;
        let covered = Outputs::of(hash_type);
        if covered == Outputs::One && input >= transaction.outputs.len() {
            let mut one = [0; 32];
            one[0] = 1;
            return one;
        }
        let mut engine = Sha256::new();
        engine.put(&transaction.version.to_le_bytes());
        let linked = self.signed_link(covered, input);
        if linked {
            engine.put(&[0, 2]);
        }
        self.put_legacy_inputs(&mut engine, input, script_code, hash_type);
        let count = match covered {
            Outputs::All => transaction.outputs.len(),
            Outputs::None => 0,
            Outputs::One => input + 1,
        };
        let blank = |at: usize| covered == Outputs::One && at != input;
        put_compact(&mut engine, count);
        for (at, output) in transaction.outputs[..count].iter().enumerate() {
            if blank(at) {
                engine.put(&[0xff; 8]);
                engine.put(&[0]);
            } else {
                output.write(&mut engine);
            }
        }
        if linked {
            for (at, output) in transaction.outputs[..count].iter().enumerate() {
                let link: &[u8] = if blank(at) {
                    &[]
                } else {
                    output.link.as_bytes()
                };
                put_var_bytes(&mut engine, link);
            }
        }
        engine.put(&transaction.lock_time.to_le_bytes());
        engine.put(&u32::from(hash_type).to_le_bytes());
        finish_sha256d(engine)
    }

    fn put_legacy_inputs(
        &self,
        engine: &mut Sha256,
        input: usize,
        script_code: &[u8],
        hash_type: u8,
    ) {
        let inputs = &self.transaction.inputs;
        let alone = hash_type & SIGHASH_ANYONE != 0;
        let signed = if alone {
            input..input + 1
        } else {
            0..inputs.len()
        };
        put_compact(engine, signed.len());
        for at in signed {
            inputs[at].previous.write(engine);
            let mut sequence = inputs[at].sequence;
            if at == input {
                put_without_separators(engine, script_code);
            } else {
                put_compact(engine, 0);
                if Outputs::of(hash_type) != Outputs::All {
                    sequence = 0;
                }
            }
            engine.put(&sequence.to_le_bytes());
        }
    }

    /// Whether one of the outputs that are signed has a link.
    fn signed_link(&self, covered: Outputs, input: usize) -> bool {
        match covered {
            Outputs::All => self.transaction.has_links(),
            Outputs::None => false,
            Outputs::One => {
                let output = self.transaction.outputs.get(input);
                output.is_some_and(|output| !output.link.is_empty())
            }
        }
    }

    /// What a signature in a version 0 witness signs (BIP 143): with links, their hash stands
    /// between that of the outputs and the lock time.
    #[must_use]
    pub fn witness_v0(&self, input: usize, script_code: &[u8], hash_type: u8) -> [u8; 32] {
        let transaction = self.transaction;
        let shared = self.shared();
        let covered = Outputs::of(hash_type);
        let alone = hash_type & SIGHASH_ANYONE != 0;
        let signing = &transaction.inputs[input];
        let mut engine = Sha256::new();
        engine.put(&transaction.version.to_le_bytes());
        let doubled = |single: &[u8; 32], signed: bool| {
            if signed { sha256(single) } else { [0; 32] }
        };
        engine.put(&doubled(&shared.prevouts, !alone));
        let sequences = !alone && covered == Outputs::All;
        engine.put(&doubled(&shared.sequences, sequences));
        signing.previous.write(&mut engine);
        put_var_bytes(&mut engine, script_code);
        engine.put(&self.coins[input].value.units().to_le_bytes());
        engine.put(&signing.sequence.to_le_bytes());
        let (outputs, links) = self.output_hashes(covered, input);
        engine.put(&outputs.map_or([0; 32], |single| sha256(&single)));
        if let Some(links) = links {
            engine.put(&sha256(&links));
        }
        engine.put(&transaction.lock_time.to_le_bytes());
        engine.put(&u32::from(hash_type).to_le_bytes());
        finish_sha256d(engine)
    }

    /// Single hashes of the signed outputs and, if they carry any, of their links.
    fn output_hashes(
        &self,
        covered: Outputs,
        input: usize,
    ) -> (Option<[u8; 32]>, Option<[u8; 32]>) {
        match covered {
            Outputs::All => (Some(self.shared().outputs), self.shared().links),
            Outputs::None => (None, None),
            Outputs::One => match self.transaction.outputs.get(input) {
                Some(output) => {
                    let one = std::slice::from_ref(output);
                    (Some(hash_outputs(one)), hash_links(one))
                }
                None => (None, None),
            },
        }
    }

    /// What a Schnorr signature signs (BIP 341, BIP 342): with links, the first byte is 1 and
    /// their hash follows that of the outputs. Nothing for an unknown type of hash.
    #[must_use]
    pub fn taproot(
        &self,
        input: usize,
        hash_type: u8,
        extra: TaprootExtra<'_>,
    ) -> Option<[u8; 32]> {
        let (base, alone) = (hash_type & 3, hash_type & SIGHASH_ANYONE != 0);
        if !matches!(hash_type, 0..=3 | 0x81..=0x83) {
            return None;
        }
        let covered = Outputs::of(base);
        let (outputs, links) = self.output_hashes(covered, input);
        let mut engine = tagged_engine("TapSighash");
        engine.put(&[if links.is_some() { EPOCH_LINKS } else { EPOCH }, hash_type]);
        engine.put(&self.transaction.version.to_le_bytes());
        engine.put(&self.transaction.lock_time.to_le_bytes());
        let shared = self.shared();
        if !alone {
            engine.put(&shared.prevouts);
            engine.put(&shared.amounts);
            engine.put(&shared.scripts);
            engine.put(&shared.sequences);
        }
        let outputs_and_links = |engine: &mut Sha256| {
            outputs
                .iter()
                .chain(&links)
                .for_each(|hash| engine.put(hash));
        };
        if covered == Outputs::All {
            outputs_and_links(&mut engine);
        }
        self.put_taproot_input(&mut engine, input, alone, extra);
        if covered == Outputs::One {
            outputs?;
            outputs_and_links(&mut engine);
        }
        if let Some((leaf, separator)) = extra.leaf {
            engine.put(&leaf);
            engine.put(&[0]);
            engine.put(&separator.to_le_bytes());
        }
        Some(engine.finalize().into())
    }

    fn put_taproot_input(
        &self,
        engine: &mut Sha256,
        input: usize,
        alone: bool,
        extra: TaprootExtra<'_>,
    ) {
        let (leaf, annex) = (
            u8::from(extra.leaf.is_some()),
            u8::from(extra.annex.is_some()),
        );
        engine.put(&[leaf << 1 | annex]);
        if alone {
            let (signing, coin) = (&self.transaction.inputs[input], &self.coins[input]);
            signing.previous.write(engine);
            engine.put(&coin.value.units().to_le_bytes());
            put_var_bytes(engine, coin.script_pubkey.as_bytes());
            engine.put(&signing.sequence.to_le_bytes());
        } else {
            let position = u32::try_from(input).expect("a transaction has fewer inputs");
            engine.put(&position.to_le_bytes());
        }
        if let Some(annex) = extra.annex {
            let mut hash = Sha256::new();
            put_var_bytes(&mut hash, annex);
            engine.put(&hash.finalize());
        }
    }

    fn shared(&self) -> &Shared {
        self.shared.get_or_init(|| {
            let mut parts: [Sha256; 4] = std::array::from_fn(|_| Sha256::new());
            let [prevouts, sequences, amounts, scripts] = &mut parts;
            for (input, coin) in std::iter::zip(&self.transaction.inputs, self.coins) {
                input.previous.write(prevouts);
                sequences.put(&input.sequence.to_le_bytes());
                amounts.put(&coin.value.units().to_le_bytes());
                put_var_bytes(scripts, coin.script_pubkey.as_bytes());
            }
            let [prevouts, sequences, amounts, scripts] = parts.map(|part| part.finalize().into());
            Shared {
                prevouts,
                sequences,
                amounts,
                scripts,
                outputs: hash_outputs(&self.transaction.outputs),
                links: hash_links(&self.transaction.outputs),
            }
        })
    }
}

fn hash_outputs(outputs: &[TxOut]) -> [u8; 32] {
    let mut engine = Sha256::new();
    outputs.iter().for_each(|output| output.write(&mut engine));
    engine.finalize().into()
}

fn hash_links(outputs: &[TxOut]) -> Option<[u8; 32]> {
    if outputs.iter().all(|output| output.link.is_empty()) {
        return None;
    }
    let mut engine = Sha256::new();
    for output in outputs {
        put_var_bytes(&mut engine, output.link.as_bytes());
    }
    Some(engine.finalize().into())
}

/// A script as signatures outside witnesses sign it: code separators left out.
fn put_without_separators(engine: &mut Sha256, script: &[u8]) {
    let mut kept = Vec::with_capacity(script.len());
    let mut from = 0;
    let mut instructions = Instructions::new(script);
    while let Some(Ok(instruction)) = instructions.next() {
        let at = script.len() - instructions.rest().len();
        if instruction.opcode == opcode::OP_CODESEPARATOR {
            kept.extend_from_slice(&script[from..at - 1]);
            from = at;
        }
    }
    kept.extend_from_slice(&script[from..]);
    put_var_bytes(engine, &kept);
}
