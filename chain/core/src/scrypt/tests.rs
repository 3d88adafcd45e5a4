//! The vectors of RFC 7914, historic headers, and every path against RustCrypto's crate.

use proptest::prelude::*;

use super::*;
use crate::CompactTarget;
use crate::header::Header;

const BLOCK_MIX_INPUT: &str = "f7ce0b653d2d72a4108cf5abe912ffdd777616dbbb27a70e8204f3ae2d0f6fad\
    89f68f4811d1e87bcc3bd7400a9ffd29094f0184639574f39ae5a1315217bcd7\
    894991447213bb226c25b54da86370fbcd984380374666bb8ffcb5bf40c254b0\
    67d27c51ce4ad5fed829c90b505a571b7f4d1cad6a523cda770e67bceaaf7e89";
const BLOCK_MIX_OUTPUT: &str = "a41f859c6608cc993b81cacb020cef05044b2181a2fd337dfd7b1c6396682f29\
    b4393168e3c9e6bcfe6bc5b7a06d96bae424cc102c91745c24ad673dc7618f81\
    20edc975323881a80540f64c162dcd3c21077cfe5f8d5fe2b1a4168f953678b7\
    7d3b3d803b60e4ab920996e59b4d53b65d2a225877d5edf5842cb9f14eefe425";
const RO_MIX_OUTPUT: &str = "79ccc193629debca047f0b70604bf6b62ce3dd4a9626e355fafc6198e6ea2b46\
    d58413673b99b029d665c357601fb426a0b2f4bba200ee9f0a43d19b571a9c71\
    ef1142e65d5a266fddca832ce59faa7cac0b9cf1be2bffca300d01ee387619c4\
    ae12fd4438f203a0e4e1c47ec314861f4e9087cb33396a6873e8f9d2539a4b8e";

fn words<const W: usize>(text: &str) -> [u32; W] {
    let bytes = hex::decode(text).unwrap();
    let (words, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty());
    let words: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
    words.try_into().unwrap()
}

#[test]
fn rfc_7914_salsa_and_block_mix() {
    let mut block = words(
        "7e879a214f3ec9867ca940e641718f26baee555b8c61c1b50df846116dcd3b1d\
         ee24f319df9b3d8514121e4b5ac5aa3276021d2909c74829edebc68db8b8c25e",
    );
    portable::salsa20_8(&mut block);
    assert_eq!(block, words(&BLOCK_MIX_OUTPUT[..128]));
    let mut state = words(BLOCK_MIX_INPUT);
    portable::block_mix(&mut state);
    assert_eq!(state, words(BLOCK_MIX_OUTPUT));
}

/// Any path's mixing.
type Mix = Box<dyn FnMut(&mut [Words])>;

#[test]
fn rfc_7914_ro_mix_on_every_path_and_with_every_number_of_states() {
    let (input, output): (Words, Words) = (words(BLOCK_MIX_INPUT), words(RO_MIX_OUTPUT));
    for count in 1..40 {
        let mut mixers: Vec<Mix> = Vec::new();
        let mut portable = portable::Mixer::<16>::new();
        mixers.push(Box::new(move |states| portable.mix(states)));
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(mut mixer) = x86::sse2::Mixer::<16>::new() {
                mixers.push(Box::new(move |states| mixer.mix(states)));
            }
            if let Some(mut mixer) = x86::avx2::Mixer::<16>::new() {
                mixers.push(Box::new(move |states| mixer.mix(states)));
            }
            if let Some(mut mixer) = x86::avx512::Mixer::<16>::new() {
                mixers.push(Box::new(move |states| mixer.mix(states)));
            }
        }
        assert_eq!(mixers.len(), ScryptPath::available().len());
        for mix in &mut mixers {
            let mut states = vec![input; count];
            mix(&mut states);
            assert_eq!(states, vec![output; count]);
        }
    }
}

#[test]
fn rfc_7914_key_derivation() {
    let mut key = [0; 64];
    HmacKey::new(b"passwd").derive(b"salt", &mut key);
    let expected = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
                    49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783";
    assert_eq!(hex::encode(key), expected);

    let empty = HmacKey::new(b"");
    let mut state = empty.derive_words(b"");
    portable::Mixer::<16>::new().mix(std::slice::from_mut(&mut state));
    let expected = "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442";
    assert_eq!(hex::encode(empty.finish(&state).as_bytes()), expected);
}

/// (root, time, bits, nonce) of a first block, its id and its work.
type Historic = (&'static str, u32, u32, u32, &'static str, &'static str);

const HISTORIC: [Historic; 4] = [
    (
        "c2d6e4d7fa67f03c94d903099a0ce642f7f1d7a4443050f403eb54253b0afe41",
        1_475_280_000,
        0x1e0f_fff0,
        234_697,
        "b260e7c41c4570abebe64f73eb4f93bbd306cf38b3768eee828217526b9f6dcb",
        "00000dd2869888bcc9f7068263c0ab2a9aaec06cf77a2d87e49760911bd16296",
    ),
    (
        "c2d6e4d7fa67f03c94d903099a0ce642f7f1d7a4443050f403eb54253b0afe41",
        1_502_108_158,
        0x1e0f_fff0,
        76_491,
        "45253d3f2f3c3cffae3443fc2a9429fc3f4203f62bd8316cce56342960fd25da",
        "00000cf411ce96a1c1470c235745398162b34bd8d3e440283ff2e084e4ebdb12",
    ),
    (
        "c2d6e4d7fa67f03c94d903099a0ce642f7f1d7a4443050f403eb54253b0afe41",
        1_500_150_515,
        0x1e0f_fff0,
        937,
        "052f29ebaa7b5dc7a58cc1deb37e78fd1b9a7e528999a92c5d93b6956f53b160",
        "00000e541fc846b15f5923ed874d2b6ec7180c647dd44a43b78c88c02ab6f9db",
    ),
    // Litecoin's.
    (
        "97ddfbbae6be97fd6cdf3e7ca13232a3afff2353e29badfab7f73011edd4ced9",
        1_317_972_665,
        0x1e0f_fff0,
        2_084_524_493,
        "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2",
        "0000050c34a64b415b6b15b37f2216634b5b1669cb9a2e38d76f7213b0671e00",
    ),
];

#[test]
fn historic_first_blocks_have_their_ids_and_their_work() {
    for path in ScryptPath::available() {
        let mut hasher = ScryptHasher::with_path(path).unwrap();
        for (root, time, bits, nonce, id, work) in HISTORIC {
            let header = Header {
                version: 1,
                previous: crate::BlockHash::default(),
                merkle_root: root.parse().unwrap(),
                time,
                bits: CompactTarget(bits),
                nonce,
            };
            assert_eq!(header.id().to_string(), id);
            let hash = hasher.hash(&header.encode());
            assert_eq!(hash.to_string(), work, "{path}");
            assert!(header.bits.expand().unwrap().is_met_by(&hash));
        }
    }
}

fn oracle(header: &[u8; HEADER_BYTES]) -> PowHash {
    let params = ::scrypt::Params::new(10, 1, 1).unwrap();
    let mut hash = [0; 32];
    ::scrypt::scrypt(header, header, &params, &mut hash).unwrap();
    PowHash::from_bytes(hash)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn every_path_equals_rustcrypto(
        seeds in proptest::collection::vec(any::<[u8; 32]>(), 1..35)
    ) {
        let headers: Vec<[u8; HEADER_BYTES]> = seeds
            .iter()
            .map(|seed| std::array::from_fn(|i| seed[i % 32] ^ u8::try_from(i).unwrap()))
            .collect();
        let expected: Vec<PowHash> = headers.iter().map(oracle).collect();
        for path in ScryptPath::available() {
            let mut hasher = ScryptHasher::with_path(path).unwrap();
            prop_assert_eq!(hasher.hash_all(&headers), expected.clone(), "{}", path);
        }
    }
}
