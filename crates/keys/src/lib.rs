//! Keys: one secp256k1 key per machine signs everything it says, on chain and off.
//!
//! Signatures are made and checked by the C library `secp256k1`, always against a known key.
//! Pure: reading and writing key files is the agents' business.
#![warn(missing_docs)]

use std::fmt;

use alloy_primitives::{Address, B256, hex, keccak256};
use gio_protocol::Signature;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, SECP256K1, SecretKey};
use thiserror::Error;

/// Bytes or text that are no key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not 64 hexadecimal digits.
    #[error("a key file holds 64 hexadecimal digits")]
    NotHex,
    /// Zero, or not below the group order.
    #[error("these 32 bytes are not a secp256k1 secret key")]
    NotASecret,
    /// Not a compressed point of the curve.
    #[error("these 33 bytes are not a compressed secp256k1 public key")]
    NotAPoint,
}

/// A signature that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// `r`, `s` or `v` is out of range, or `s` is in the upper half.
    #[error("the signature is malformed")]
    Malformed,
    /// It is somebody else's, or of something else.
    #[error("the signature is not {expected}'s")]
    WrongSigner {
        /// Whose it should be.
        expected: Address,
    },
}

/// A machine's secret key: its EVM account, its libp2p identity and the signer of its messages.
#[derive(Clone)]
pub struct MachineKey {
    secret: SecretKey,
    public: PublicKey,
}

impl MachineKey {
    /// A key from its 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::NotASecret`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = SecretKey::from_slice(bytes).map_err(|_| KeyError::NotASecret)?;
        let public = PublicKey(secp256k1::PublicKey::from_secret_key_global(&secret));
        Ok(Self { secret, public })
    }

    /// A key from the text of a key file.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let mut bytes = [0u8; 32];
        hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| KeyError::NotHex)?;
        Self::from_bytes(&bytes)
    }

    /// The text of a key file.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}\n", hex::encode(self.secret_bytes()))
    }

    /// The 32 secret bytes.
    #[must_use]
    pub fn secret_bytes(&self) -> [u8; 32] {
        self.secret.secret_bytes()
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// The EVM account.
    #[must_use]
    pub fn address(&self) -> Address {
        self.public.address()
    }

    /// Signs a digest: deterministic (RFC 6979), low `s`.
    #[must_use]
    pub fn sign(&self, digest: B256) -> Signature {
        let message = Message::from_digest(digest.0);
        let (id, compact) = SECP256K1
            .sign_ecdsa_recoverable(&message, &self.secret)
            .serialize_compact();
        let mut bytes = [0u8; 65];
        bytes[..64].copy_from_slice(&compact);
        bytes[64] = if id.to_i32() & 1 == 0 { 27 } else { 28 };
        Signature(bytes)
    }
}

impl fmt::Debug for MachineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MachineKey({}, [redacted])", self.address())
    }
}

/// A machine's public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(secp256k1::PublicKey);

impl PublicKey {
    /// A key from its 33 compressed bytes.
    ///
    /// # Errors
    /// [`KeyError::NotAPoint`].
    pub fn from_bytes(bytes: &[u8; 33]) -> Result<Self, KeyError> {
        secp256k1::PublicKey::from_slice(bytes)
            .map(Self)
            .map_err(|_| KeyError::NotAPoint)
    }

    /// The 33 compressed bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 33] {
        self.0.serialize()
    }

    /// The EVM account of this key.
    #[must_use]
    pub fn address(&self) -> Address {
        let hash = keccak256(&self.0.serialize_uncompressed()[1..]);
        Address::from_slice(&hash[12..])
    }

    /// Checks a signature of this very key; quicker than recovering whose it is.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self, digest: B256, signature: &Signature) -> Result<(), SignatureError> {
        let plain = parse(signature)?.to_standard();
        if plain != normalised(plain) {
            return Err(SignatureError::Malformed);
        }
        SECP256K1
            .verify_ecdsa(&Message::from_digest(digest.0), &plain, &self.0)
            .map_err(|_| SignatureError::WrongSigner {
                expected: self.address(),
            })
    }
}

/// Checks that a signature is `signer`'s where only the address is known.
///
/// # Errors
/// [`SignatureError`].
pub fn verify_by_address(
    signer: Address,
    digest: B256,
    signature: &Signature,
) -> Result<(), SignatureError> {
    let parsed = parse(signature)?;
    let plain = parsed.to_standard();
    if plain != normalised(plain) {
        return Err(SignatureError::Malformed);
    }
    let recovered = SECP256K1
        .recover_ecdsa(&Message::from_digest(digest.0), &parsed)
        .map_err(|_| SignatureError::Malformed)?;
    if PublicKey(recovered).address() == signer {
        Ok(())
    } else {
        Err(SignatureError::WrongSigner { expected: signer })
    }
}

fn parse(signature: &Signature) -> Result<RecoverableSignature, SignatureError> {
    let bytes = signature.as_bytes();
    let id = match bytes[64] {
        27 => 0,
        28 => 1,
        _ => return Err(SignatureError::Malformed),
    };
    let id = RecoveryId::from_i32(id).map_err(|_| SignatureError::Malformed)?;
    RecoverableSignature::from_compact(&bytes[..64], id).map_err(|_| SignatureError::Malformed)
}

fn normalised(mut signature: secp256k1::ecdsa::Signature) -> secp256k1::ecdsa::Signature {
    signature.normalize_s();
    signature
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{U256, address, b256};

    use super::*;

    fn key(byte: u8) -> MachineKey {
        MachineKey::from_bytes(&[byte; 32]).unwrap()
    }

    /// The first account of the well-known test mnemonic that every EVM development node offers.
    #[test]
    fn addresses_are_ethereums() {
        let text = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80\n";
        let key = MachineKey::from_text(text).unwrap();
        assert_eq!(
            key.address(),
            address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
        );
        assert_eq!(key.to_text(), text);
    }

    #[test]
    fn a_signature_holds_for_its_key_and_digest_only() {
        let digest = b256!("0101010101010101010101010101010101010101010101010101010101010101");
        let signature = key(1).sign(digest);
        key(1).public_key().verify(digest, &signature).unwrap();
        verify_by_address(key(1).address(), digest, &signature).unwrap();
        let wrong = SignatureError::WrongSigner {
            expected: key(2).address(),
        };
        assert_eq!(
            key(2).public_key().verify(digest, &signature),
            Err(wrong.clone())
        );
        assert_eq!(
            verify_by_address(key(2).address(), digest, &signature),
            Err(wrong)
        );
        assert!(key(1).public_key().verify(B256::ZERO, &signature).is_err());
        assert!(verify_by_address(key(1).address(), B256::ZERO, &signature).is_err());
    }

    /// EIP-2: the other half of the curve's order would be a second valid signature.
    #[test]
    fn a_high_s_is_refused() {
        let digest = B256::repeat_byte(3);
        let mut bytes = *key(1).sign(digest).as_bytes();
        let order = U256::from_be_bytes(secp256k1::constants::CURVE_ORDER);
        let s = U256::from_be_slice(&bytes[32..64]);
        bytes[32..64].copy_from_slice(&(order - s).to_be_bytes::<32>());
        bytes[64] = 27 + 28 - bytes[64];
        let signature = Signature(bytes);
        assert_eq!(
            key(1).public_key().verify(digest, &signature),
            Err(SignatureError::Malformed)
        );
        assert_eq!(
            verify_by_address(key(1).address(), digest, &signature),
            Err(SignatureError::Malformed)
        );
    }

    #[test]
    fn keys_print_no_secret() {
        assert!(!format!("{:?}", key(0x77)).contains("7777"));
    }
}
