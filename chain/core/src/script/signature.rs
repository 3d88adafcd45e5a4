//! Encodings and checks of signatures.

use secp256k1::{Message, PublicKey, SECP256K1, XOnlyPublicKey, ecdsa, schnorr};

use super::sighash::{SIGHASH_ALL, SIGHASH_ANYONE, SIGHASH_SINGLE};
use super::{ScriptError, SigVersion, Strictness};

/// Half of the group's order: the largest second half of a signature with only one form.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// Whether an ECDSA signature (its type of hash included) is wrong or right; encodings are
/// checked apart.
pub(super) fn ecdsa_holds(signature: &[u8], key: &[u8], hash: &[u8; 32]) -> bool {
    let Ok(key) = PublicKey::from_slice(key) else {
        return false;
    };
    let Ok(mut signature) = ecdsa::Signature::from_der_lax(signature) else {
        return false;
    };
    signature.normalize_s();
    let message = Message::from_digest(*hash);
    SECP256K1.verify_ecdsa(&message, &signature, &key).is_ok()
}

/// Whether a Schnorr signature of 64 bytes is right.
pub(super) fn schnorr_holds(signature: &[u8], key: &[u8], hash: &[u8; 32]) -> bool {
    let Ok(key) = XOnlyPublicKey::from_slice(key) else {
        return false;
    };
    let Ok(signature) = schnorr::Signature::from_slice(signature) else {
        return false;
    };
    let message = Message::from_digest(*hash);
    SECP256K1.verify_schnorr(&signature, &message, &key).is_ok()
}

/// The rules for an ECDSA signature's bytes; the empty one is always allowed.
pub(super) fn check_signature_encoding(
    signature: &[u8],
    strictness: Strictness,
) -> Result<(), ScriptError> {
    let Some((hash_type, der)) = signature.split_last() else {
        return Ok(());
    };
    if !is_strict_der(signature) {
        return Err(ScriptError::SignatureEncoding);
    }
    if strictness == Strictness::Relay {
        if !has_low_s(der) {
            return Err(ScriptError::HighS);
        }
        if !matches!(hash_type & !SIGHASH_ANYONE, SIGHASH_ALL..=SIGHASH_SINGLE) {
            return Err(ScriptError::HashType);
        }
    }
    Ok(())
}

/// The rules for a public key's bytes: only relay has any.
pub(super) fn check_key_form(
    key: &[u8],
    version: SigVersion,
    strictness: Strictness,
) -> Result<(), ScriptError> {
    if strictness == Strictness::Consensus {
        return Ok(());
    }
    let compressed = matches!(key, [2 | 3, rest @ ..] if rest.len() == 32);
    let full = matches!(key, [4, rest @ ..] if rest.len() == 64);
    if compressed || (full && version == SigVersion::Legacy) {
        Ok(())
    } else {
        Err(ScriptError::PublicKeyForm)
    }
}

/// BIP 66: `30 [length] 02 [length of r] r 02 [length of s] s [type of hash]`, both numbers
/// positive and in their shortest form.
fn is_strict_der(signature: &[u8]) -> bool {
    if !(9..=73).contains(&signature.len()) || signature[0] != 0x30 {
        return false;
    }
    if usize::from(signature[1]) != signature.len() - 3 {
        return false;
    }
    let body = &signature[2..signature.len() - 1];
    let Some(rest) = strip_integer(body) else {
        return false;
    };
    strip_integer(rest).is_some_and(<[u8]>::is_empty)
}

/// What follows a positive integer in its shortest form.
fn strip_integer(bytes: &[u8]) -> Option<&[u8]> {
    let [2, length, rest @ ..] = bytes else {
        return None;
    };
    let (integer, rest) = rest.split_at_checked(usize::from(*length))?;
    match integer {
        [] => None,
        [first, ..] if first & 0x80 != 0 => None,
        [0, second, ..] if second & 0x80 == 0 => None,
        _ => Some(rest),
    }
}

fn has_low_s(der: &[u8]) -> bool {
    let Ok(signature) = ecdsa::Signature::from_der_lax(der) else {
        return false;
    };
    signature.serialize_compact()[32..] <= HALF_ORDER[..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_is_strict() {
        let good = hex::decode(
            "304402206e05a6fe23c59196ffe176c9ddc31e73a9885638f9d1328d47c0c703863b8876\
             022076feb53811aa5b04e0e79f938eb19906cc5e67548bc555a8e8b8b0fc603d840c01",
        )
        .unwrap();
        assert!(is_strict_der(&good));
        for (at, value) in [
            (0, 0x31),
            (1, 0x45),
            (2, 3),
            (3, 0x21),
            (3, 0),
            (4, 0x80),
            (36, 3),
        ] {
            let mut bad = good.clone();
            bad[at] = value;
            assert!(!is_strict_der(&bad), "{at} {value}");
        }
        let mut padded = good.clone();
        padded[1] += 1;
        padded[3] += 1;
        padded.insert(4, 0);
        assert!(!is_strict_der(&padded));
        let mut longer = good.clone();
        longer.insert(good.len() - 1, 0);
        assert!(!is_strict_der(&longer));
        assert!(!is_strict_der(&good[..good.len() - 1]));
        assert!(is_strict_der(&[0x30, 6, 2, 1, 0, 2, 1, 0, 1]));
        assert!(!is_strict_der(&[0x30, 5, 2, 0, 2, 1, 0, 1]));
    }
}
