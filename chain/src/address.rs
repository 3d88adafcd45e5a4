//! Addresses as people write them: base58 with a checksum, and bech32 for witness programs (BIP 173, BIP 350).

use gio_coin::{AddressPrefixes, Script, ScriptBuilder, opcode, sha256d};
use thiserror::Error;

/// Longest text that can be an address (BIP 173).
const TEXT_MAX: usize = 90;
/// What the checksum of version 0 ends in, and of all others.
const BECH32: u32 = 1;
const BECH32M: u32 = 0x2bc8_30a3;

/// A text is no address of this network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// A digit or the length is wrong.
    #[error("this is no address")]
    Malformed,
    /// It was mistyped.
    #[error("the checksum of the address is wrong")]
    Checksum,
    /// It is for something else.
    #[error("this is no address of this network")]
    OtherNetwork,
}

/// The script an address stands for.
///
/// # Errors
/// [`AddressError`].
pub fn script_of(text: &str, prefixes: &AddressPrefixes) -> Result<Script, AddressError> {
    if text.len() > TEXT_MAX || !text.is_ascii() {
        return Err(AddressError::Malformed);
    }
    let lower = text.to_ascii_lowercase();
    match lower.rsplit_once('1') {
        Some((prefix, data)) if prefix == prefixes.witness => {
            if text != lower && text != text.to_ascii_uppercase() {
                return Err(AddressError::Malformed);
            }
            witness_script(prefix, data)
        }
        _ => base58_script(text, prefixes),
    }
}

fn base58_script(text: &str, prefixes: &AddressPrefixes) -> Result<Script, AddressError> {
    const DIGITS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    // Version 1, hash 20, checksum 4.
    let mut bytes = [0u8; 25];
    for digit in text.bytes() {
        let value = DIGITS.iter().position(|known| *known == digit);
        let mut carry = value.ok_or(AddressError::Malformed)?;
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        if carry != 0 {
            return Err(AddressError::Malformed);
        }
    }
    let (content, check) = bytes.split_at(21);
    let zeros = content.iter().take_while(|byte| **byte == 0).count();
    let ones = text.bytes().take_while(|digit| *digit == b'1').count();
    if zeros != ones {
        return Err(AddressError::Malformed);
    }
    if sha256d(content)[..4] != *check {
        return Err(AddressError::Checksum);
    }
    let hash: &[u8; 20] = content.last_chunk().expect("the last 20 of 21 bytes");
    match content[0] {
        version if version == prefixes.pubkey_hash => Ok(Script::pay_to_pubkey_hash(hash)),
        version if version == prefixes.script_hash => Ok(ScriptBuilder::new()
            .op(opcode::OP_HASH160)
            .push(hash)
            .op(opcode::OP_EQUAL)
            .build()),
        _ => Err(AddressError::OtherNetwork),
    }
}

fn polymod(values: impl Iterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    values.fold(1, |check, value| {
        let top = check >> 25;
        let mut check = (check & 0x01ff_ffff) << 5 ^ u32::from(value);
        for (at, word) in GENERATOR.iter().enumerate() {
            if top >> at & 1 == 1 {
                check ^= word;
            }
        }
        check
    })
}

fn witness_script(prefix: &str, data: &str) -> Result<Script, AddressError> {
    const DIGITS: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let value = |digit: u8| DIGITS.iter().position(|known| *known == digit);
    let values: Option<Vec<u8>> = data
        .bytes()
        .map(|digit| value(digit).and_then(|at| u8::try_from(at).ok()))
        .collect();
    let values = values.ok_or(AddressError::Malformed)?;
    let high = prefix.bytes().map(|byte| byte >> 5);
    let low = prefix.bytes().map(|byte| byte & 31);
    let check = polymod(high.chain([0]).chain(low).chain(values.iter().copied()));
    let (version, digits) = values.split_first().ok_or(AddressError::Malformed)?;
    let Some(digits) = digits.len().checked_sub(6).map(|end| &digits[..end]) else {
        return Err(AddressError::Malformed);
    };
    if check != if *version == 0 { BECH32 } else { BECH32M } {
        return Err(AddressError::Checksum);
    }
    let program = eight_bits(digits).ok_or(AddressError::Malformed)?;
    match (version, program.len()) {
        (0, 20 | 32) | (1..=16, 2..=40) => {
            let script = match version {
                0 => ScriptBuilder::new().op(0),
                version => ScriptBuilder::new().op(opcode::OP_1 + version - 1),
            };
            Ok(script.push(&program).build())
        }
        _ => Err(AddressError::Malformed),
    }
}

/// Groups of five bits as bytes; what is left over must be zeros, fewer than five.
fn eight_bits(digits: &[u8]) -> Option<Vec<u8>> {
    let (mut word, mut bits) = (0u32, 0);
    let mut bytes = Vec::new();
    for digit in digits {
        word = (word << 5 | u32::from(*digit)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits).to_le_bytes()[0]);
        }
    }
    (bits < 5 && word & ((1 << bits) - 1) == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bitcoin's, so that published vectors can be used.
    const BITCOIN: AddressPrefixes = AddressPrefixes {
        pubkey_hash: 0,
        script_hash: 5,
        secret_key: 128,
        witness: "bc",
    };

    fn script(text: &str) -> Result<String, AddressError> {
        script_of(text, &BITCOIN).map(|script| hex::encode(script.as_bytes()))
    }

    #[test]
    fn published_vectors() {
        let vectors = [
            (
                "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
                "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac",
            ),
            (
                "3P14159f73E4gFr7JterCCQh9QjiTjiZrG",
                "a914e9c3dd0c07aac76179ebc76a6c78d4d67c6c160a87",
            ),
            (
                "1111111111111111111114oLvT2",
                "76a914000000000000000000000000000000000000000088ac",
            ),
            (
                "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
                "0014751e76e8199196d454941c45d1b3a323f1433bd6",
            ),
            (
                "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
                "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
            ),
        ];
        for (text, expected) in vectors {
            assert_eq!(script(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn every_mistyped_digit_is_noticed() {
        for text in [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ] {
            for at in 4..text.len() {
                let other = if &text[at..=at] == "q" { "p" } else { "q" };
                let mistyped = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert!(script(&mistyped).is_err(), "{mistyped}");
            }
        }
    }

    #[test]
    fn other_networks_and_mixed_case_are_refused() {
        let testnet = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn";
        assert_eq!(script(testnet), Err(AddressError::OtherNetwork));
        assert!(script("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx").is_err());
        assert!(script("bc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4").is_err());
        // BIP 350: version 1 with the checksum of version 0.
        let wrong = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd";
        assert_eq!(script(wrong), Err(AddressError::Checksum));
        assert_eq!(script(""), Err(AddressError::Malformed));
    }
}
