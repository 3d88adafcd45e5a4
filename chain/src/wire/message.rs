//! The messages and their payloads.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use gio_coin::{
    Block, BlockHash, DecodeError, Header, Reader, Sink, Transaction, Txid, put_compact,
    put_var_bytes,
};

use super::compact::{BlockTxn, BlockTxnRequest, CompactBlock};

/// Most headers in one message; fewer mean that there are no more.
pub const MAX_HEADERS: usize = 2000;
/// Most ids in one message: a full block's worth of small transactions.
pub const MAX_INVENTORY: usize = 5000;
/// Most addresses in one message.
pub const MAX_ADDRESSES: usize = 1000;
/// Most ids of a locator: ten and one per power of two are below this for every height.
pub const MAX_LOCATOR: usize = 64;
/// Longest name a program may give itself.
const MAX_AGENT: usize = 256;

/// Kinds of an inventory entry.
const KIND_TX: u32 = 1;
const KIND_BLOCK: u32 = 2;
const KIND_COMPACT_BLOCK: u32 = 4;
/// Asks for the bytes with witnesses; ours always have them.
const KIND_WITNESS: u32 = 1 << 30;

/// Where a node is, as messages write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    /// What it offers; bit 0: whole blocks.
    pub services: u64,
    /// Its address; IPv4 ones are written as mapped IPv6.
    pub address: SocketAddr,
}

/// An address somebody knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// When it was last seen, Unix seconds.
    pub seen: u32,
    /// Where it is.
    pub net: Net,
}

/// The first message of both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Version of the protocol.
    pub version: u32,
    /// What the sender offers.
    pub services: u64,
    /// The sender's clock.
    pub time: u64,
    /// Where the sender sees the receiver.
    pub receiver: Net,
    /// Where the sender listens.
    pub sender: Net,
    /// Random: a node that hears its own number talks to itself.
    pub nonce: u64,
    /// The sender's program.
    pub agent: String,
    /// The sender's height.
    pub height: u32,
    /// Whether it wants transactions.
    pub relay: bool,
}

/// Something a peer has or wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Inventory {
    /// A transaction.
    Tx(Txid),
    /// A block.
    Block(BlockHash),
    /// A block without what the asker has; only asked for.
    CompactBlock(BlockHash),
    /// A kind nobody here knows.
    Other(u32, [u8; 32]),
}

/// What peers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Who the sender is.
    Version(Hello),
    /// The other's `version` is fine.
    Verack,
    /// Are you there?
    Ping(u64),
    /// Yes.
    Pong(u64),
    /// Asks for headers after the first known id, up to another.
    GetHeaders {
        /// Ids of the asker's branch, the tip first.
        locator: Vec<BlockHash>,
        /// The last one wanted; zero for as many as fit.
        stop: BlockHash,
    },
    /// Headers, each the successor of the one before.
    Headers(Vec<Header>),
    /// What the sender has.
    Inv(Vec<Inventory>),
    /// What the sender wants.
    GetData(Vec<Inventory>),
    /// What the sender was asked for and does not have.
    NotFound(Vec<Inventory>),
    /// A block.
    Block(Block),
    /// A transaction.
    Tx(Transaction),
    /// The sender takes blocks as short ids, of this version.
    SendCompact {
        /// Whether it wants them before it asks.
        announce: bool,
        /// 2 where short ids are those of wtxids.
        version: u64,
    },
    /// A block as short ids.
    CompactBlock(CompactBlock),
    /// Asks for transactions of such a block.
    GetBlockTxn(BlockTxnRequest),
    /// Transactions of such a block.
    BlockTxn(BlockTxn),
    /// Asks for addresses.
    GetAddr,
    /// Addresses.
    Addr(Vec<PeerAddress>),
}

impl Message {
    /// What the envelope calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Version(_) => "version",
            Self::Verack => "verack",
            Self::Ping(_) => "ping",
            Self::Pong(_) => "pong",
            Self::GetHeaders { .. } => "getheaders",
            Self::Headers(_) => "headers",
            Self::Inv(_) => "inv",
            Self::GetData(_) => "getdata",
            Self::NotFound(_) => "notfound",
            Self::Block(_) => "block",
            Self::Tx(_) => "tx",
            Self::SendCompact { .. } => "sendcmpct",
            Self::CompactBlock(_) => "cmpctblock",
            Self::GetBlockTxn(_) => "getblocktxn",
            Self::BlockTxn(_) => "blocktxn",
            Self::GetAddr => "getaddr",
            Self::Addr(_) => "addr",
        }
    }

    /// The bytes behind the envelope.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Version(hello) => hello.write(&mut bytes),
            Self::Verack | Self::GetAddr => {}
            Self::Ping(nonce) | Self::Pong(nonce) => bytes.put(&nonce.to_le_bytes()),
            Self::GetHeaders { locator, stop } => {
                bytes.put(&Hello::VERSION.to_le_bytes());
                put_all(&mut bytes, locator, |bytes, id| bytes.put(id.as_bytes()));
                bytes.put(stop.as_bytes());
            }
            Self::Headers(headers) => put_all(&mut bytes, headers, |bytes, header| {
                bytes.put(&header.encode());
                bytes.put(&[0]);
            }),
            Self::Inv(items) | Self::GetData(items) | Self::NotFound(items) => {
                put_all(&mut bytes, items, |bytes, item| item.write(bytes));
            }
            Self::Block(block) => bytes = block.encode(),
            Self::Tx(transaction) => bytes = transaction.encode(),
            Self::SendCompact { announce, version } => {
                bytes.put(&[u8::from(*announce)]);
                bytes.put(&version.to_le_bytes());
            }
            Self::CompactBlock(block) => block.write(&mut bytes),
            Self::GetBlockTxn(request) => request.write(&mut bytes),
            Self::BlockTxn(answer) => answer.write(&mut bytes),
            Self::Addr(addresses) => put_all(&mut bytes, addresses, |bytes, address| {
                bytes.put(&address.seen.to_le_bytes());
                address.net.write(bytes);
            }),
        }
        bytes
    }

    /// The message of this name with this payload; `None` if there is no such name.
    ///
    /// # Errors
    /// [`DecodeError`] unless the payload is what [`Message::payload`] would give.
    #[must_use]
    pub fn decode(name: &str, payload: &[u8]) -> Option<Result<Self, DecodeError>> {
        let mut reader = Reader::new(payload);
        let read = match name {
            "version" => Hello::read(&mut reader).map(Self::Version),
            "verack" => Ok(Self::Verack),
            "ping" => reader.u64().map(Self::Ping),
            "pong" => reader.u64().map(Self::Pong),
            "getheaders" => read_get_headers(&mut reader),
            "headers" => read_headers(&mut reader).map(Self::Headers),
            "inv" => read_inventory(&mut reader).map(Self::Inv),
            "getdata" => read_inventory(&mut reader).map(Self::GetData),
            "notfound" => read_inventory(&mut reader).map(Self::NotFound),
            "block" => return Some(Block::decode(payload).map(Self::Block)),
            "tx" => Transaction::read(&mut reader).map(Self::Tx),
            "sendcmpct" => read_send_compact(&mut reader),
            "cmpctblock" => CompactBlock::read(&mut reader).map(Self::CompactBlock),
            "getblocktxn" => BlockTxnRequest::read(&mut reader).map(Self::GetBlockTxn),
            "blocktxn" => BlockTxn::read(&mut reader).map(Self::BlockTxn),
            "getaddr" => Ok(Self::GetAddr),
            "addr" => read_addresses(&mut reader).map(Self::Addr),
            _ => return None,
        };
        Some(read.and_then(|message| reader.finish().map(|()| message)))
    }
}

fn put_all<T>(bytes: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    put_compact(bytes, items.len());
    items.iter().for_each(|item| write(bytes, item));
}

/// A count that neither the remaining bytes nor the message's limit contradict.
fn read_all<T>(
    reader: &mut Reader<'_>,
    (what, bytes_min, max): (&'static str, usize, usize),
    read: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = reader.count(what, bytes_min)?;
    if count > max {
        return Err(DecodeError::TooLarge {
            what,
            length: count as u64,
            max,
        });
    }
    (0..count).map(|_| read(reader)).collect()
}

fn read_id(reader: &mut Reader<'_>) -> Result<BlockHash, DecodeError> {
    reader.array().map(BlockHash::from_bytes)
}

fn read_get_headers(reader: &mut Reader<'_>) -> Result<Message, DecodeError> {
    reader.u32()?;
    Ok(Message::GetHeaders {
        locator: read_all(reader, ("locator", 32, MAX_LOCATOR), read_id)?,
        stop: read_id(reader)?,
    })
}

fn read_send_compact(reader: &mut Reader<'_>) -> Result<Message, DecodeError> {
    let announce = match reader.u8()? {
        small @ (0 | 1) => small == 1,
        other => {
            let (what, length) = ("flag", u64::from(other));
            return Err(DecodeError::TooLarge {
                what,
                length,
                max: 1,
            });
        }
    };
    let version = reader.u64()?;
    Ok(Message::SendCompact { announce, version })
}

fn read_headers(reader: &mut Reader<'_>) -> Result<Vec<Header>, DecodeError> {
    read_all(reader, ("headers", 81, MAX_HEADERS), |reader| {
        let header = Header::read(reader)?;
        match reader.u8()? {
            0 => Ok(header),
            count => Err(DecodeError::TooLarge {
                what: "transactions behind a header",
                length: u64::from(count),
                max: 0,
            }),
        }
    })
}

fn read_inventory(reader: &mut Reader<'_>) -> Result<Vec<Inventory>, DecodeError> {
    read_all(reader, ("inventory", 36, MAX_INVENTORY), Inventory::read)
}

fn read_addresses(reader: &mut Reader<'_>) -> Result<Vec<PeerAddress>, DecodeError> {
    read_all(reader, ("addresses", 30, MAX_ADDRESSES), |reader| {
        Ok(PeerAddress {
            seen: reader.u32()?,
            net: Net::read(reader)?,
        })
    })
}

impl Inventory {
    fn write(self, bytes: &mut Vec<u8>) {
        let (kind, id) = match self {
            Self::Tx(txid) => (KIND_TX, txid.to_bytes()),
            Self::Block(id) => (KIND_BLOCK, id.to_bytes()),
            Self::CompactBlock(id) => (KIND_COMPACT_BLOCK, id.to_bytes()),
            Self::Other(kind, id) => (kind, id),
        };
        bytes.put(&kind.to_le_bytes());
        bytes.put(&id);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (kind, id) = (reader.u32()?, reader.array()?);
        Ok(match kind & !KIND_WITNESS {
            KIND_TX => Self::Tx(Txid::from_bytes(id)),
            KIND_BLOCK => Self::Block(BlockHash::from_bytes(id)),
            KIND_COMPACT_BLOCK => Self::CompactBlock(BlockHash::from_bytes(id)),
            _ => Self::Other(kind, id),
        })
    }
}

impl Net {
    fn write(self, bytes: &mut Vec<u8>) {
        bytes.put(&self.services.to_le_bytes());
        let ip = match self.address {
            SocketAddr::V4(v4) => v4.ip().to_ipv6_mapped(),
            SocketAddr::V6(v6) => *v6.ip(),
        };
        bytes.put(&ip.octets());
        bytes.put(&self.address.port().to_be_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let services = reader.u64()?;
        let ip = Ipv6Addr::from(reader.array::<16>()?);
        let port = u16::from_be_bytes(reader.array()?);
        let address = match ip.to_ipv4_mapped() {
            Some(v4) => SocketAddr::from((v4, port)),
            None => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, 0)),
        };
        Ok(Self { services, address })
    }
}

/// A name for logs and terminals: what is not printable ASCII becomes a question mark, so that no byte of a stranger
/// steers a terminal and the name never grows.
fn printable(name: &[u8]) -> String {
    let printable = |byte: &u8| {
        let byte = char::from(*byte);
        let is_fine = byte == ' ' || byte.is_ascii_graphic();
        if is_fine { byte } else { '?' }
    };
    name.iter().map(printable).collect()
}

impl Hello {
    /// The version this program speaks: the one whose `headers` announce blocks (BIP 130).
    pub const VERSION: u32 = 70_012;

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.put(&self.version.to_le_bytes());
        bytes.put(&self.services.to_le_bytes());
        bytes.put(&self.time.to_le_bytes());
        self.receiver.write(bytes);
        self.sender.write(bytes);
        bytes.put(&self.nonce.to_le_bytes());
        put_var_bytes(bytes, self.agent.as_bytes());
        bytes.put(&self.height.to_le_bytes());
        bytes.put(&[u8::from(self.relay)]);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            version: reader.u32()?,
            services: reader.u64()?,
            time: reader.u64()?,
            receiver: Net::read(reader)?,
            sender: Net::read(reader)?,
            nonce: reader.u64()?,
            agent: printable(reader.var_bytes("agent", MAX_AGENT)?),
            height: reader.u32()?,
            relay: reader.u8()? != 0,
        })
    }
}
