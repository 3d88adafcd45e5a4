//! PBKDF2-HMAC-SHA-256 with one iteration: the frame around scrypt's mixing.

use sha2::{Digest, Sha256};

use super::Words;
use crate::hash::PowHash;

/// HMAC-SHA-256 with the key already absorbed: one key serves all five calls of a hash.
#[derive(Clone)]
pub(super) struct HmacKey {
    inner: Sha256,
    outer: Sha256,
}

impl HmacKey {
    pub(super) fn new(key: &[u8]) -> Self {
        let mut pad = [0; 64];
        if key.len() > pad.len() {
            pad[..32].copy_from_slice(&Sha256::digest(key));
        } else {
            pad[..key.len()].copy_from_slice(key);
        }
        Self {
            inner: Sha256::new().chain_update(pad.map(|byte| byte ^ 0x36)),
            outer: Sha256::new().chain_update(pad.map(|byte| byte ^ 0x5c)),
        }
    }

    /// Fills `output` with 32-byte blocks derived from `salt`.
    pub(super) fn derive(&self, salt: &[u8], output: &mut [u8]) {
        let salted = self.inner.clone().chain_update(salt);
        for (index, block) in (1u32..).zip(output.chunks_mut(32)) {
            let inner = salted.clone().chain_update(index.to_be_bytes()).finalize();
            let outer = self.outer.clone().chain_update(inner).finalize();
            block.copy_from_slice(&outer[..block.len()]);
        }
    }

    /// The 128 bytes that mixing starts from, as little-endian words.
    pub(super) fn derive_words(&self, salt: &[u8]) -> Words {
        let mut bytes = [0; 128];
        self.derive(salt, &mut bytes);
        let mut words = [0; 32];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        words
    }

    /// The hash that follows from a mixed state.
    pub(super) fn finish(&self, state: &Words) -> PowHash {
        let mut salt = [0; 128];
        for (bytes, word) in salt.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *bytes = word.to_le_bytes();
        }
        let mut output = [0; 32];
        self.derive(&salt, &mut output);
        PowHash::from_bytes(output)
    }
}
