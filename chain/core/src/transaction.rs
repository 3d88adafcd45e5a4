//! Transactions and their bytes: Bitcoin's, plus one flagged section for links.

use gio_protocol::Gio;
use sha2::{Digest, Sha256};

use crate::hash::{Txid, Wtxid, finish_sha256d};
use crate::link::{Link, MAX_LINK_BYTES};
use crate::script::Script;
use crate::wire::{ByteCount, DecodeError, Reader, Sink, put_compact, put_var_bytes};

/// Largest transaction. Bitcoin's own bound: the cost of hashing for legacy signatures grows
/// with size times signatures, and 2,500 of those (R28) times 1 MB is the worst it allows.
pub const MAX_TX_BYTES: usize = 1_000_000;

/// Stands where a version would be followed by a count of inputs: a flag byte comes next.
const MARKER: u8 = 0;
/// The flag of a witness section.
const FLAG_WITNESSES: u8 = 1;
/// The flag of a link section.
const FLAG_LINKS: u8 = 2;

/// Outpoint 36, empty script 1, sequence 4.
const MIN_INPUT_BYTES: usize = 41;
/// Value 8, empty script 1.
const MIN_OUTPUT_BYTES: usize = 9;

/// Which output an input spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutPoint {
    /// The transaction that made the output.
    pub txid: Txid,
    /// The output's position in it.
    pub index: u32,
}

impl OutPoint {
    /// What a coinbase's only input names.
    pub const NULL: Self = Self {
        txid: Txid::from_bytes([0; 32]),
        index: u32::MAX,
    };

    pub(crate) fn write<S: Sink + ?Sized>(&self, sink: &mut S) {
        sink.put(self.txid.as_bytes());
        sink.put(&self.index.to_le_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            txid: Txid::from_bytes(reader.array()?),
            index: reader.u32()?,
        })
    }
}

/// Items that fulfil a segregated-witness output.
pub type Witness = Vec<Vec<u8>>;

/// An input: a spent output and what fulfils its script.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TxIn {
    /// The output it spends.
    pub previous: OutPoint,
    /// Fulfils the output's script, outside witness programs.
    pub script_sig: Script,
    /// Relative lock time (BIP 68) and replacement signal.
    pub sequence: u32,
    /// Fulfils witness programs.
    pub witness: Witness,
}

impl TxIn {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            previous: OutPoint::read(reader)?,
            script_sig: Script::new(reader.var_bytes("input script", MAX_TX_BYTES)?),
            sequence: reader.u32()?,
            witness: Witness::new(),
        })
    }

    pub(crate) fn write<S: Sink + ?Sized>(&self, sink: &mut S) {
        self.previous.write(sink);
        put_var_bytes(sink, self.script_sig.as_bytes());
        sink.put(&self.sequence.to_le_bytes());
    }
}

/// An output: an amount, who may spend it, and what it pays for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TxOut {
    /// The amount. A decoded one may exceed what can exist; the rules refuse that.
    pub value: Gio,
    /// The condition for spending it.
    pub script_pubkey: Script,
    /// What it pays for.
    pub link: Link,
}

impl TxOut {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            value: Gio::from_units(reader.u64()?),
            script_pubkey: Script::new(reader.var_bytes("output script", MAX_TX_BYTES)?),
            link: Link::NONE,
        })
    }

    /// Bitcoin's bytes of an output; the link is not among them.
    pub(crate) fn write<S: Sink + ?Sized>(&self, sink: &mut S) {
        sink.put(&self.value.units().to_le_bytes());
        put_var_bytes(sink, self.script_pubkey.as_bytes());
    }
}

/// A transfer of coins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transaction {
    /// 2 and above give sequences the meaning of BIP 68.
    pub version: u32,
    /// What it spends; never empty once decoded.
    pub inputs: Vec<TxIn>,
    /// What it makes.
    pub outputs: Vec<TxOut>,
    /// Earliest height or time.
    pub lock_time: u32,
}

impl Transaction {
    /// Whether it is the first of a block, which makes new coins.
    #[must_use]
    pub fn is_coinbase(&self) -> bool {
        matches!(self.inputs.as_slice(), [only] if only.previous == OutPoint::NULL)
    }

    /// Whether any output has a link.
    #[must_use]
    pub fn has_links(&self) -> bool {
        self.outputs.iter().any(|output| !output.link.is_empty())
    }

    /// Whether any input has a witness.
    #[must_use]
    pub fn has_witnesses(&self) -> bool {
        self.inputs.iter().any(|input| !input.witness.is_empty())
    }

    /// Its id: SHA-256d of everything but the witnesses.
    #[must_use]
    pub fn txid(&self) -> Txid {
        let mut engine = Sha256::new();
        self.write_without_witnesses(&mut engine);
        Txid::from_bytes(finish_sha256d(engine))
    }

    /// SHA-256d of everything.
    #[must_use]
    pub fn wtxid(&self) -> Wtxid {
        let mut engine = Sha256::new();
        self.write(&mut engine);
        Wtxid::from_bytes(finish_sha256d(engine))
    }

    /// The complete bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        self.write(&mut bytes);
        bytes
    }

    /// Length of the complete bytes: what a block's limit and fees count.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let mut count = ByteCount::default();
        self.write(&mut count);
        count.0
    }

    /// Length of the bytes behind the txid.
    #[must_use]
    pub fn txid_preimage_len(&self) -> usize {
        let mut count = ByteCount::default();
        self.write_without_witnesses(&mut count);
        count.0
    }

    /// Writes the complete bytes.
    pub fn write<S: Sink + ?Sized>(&self, sink: &mut S) {
        self.write_sections(sink, self.has_witnesses());
    }

    /// Writes the bytes behind the txid.
    pub fn write_without_witnesses<S: Sink + ?Sized>(&self, sink: &mut S) {
        self.write_sections(sink, false);
    }

    fn write_sections<S: Sink + ?Sized>(&self, sink: &mut S, witnesses: bool) {
        let links = self.has_links();
        sink.put(&self.version.to_le_bytes());
        let flag = if witnesses { FLAG_WITNESSES } else { 0 } | if links { FLAG_LINKS } else { 0 };
        if flag != 0 {
            sink.put(&[MARKER, flag]);
        }
        put_compact(sink, self.inputs.len());
        self.inputs.iter().for_each(|input| input.write(sink));
        put_compact(sink, self.outputs.len());
        self.outputs.iter().for_each(|output| output.write(sink));
        if links {
            for output in &self.outputs {
                put_var_bytes(sink, output.link.as_bytes());
            }
        }
        if witnesses {
            for input in &self.inputs {
                put_witness(sink, &input.witness);
            }
        }
        sink.put(&self.lock_time.to_le_bytes());
    }

    /// Exactly one transaction.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are what [`Transaction::encode`] would give.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let transaction = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(transaction)
    }

    /// Reads a transaction off the front.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let before = reader.remaining();
        let version = reader.u32()?;
        let mut input_count = reader.count("inputs", MIN_INPUT_BYTES)?;
        let mut flag = 0;
        if input_count == usize::from(MARKER) {
            flag = reader.u8()?;
            if flag == 0 {
                return Err(DecodeError::NoInputs);
            }
            if flag & !(FLAG_WITNESSES | FLAG_LINKS) != 0 {
                return Err(DecodeError::UnknownFlag(flag));
            }
            input_count = reader.count("inputs", MIN_INPUT_BYTES)?;
            if input_count == 0 {
                return Err(DecodeError::NoInputs);
            }
        }
        let mut inputs = read_many(input_count, || TxIn::read(reader))?;
        let output_count = reader.count("outputs", MIN_OUTPUT_BYTES)?;
        let mut outputs = read_many(output_count, || TxOut::read(reader))?;
        if flag & FLAG_LINKS != 0 {
            read_links(reader, &mut outputs)?;
        }
        if flag & FLAG_WITNESSES != 0 {
            read_witnesses(reader, &mut inputs)?;
        }
        let lock_time = reader.u32()?;
        let length = before - reader.remaining();
        if length > MAX_TX_BYTES {
            return Err(too_large_transaction(length));
        }
        Ok(Self {
            version,
            inputs,
            outputs,
            lock_time,
        })
    }
}

const fn too_large_transaction(length: usize) -> DecodeError {
    DecodeError::TooLarge {
        what: "transaction",
        length: length as u64,
        max: MAX_TX_BYTES,
    }
}

fn read_many<T>(
    count: usize,
    mut read: impl FnMut() -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        items.push(read()?);
    }
    Ok(items)
}

fn read_links(reader: &mut Reader<'_>, outputs: &mut [TxOut]) -> Result<(), DecodeError> {
    let mut any = false;
    for output in outputs {
        let bytes = reader.var_bytes("link", MAX_LINK_BYTES)?;
        any |= !bytes.is_empty();
        output.link = Link::new(bytes).expect("the reader holds the same limit");
    }
    if any {
        Ok(())
    } else {
        Err(DecodeError::EmptyLinks)
    }
}

fn read_witnesses(reader: &mut Reader<'_>, inputs: &mut [TxIn]) -> Result<(), DecodeError> {
    let mut any = false;
    for input in inputs {
        let count = reader.count("witness items", 1)?;
        any |= count > 0;
        input.witness = read_many(count, || {
            Ok(reader.var_bytes("witness item", MAX_TX_BYTES)?.to_vec())
        })?;
    }
    if any {
        Ok(())
    } else {
        Err(DecodeError::EmptyWitnesses)
    }
}

/// Writes a witness: its count of items, and each with its length.
pub(crate) fn put_witness<S: Sink + ?Sized>(sink: &mut S, witness: &[Vec<u8>]) {
    put_compact(sink, witness.len());
    witness.iter().for_each(|item| put_var_bytes(sink, item));
}

#[cfg(test)]
mod tests;
