//! What a hub says about itself: the typed form, signing and the checks of `docs/protocol.md` section 8.
//!
//! # Security
//! A [`VerifiedAnnouncement`] was signed by its owner's key; whether owner and wallet are a registered hub is for the chain to say.

use alloy_primitives::{Address, B256};
use bytes::Bytes;
use gio_keys::{KeyError, MachineKey, PublicKey, SignatureError};
use gio_protocol::{Gio, PricePerPu, UnixSeconds, keccak256, tag};
use libp2p::{Multiaddr, PeerId, multiaddr};
use prost::Message;
use thiserror::Error;

use crate::identity::peer_id_of;
use crate::wire::{
    self, Signed,
    field::{self, FieldError},
};

/// Largest encoded envelope: a page of addresses and text, and a bound on what a stranger makes us verify.
pub const ANNOUNCEMENT_BYTES_MAX: usize = 16 * 1024;
/// How far ahead an announcement may expire: how long a hub that vanished keeps being tried.
pub const ANNOUNCEMENT_SECONDS_MAX: u64 = 15 * 60;
/// How long a hub should let its announcements live: within the maximum for receivers whose clock is minutes behind.
pub const ANNOUNCEMENT_SECONDS: u64 = 10 * 60;
/// Addresses of one hub: a few per interface, transport and relay.
pub(crate) const ADDRS_MAX: usize = 16;
/// Kinds of work of one hub.
const KINDS_MAX: usize = 16;
/// Bytes of a name, region, kind or version: what fits on one line of a terminal.
const TEXT_BYTES_MAX: usize = 128;

const TAG: &str = "gio.announcement.v1";

/// What a hub says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The EVM account of the key that signs.
    pub owner: Address,
    /// The hub's wallet clone.
    pub wallet: Address,
    /// The chain the wallet lives on.
    pub chain_id: u64,
    /// Where the hub listens.
    pub addrs: Vec<Multiaddr>,
    /// Grows with every announcement of this owner, across restarts.
    pub sequence: u64,
    /// When it was made.
    pub issued_at: UnixSeconds,
    /// When it stops being valid, see [`ANNOUNCEMENT_SECONDS`].
    pub expires_at: UnixSeconds,
    /// What a buyer pays.
    pub gross_price: PricePerPu,
    /// What a miner gets.
    pub net_price: PricePerPu,
    /// As the hub calls it; may be empty.
    pub region: String,
    /// Kinds of work, for example `wasm`.
    pub kinds: Vec<String>,
    /// Of the hub's software.
    pub version: String,
    /// For people.
    pub name: String,
}

/// Why an announcement counts for nothing.
#[derive(Debug, Error)]
pub enum AnnouncementError {
    /// Larger than [`ANNOUNCEMENT_BYTES_MAX`].
    #[error("the announcement has {found} bytes, more than {ANNOUNCEMENT_BYTES_MAX}")]
    Oversize {
        /// Bytes of the envelope.
        found: usize,
    },
    /// The bytes are no protobuf message of this kind.
    #[error("the announcement is not decodable")]
    Undecodable(#[from] prost::DecodeError),
    /// A field of fixed width has another.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The public key is none.
    #[error("the announcement's key is no key")]
    Key(#[from] KeyError),
    /// The signature is not the key's.
    #[error("the announcement's signature does not hold")]
    Forged(#[from] SignatureError),
    /// Signed by a key that is not the owner's.
    #[error("the announcement is {owner}'s and signed by {signer}")]
    NotTheOwner {
        /// Named in the announcement.
        owner: Address,
        /// Whose key signed.
        signer: Address,
    },
    /// Sent as gossip by a peer that is not the owner.
    #[error("the announcement of {owner} was sent by another peer")]
    NotTheSender {
        /// Named in the announcement.
        owner: Address,
    },
    /// An address is none, or leads to another peer.
    #[error("`{0}` is not an address of the announcing hub")]
    Address(String),
    /// A list or a text is longer than its limit.
    #[error("`{0}` is longer than its limit")]
    TooLong(&'static str),
    /// Already over.
    #[error("the announcement expired at {expires_at}, it is {now}")]
    Expired {
        /// From the announcement.
        expires_at: UnixSeconds,
        /// The receiver's clock.
        now: UnixSeconds,
    },
    /// Valid for longer than [`ANNOUNCEMENT_SECONDS_MAX`].
    #[error("the announcement expires at {expires_at}, too far ahead of {now}")]
    TooFarAhead {
        /// From the announcement.
        expires_at: UnixSeconds,
        /// The receiver's clock.
        now: UnixSeconds,
    },
}

impl AnnouncementError {
    /// Whether only the clock speaks against it: a slow path or a clock that differs is nobody's lie.
    #[must_use]
    pub fn is_untimely(&self) -> bool {
        matches!(self, Self::Expired { .. } | Self::TooFarAhead { .. })
    }
}

impl Announcement {
    /// The envelope that goes out: encoded and signed.
    #[must_use]
    pub fn sign(&self, key: &MachineKey) -> Signed {
        let payload = Bytes::from(wire::Announcement::from(self).encode_to_vec());
        Signed {
            public_key: field::bytes(key.public_key().to_bytes()),
            signature: field::signature_bytes(&key.sign(digest(&payload))),
            payload,
        }
    }
}

/// `keccak(TAG ‖ payload)`.
fn digest(payload: &[u8]) -> B256 {
    keccak256([tag(TAG).as_slice(), payload].concat())
}

/// An announcement that its owner has signed and that has not expired when it was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedAnnouncement {
    announcement: Announcement,
    peer: PeerId,
    signed: Signed,
}

impl VerifiedAnnouncement {
    /// Checks an envelope against every rule that needs no chain.
    ///
    /// # Errors
    /// [`AnnouncementError`] names the rule.
    pub fn verify(signed: Signed, now: UnixSeconds) -> Result<Self, AnnouncementError> {
        let found = signed.encoded_len();
        if found > ANNOUNCEMENT_BYTES_MAX {
            return Err(AnnouncementError::Oversize { found });
        }
        let key = PublicKey::from_bytes(&field::fixed("public_key", &signed.public_key)?)?;
        let signature = field::signature("signature", &signed.signature)?;
        key.verify(digest(&signed.payload), &signature)?;
        let message = wire::Announcement::decode(signed.payload.clone())?;
        let peer = peer_id_of(&key);
        let announcement = typed(message, peer)?;
        if announcement.owner != key.address() {
            return Err(AnnouncementError::NotTheOwner {
                owner: announcement.owner,
                signer: key.address(),
            });
        }
        check_time(announcement.expires_at, now)?;
        Ok(Self {
            announcement,
            peer,
            signed,
        })
    }

    /// The same, for an envelope that came as a gossip message of `sender`.
    pub(crate) fn verify_gossip(
        data: &[u8],
        sender: PeerId,
        now: UnixSeconds,
    ) -> Result<Self, AnnouncementError> {
        if data.len() > ANNOUNCEMENT_BYTES_MAX {
            return Err(AnnouncementError::Oversize { found: data.len() });
        }
        let verified = Self::verify(Signed::decode(data)?, now)?;
        if verified.peer != sender {
            let owner = verified.announcement.owner;
            return Err(AnnouncementError::NotTheSender { owner });
        }
        Ok(verified)
    }

    /// What the hub says.
    #[must_use]
    pub fn announcement(&self) -> &Announcement {
        &self.announcement
    }

    /// The hub as a peer, for [`Net::channel`](crate::Net::channel).
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// The envelope as it came, to hand on or to keep as evidence.
    #[must_use]
    pub fn signed(&self) -> &Signed {
        &self.signed
    }
}

fn check_time(expires_at: UnixSeconds, now: UnixSeconds) -> Result<(), AnnouncementError> {
    if expires_at <= now {
        return Err(AnnouncementError::Expired { expires_at, now });
    }
    if now.until(expires_at) > ANNOUNCEMENT_SECONDS_MAX {
        return Err(AnnouncementError::TooFarAhead { expires_at, now });
    }
    Ok(())
}

fn typed(message: wire::Announcement, peer: PeerId) -> Result<Announcement, AnnouncementError> {
    let too_long = AnnouncementError::TooLong;
    if message.addrs.len() > ADDRS_MAX {
        return Err(too_long("addrs"));
    }
    if message.kinds.len() > KINDS_MAX || message.kinds.iter().any(|kind| is_long(kind)) {
        return Err(too_long("kinds"));
    }
    let texts = [
        ("region", &message.region),
        ("version", &message.version),
        ("name", &message.name),
    ];
    if let Some((name, _)) = texts.into_iter().find(|(_, text)| is_long(text)) {
        return Err(too_long(name));
    }
    let addrs: Result<_, _> = message.addrs.iter().map(|a| hub_addr(a, peer)).collect();
    Ok(Announcement {
        owner: field::address("owner", &message.owner)?,
        wallet: field::address("wallet", &message.wallet)?,
        chain_id: message.chain_id,
        addrs: addrs?,
        sequence: message.sequence,
        issued_at: UnixSeconds(message.issued_at),
        expires_at: UnixSeconds(message.expires_at),
        gross_price: PricePerPu(Gio::from_units(message.gross_price_per_pu)),
        net_price: PricePerPu(Gio::from_units(message.net_price_per_pu)),
        region: message.region,
        kinds: message.kinds,
        version: message.version,
        name: message.name,
    })
}

fn is_long(text: &str) -> bool {
    text.len() > TEXT_BYTES_MAX
}

/// A hub cannot send its callers to somebody else: an address that names a peer names this one.
fn hub_addr(text: &str, peer: PeerId) -> Result<Multiaddr, AnnouncementError> {
    let bad = || AnnouncementError::Address(text.chars().take(TEXT_BYTES_MAX).collect());
    let addr: Multiaddr = text.parse().map_err(|_| bad())?;
    match addr.iter().last() {
        None => Err(bad()),
        Some(multiaddr::Protocol::P2p(named)) if named != peer => Err(bad()),
        Some(_) => Ok(addr),
    }
}

impl From<&Announcement> for wire::Announcement {
    fn from(announcement: &Announcement) -> Self {
        Self {
            owner: field::bytes(announcement.owner),
            wallet: field::bytes(announcement.wallet),
            chain_id: announcement.chain_id,
            addrs: announcement.addrs.iter().map(ToString::to_string).collect(),
            sequence: announcement.sequence,
            issued_at: announcement.issued_at.0,
            expires_at: announcement.expires_at.0,
            gross_price_per_pu: announcement.gross_price.0.units(),
            net_price_per_pu: announcement.net_price.0.units(),
            region: announcement.region.clone(),
            kinds: announcement.kinds.clone(),
            version: announcement.version.clone(),
            name: announcement.name.clone(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
