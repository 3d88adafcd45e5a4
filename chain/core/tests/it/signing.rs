//! Keys, signatures and taproot commitments of the random cases.

use gio_coin::{Script, sha256};
use secp256k1::{Keypair, Message, PublicKey, SECP256K1, Scalar, SecretKey};

use super::rng::Rng;

/// How a script is paid to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrap {
    Bare,
    ScriptHash,
    Witness,
    NestedWitness,
    Tapscript,
}

pub(crate) fn secret(index: usize) -> SecretKey {
    let index = u8::try_from(index).expect("a few keys");
    SecretKey::from_slice(&sha256(&[index, 0x67])).expect("a hash is a key")
}

pub(crate) fn key(index: usize, wrap: Wrap) -> Vec<u8> {
    let key = PublicKey::from_secret_key(SECP256K1, &secret(index));
    match wrap {
        Wrap::Tapscript => key.x_only_public_key().0.serialize().to_vec(),
        _ if index % 4 == 3 => key.serialize_uncompressed().to_vec(),
        _ => key.serialize().to_vec(),
    }
}

pub(crate) fn hash_type(rng: &mut Rng) -> u8 {
    match rng.below(12) {
        0 => rng.byte(),
        1..4 => rng.pick(&[2, 3, 0x81, 0x82, 0x83]),
        _ => 1,
    }
}

pub(crate) fn ecdsa(rng: &mut Rng, index: usize, hash_type: u8, hash: [u8; 32]) -> Vec<u8> {
    let mut signature = SECP256K1.sign_ecdsa(&Message::from_digest(hash), &secret(index));
    if rng.one_in(8) {
        signature = high_s(signature);
    }
    let mut bytes = signature.serialize_der().to_vec();
    bytes.push(hash_type);
    bytes
}

/// The other form of the same signature.
pub(crate) fn high_s(signature: secp256k1::ecdsa::Signature) -> secp256k1::ecdsa::Signature {
    let mut compact = signature.serialize_compact();
    let s = SecretKey::from_slice(&compact[32..])
        .expect("s is in range")
        .negate();
    compact[32..].copy_from_slice(&s.secret_bytes());
    secp256k1::ecdsa::Signature::from_compact(&compact).expect("r and s are in range")
}

pub(crate) fn schnorr(keypair: &Keypair, hash_type: u8, hash: Option<[u8; 32]>) -> Vec<u8> {
    let message = Message::from_digest(hash.unwrap_or([7; 32]));
    let signature = SECP256K1.sign_schnorr_no_aux_rand(&message, keypair);
    let mut bytes = signature.serialize().to_vec();
    if hash_type != 0 {
        bytes.push(hash_type);
    }
    bytes
}

pub(crate) fn tagged(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    let tag = sha256(tag.as_bytes());
    sha256(&[&[&tag[..], &tag[..]], parts].concat().concat())
}

pub(crate) fn leaf_hash(script: &Script) -> [u8; 32] {
    let mut length = Vec::new();
    gio_coin::put_compact(&mut length, script.as_bytes().len());
    tagged("TapLeaf", &[&[0xc0], &length, script.as_bytes()])
}

/// An output with a tree of one to three leaves, and the control block of this one.
pub(crate) fn commit_to_leaf(rng: &mut Rng, script: &Script) -> (Script, Vec<u8>) {
    let mut path = Vec::new();
    let mut node = leaf_hash(script);
    for _ in 0..rng.below(3) {
        let other = sha256(&rng.bytes(4));
        let (first, second) = if node < other {
            (node, other)
        } else {
            (other, node)
        };
        node = tagged("TapBranch", &[&first, &second]);
        path.extend_from_slice(&other);
    }
    let internal = secret(3).x_only_public_key(SECP256K1).0;
    let tweak = tagged("TapTweak", &[&internal.serialize(), &node]);
    let tweak = Scalar::from_be_bytes(tweak).expect("a hash is in range");
    let (output, parity) = internal
        .add_tweak(SECP256K1, &tweak)
        .expect("a valid tweak");
    let mut control = vec![0xc0 | parity.to_u8()];
    control.extend_from_slice(&internal.serialize());
    control.extend_from_slice(&path);
    (Script::pay_to_taproot(&output.serialize()), control)
}
