//! The three networks and the numbers they share.

use crate::Block;
use crate::genesis::{Backing, genesis_block};
use crate::hash::BlockHash;
use crate::target::{CompactTarget, Target};

/// Seconds between blocks that the difficulty aims at.
pub const SPACING_SECONDS: u32 = 60;
/// Blocks between two changes of the difficulty: one day.
pub const RETARGET_INTERVAL: u32 = 1440;
/// Seconds that many blocks should take.
pub const RETARGET_SECONDS: u32 = RETARGET_INTERVAL * SPACING_SECONDS;
/// Blocks before a coinbase may be spent: deeper than any reorganisation seen in earnest.
pub const COINBASE_MATURITY: u32 = 100;
/// How far a header's time may lie ahead of the clock; also the grace of R28's first rule.
pub const FUTURE_SECONDS_MAX: u32 = 7200;
/// Headers whose median time the next one must exceed.
pub const MEDIAN_TIME_SPAN: usize = 11;

/// Which coin network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// Money.
    Main,
    /// The same rules, worthless coins.
    Test,
    /// Blocks at will, for tests and the development network.
    Regtest,
}

impl Network {
    /// Its name in configuration and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Test => "test",
            Self::Regtest => "regtest",
        }
    }
}

/// First bytes and letters of addresses and exported keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressPrefixes {
    /// Base58 version of a public-key hash.
    pub pubkey_hash: u8,
    /// Base58 version of a script hash.
    pub script_hash: u8,
    /// Base58 version of a secret key.
    pub secret_key: u8,
    /// Human-readable part of witness programs.
    pub witness: &'static str,
}

/// All that differs between the networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// Which one.
    pub network: Network,
    /// First bytes of every peer message.
    pub magic: [u8; 4],
    /// Where peers listen.
    pub port: u16,
    /// Where JSON-RPC listens.
    pub rpc_port: u16,
    /// How addresses look.
    pub prefixes: AddressPrefixes,
    /// The easiest target allowed.
    pub pow_limit: Target,
    /// Whether the difficulty changes; on regtest it never does.
    pub retargets: bool,
    /// The first block.
    pub genesis: Block,
}

impl Params {
    /// The parameters of a network.
    #[must_use]
    pub fn of(network: Network) -> Self {
        match network {
            Network::Main => Self::main(),
            Network::Test => Self::test(),
            Network::Regtest => Self::regtest(Backing::UNDECIDED),
        }
    }

    /// A regtest network whose first block names this deployment on the EVM side.
    #[must_use]
    pub fn regtest(backing: Backing) -> Self {
        Self {
            network: Network::Regtest,
            magic: [0x66, 0x93, 0xb0, 0x9f],
            port: 43444,
            rpc_port: 43443,
            prefixes: AddressPrefixes {
                pubkey_hash: 111,
                script_hash: 196,
                secret_key: 239,
                witness: "giort",
            },
            pow_limit: Target::from_bit_len(255),
            retargets: false,
            genesis: genesis_block(Network::Regtest, backing),
        }
    }

    fn main() -> Self {
        Self {
            network: Network::Main,
            magic: [0x99, 0xd0, 0x7d, 0xfb],
            port: 23333,
            rpc_port: 23332,
            prefixes: AddressPrefixes {
                pubkey_hash: 195,
                script_hash: 97,
                secret_key: 61,
                witness: "gio",
            },
            pow_limit: Target::from_bit_len(236),
            retargets: true,
            genesis: genesis_block(Network::Main, Backing::UNDECIDED),
        }
    }

    fn test() -> Self {
        Self {
            network: Network::Test,
            magic: [0xa7, 0x93, 0xd5, 0xf1],
            port: 43333,
            rpc_port: 43332,
            prefixes: AddressPrefixes {
                pubkey_hash: 111,
                script_hash: 196,
                secret_key: 239,
                witness: "tgio",
            },
            genesis: genesis_block(Network::Test, Backing::UNDECIDED),
            ..Self::main()
        }
    }

    /// Id of the first block.
    #[must_use]
    pub fn genesis_id(&self) -> BlockHash {
        self.genesis.id()
    }

    /// The bits of the first period.
    #[must_use]
    pub fn genesis_bits(&self) -> CompactTarget {
        self.genesis.header.bits
    }
}
