//! The coin's work: scrypt with N = 1024, r = 1, p = 1 over the 80 bytes of a header.
//!
//! One hash is a chain of 4,096 dependent Salsa20/8 cores: alone it leaves most of a core
//! idle. [`ScryptHasher`] runs many hashes in step: one 128-bit row of one hash per vector
//! lane, and several vectors interleaved, with the widest instructions the machine has.

mod pbkdf;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::fmt;

use crate::hash::PowHash;
use crate::header::HEADER_BYTES;
use pbkdf::HmacKey;

/// scrypt's N: how many 128-byte states a hash keeps and revisits.
const ITERATIONS: usize = 1024;

/// A state of 32 words, as scrypt mixes it with r = 1.
type Words = [u32; 32];

/// Which instructions the mixing uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScryptPath {
    /// Plain Rust, one hash at a time.
    Portable,
    /// 128-bit vectors: three hashes in step. Every x86-64 machine has them.
    Sse2,
    /// 256-bit vectors: six hashes in step.
    Avx2,
    /// 512-bit vectors with rotations: sixteen hashes in step.
    Avx512,
}

impl ScryptPath {
    /// What this machine can run, slowest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let all = [Self::Portable, Self::Sse2, Self::Avx2, Self::Avx512];
        all.into_iter().filter(|path| path.is_available()).collect()
    }

    /// The fastest this machine can run.
    #[must_use]
    pub fn best() -> Self {
        let available = Self::available();
        *available.last().expect("the portable path always exists")
    }

    /// Whether this machine can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Sse2 => is_x86_feature_detected!("sse2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Sse2 | Self::Avx2 | Self::Avx512 => false,
        }
    }
}

impl fmt::Display for ScryptPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Sse2 => "sse2",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

/// Hashes headers in batches and keeps its memory (up to 2 MiB) between them.
#[derive(Debug)]
pub struct ScryptHasher {
    mixer: Mixer,
}

#[derive(Debug)]
enum Mixer {
    Portable(portable::Mixer<ITERATIONS>),
    #[cfg(target_arch = "x86_64")]
    Sse2(x86::sse2::Mixer<ITERATIONS>),
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::avx2::Mixer<ITERATIONS>),
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::avx512::Mixer<ITERATIONS>),
}

impl Default for ScryptHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl ScryptHasher {
    /// A hasher on the fastest path of this machine.
    #[must_use]
    pub fn new() -> Self {
        Self::with_path(ScryptPath::best()).expect("the best path is available")
    }

    /// A hasher on this path, if the machine can run it.
    #[must_use]
    pub fn with_path(path: ScryptPath) -> Option<Self> {
        let mixer = match path {
            ScryptPath::Portable => Mixer::Portable(portable::Mixer::new()),
            #[cfg(target_arch = "x86_64")]
            ScryptPath::Sse2 => Mixer::Sse2(x86::sse2::Mixer::new()?),
            #[cfg(target_arch = "x86_64")]
            ScryptPath::Avx2 => Mixer::Avx2(x86::avx2::Mixer::new()?),
            #[cfg(target_arch = "x86_64")]
            ScryptPath::Avx512 => Mixer::Avx512(x86::avx512::Mixer::new()?),
            #[cfg(not(target_arch = "x86_64"))]
            ScryptPath::Sse2 | ScryptPath::Avx2 | ScryptPath::Avx512 => return None,
        };
        Some(Self { mixer })
    }

    /// The path it runs on.
    #[must_use]
    pub fn path(&self) -> ScryptPath {
        match self.mixer {
            Mixer::Portable(_) => ScryptPath::Portable,
            #[cfg(target_arch = "x86_64")]
            Mixer::Sse2(_) => ScryptPath::Sse2,
            #[cfg(target_arch = "x86_64")]
            Mixer::Avx2(_) => ScryptPath::Avx2,
            #[cfg(target_arch = "x86_64")]
            Mixer::Avx512(_) => ScryptPath::Avx512,
        }
    }

    /// How many hashes it computes in step: batches of a multiple of this waste nothing.
    #[must_use]
    pub fn lanes(&self) -> usize {
        match self.mixer {
            Mixer::Portable(_) => 1,
            #[cfg(target_arch = "x86_64")]
            Mixer::Sse2(_) => x86::sse2::LANES,
            #[cfg(target_arch = "x86_64")]
            Mixer::Avx2(_) => x86::avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Mixer::Avx512(_) => x86::avx512::LANES,
        }
    }

    /// The proof-of-work hashes of these headers, in order.
    #[must_use]
    pub fn hash_all(&mut self, headers: &[[u8; HEADER_BYTES]]) -> Vec<PowHash> {
        let mut hashes = Vec::with_capacity(headers.len());
        for batch in headers.chunks(self.lanes()) {
            let keys: Vec<HmacKey> = batch.iter().map(|header| HmacKey::new(header)).collect();
            let mut states: Vec<Words> = std::iter::zip(&keys, batch)
                .map(|(key, header)| key.derive_words(header))
                .collect();
            self.mix(&mut states);
            hashes.extend(std::iter::zip(&keys, &states).map(|(key, state)| key.finish(state)));
        }
        hashes
    }

    /// The proof-of-work hash of one header.
    #[must_use]
    pub fn hash(&mut self, header: &[u8; HEADER_BYTES]) -> PowHash {
        self.hash_all(std::slice::from_ref(header))[0]
    }

    /// scrypt's ROMix over at most [`Self::lanes`] states.
    fn mix(&mut self, states: &mut [Words]) {
        match &mut self.mixer {
            Mixer::Portable(mixer) => mixer.mix(states),
            #[cfg(target_arch = "x86_64")]
            Mixer::Sse2(mixer) => mixer.mix(states),
            #[cfg(target_arch = "x86_64")]
            Mixer::Avx2(mixer) => mixer.mix(states),
            #[cfg(target_arch = "x86_64")]
            Mixer::Avx512(mixer) => mixer.mix(states),
        }
    }
}

#[cfg(test)]
mod tests;
