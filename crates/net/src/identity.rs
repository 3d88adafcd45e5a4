//! One secp256k1 key is the EVM address, the libp2p peer and the signer: the maps between the three.
//!
//! A secp256k1 peer id carries the public key itself, so who calls is known without asking anybody.

use alloy_primitives::Address;
use gio_keys::{MachineKey, PublicKey};
use libp2p::identity::{self, Keypair, secp256k1};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// Multihash code of a peer id that is the key and not its hash.
const IDENTITY_HASH: u64 = 0;

/// The libp2p key pair of a machine.
pub(crate) fn keypair_of(key: &MachineKey) -> Keypair {
    let secret = secp256k1::SecretKey::try_from_bytes(key.secret_bytes())
        .expect("gio-keys has checked that these bytes are a secret key");
    Keypair::from(secp256k1::Keypair::from(secret))
}

/// The peer that holds a key.
#[must_use]
pub fn peer_id_of(key: &PublicKey) -> PeerId {
    let key = secp256k1::PublicKey::try_from_bytes(&key.to_bytes())
        .expect("gio-keys has checked that these bytes are a point of the curve");
    identity::PublicKey::from(key).to_peer_id()
}

/// The key a peer id carries; nothing if the peer uses another kind of key.
#[must_use]
pub fn public_key_of(peer: &PeerId) -> Option<PublicKey> {
    let hash = peer.as_ref();
    if hash.code() != IDENTITY_HASH {
        return None;
    }
    let key = identity::PublicKey::try_decode_protobuf(hash.digest()).ok()?;
    let bytes = key.try_into_secp256k1().ok()?.to_bytes();
    PublicKey::from_bytes(&bytes).ok()
}

/// The EVM account of a peer; nothing if the peer has no secp256k1 key.
#[must_use]
pub fn address_of(peer: &PeerId) -> Option<Address> {
    public_key_of(peer).map(|key| key.address())
}

/// Whom an address leads to: its last `/p2p/<peer>`, which must end it.
#[must_use]
pub fn peer_of_addr(addr: &Multiaddr) -> Option<PeerId> {
    match addr.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_one_identity_everywhere() {
        let key = MachineKey::from_bytes(&[7; 32]).unwrap();
        let peer = keypair_of(&key).public().to_peer_id();
        assert_eq!(peer_id_of(&key.public_key()), peer);
        assert_eq!(public_key_of(&peer), Some(key.public_key()));
        assert_eq!(address_of(&peer), Some(key.address()));
    }

    #[test]
    fn other_kinds_of_key_have_no_account() {
        let peer = Keypair::generate_ed25519().public().to_peer_id();
        assert_eq!(address_of(&peer), None);
        assert_eq!(address_of(&PeerId::random()), None);
    }
}
