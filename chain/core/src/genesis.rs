//! The first block of each network: the premine, in the open (R27, R29).

use gio_protocol::Gio;

use crate::Block;
use crate::hash::BlockHash;
use crate::header::Header;
use crate::link::Link;
use crate::merkle::merkle_root;
use crate::params::Network;
use crate::script::opcode::OP_RETURN;
use crate::script::{Script, ScriptBuilder};
use crate::target::CompactTarget;
use crate::transaction::{OutPoint, Transaction, TxIn, TxOut, Witness};

/// The words of the seed network's first block.
const MESSAGE: &[u8] = b"GRAVIO - everything is connected";
/// 2026-11-20 00:00:00 UTC.
const TIME: u32 = 1_795_132_800;
/// The version that signals nothing.
const VERSION: u32 = 0x2000_0000;
/// Hard enough that a lone machine needs a minute for the first blocks of a network.
const BITS: CompactTarget = CompactTarget(0x1e0f_fff0);
/// Every second hash is good enough.
const REGTEST_BITS: CompactTarget = CompactTarget(0x207f_ffff);

/// The EVM deployment whose initial supply the two unspendable outputs back: each side names
/// the other, so that nobody can build a second deployment on the same coins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backing {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The wrapped token's address.
    pub token: [u8; 20],
}

impl Backing {
    /// Before a deployment is chosen; see `docs/coin.md` on what a launch replaces.
    pub const UNDECIDED: Self = Self {
        chain_id: 0,
        token: [0; 20],
    };

    /// A script nobody can fulfil that names the deployment.
    fn script(self) -> Script {
        let mut name = self.chain_id.to_be_bytes().to_vec();
        name.extend_from_slice(&self.token);
        ScriptBuilder::new().op(OP_RETURN).push(&name).build()
    }
}

/// Who gets the spendable part: HASH160 of their compressed keys.
struct Holders {
    investors: [u8; 20],
    team: [u8; 20],
}

impl Holders {
    /// Rehearsal keys: the secret of each is SHA-256 of its output's link and the network's
    /// name (`docs/coin.md`), so anybody can spend these coins until a launch replaces them.
    const fn of(network: Network) -> Self {
        match network {
            Network::Main => Self {
                investors: [
                    0x84, 0x51, 0x34, 0xca, 0xb4, 0xb0, 0x03, 0x21, 0x84, 0xf2, 0xc5, 0x0d, 0x24,
                    0x2f, 0x08, 0xd1, 0x91, 0x50, 0xa8, 0x79,
                ],
                team: [
                    0x79, 0xcd, 0x24, 0x1d, 0xe1, 0x35, 0x95, 0xd5, 0x71, 0xdb, 0xf3, 0x6d, 0x6b,
                    0xe1, 0x2a, 0x95, 0x09, 0x24, 0xd9, 0x4d,
                ],
            },
            Network::Test => Self {
                investors: [
                    0xc0, 0x76, 0x44, 0x5d, 0x24, 0x72, 0xa7, 0x99, 0x4b, 0x0a, 0xfa, 0x77, 0x48,
                    0xb6, 0x0c, 0xc2, 0xca, 0xe3, 0xc2, 0x43,
                ],
                team: [
                    0x7b, 0xb5, 0x9d, 0x88, 0x46, 0x4a, 0xbf, 0x7f, 0x6a, 0xf5, 0xb9, 0x3d, 0x14,
                    0x00, 0xb6, 0x7f, 0x8f, 0x88, 0x07, 0x18,
                ],
            },
            Network::Regtest => Self {
                investors: [
                    0xfb, 0xae, 0x52, 0x29, 0x23, 0x50, 0x3e, 0x3a, 0x02, 0xa2, 0xc0, 0x9d, 0x68,
                    0x62, 0x5c, 0x11, 0x31, 0xcb, 0x4c, 0x89,
                ],
                team: [
                    0x56, 0x1e, 0x70, 0x58, 0x2d, 0xc1, 0x93, 0xf2, 0xff, 0xe8, 0xca, 0xff, 0xc3,
                    0x18, 0xd3, 0xf0, 0xeb, 0x08, 0xda, 0x69,
                ],
            },
        }
    }
}

fn premine_output(gio: u64, script_pubkey: Script, purpose: &str) -> TxOut {
    TxOut {
        value: Gio::from_whole(gio).expect("less than all there is"),
        script_pubkey,
        link: Link::new(purpose.as_bytes()).expect("a purpose is a few words"),
    }
}

fn coinbase(network: Network, backing: Backing) -> Transaction {
    let holders = Holders::of(network);
    let input = TxIn {
        previous: OutPoint::NULL,
        script_sig: ScriptBuilder::new().push(MESSAGE).build(),
        sequence: u32::MAX,
        witness: Witness::new(),
    };
    let investors = Script::pay_to_pubkey_hash(&holders.investors);
    let team = Script::pay_to_pubkey_hash(&holders.team);
    Transaction {
        version: 1,
        inputs: vec![input],
        outputs: vec![
            premine_output(150_000_000, investors, "gio:premine/investors"),
            premine_output(30_000_000, team, "gio:premine/team"),
            premine_output(17_000_000, backing.script(), "gio:premine/new-users"),
            premine_output(3_000_000, backing.script(), "gio:premine/bounty"),
        ],
        lock_time: 0,
    }
}

/// The first block. On regtest its nonce is searched for here, which takes a few hashes.
pub(crate) fn genesis_block(network: Network, backing: Backing) -> Block {
    let transactions = vec![coinbase(network, backing)];
    let leaves = transactions
        .iter()
        .map(|transaction| transaction.txid().to_leaf());
    let (bits, nonce) = match network {
        Network::Main => (BITS, 1_605_203),
        Network::Test => (BITS, 1_751_790),
        Network::Regtest => (REGTEST_BITS, 0),
    };
    let mut header = Header {
        version: VERSION,
        previous: BlockHash::default(),
        merkle_root: merkle_root(leaves).expect("one leaf repeats nothing"),
        time: TIME,
        bits,
        nonce,
    };
    if network == Network::Regtest {
        let mined = crate::work::mine(header, 0..=u32::MAX);
        header = mined.expect("every second nonce is good");
    }
    Block {
        header,
        transactions,
    }
}

#[cfg(test)]
mod tests {
    use secp256k1::{PublicKey, SECP256K1, SecretKey};

    use super::*;
    use crate::hash::sha256;
    use crate::params::Params;
    use crate::subsidy::PREMINE;
    use crate::work::work_hash;

    const NETWORKS: [Network; 3] = [Network::Main, Network::Test, Network::Regtest];

    #[test]
    fn r27_the_premine_is_four_outputs_of_the_schedules_first_rewards() {
        for network in NETWORKS {
            let genesis = Params::of(network).genesis;
            let outputs = &genesis.transactions[0].outputs;
            let units: Vec<u64> = outputs.iter().map(|output| output.value.units()).collect();
            assert_eq!(units.iter().sum::<u64>(), PREMINE.units());
            let million = PREMINE.units() / 200;
            assert_eq!(
                units,
                [150 * million, 30 * million, 17 * million, 3 * million]
            );
            assert!(outputs.iter().all(|output| !output.link.is_empty()));
        }
    }

    #[test]
    fn r29_new_users_and_bounty_can_never_be_spent_and_name_their_deployment() {
        let backing = Backing {
            chain_id: 31337,
            token: [0xab; 20],
        };
        let genesis = Params::regtest(backing).genesis;
        let outputs = &genesis.transactions[0].outputs;
        let spendable = outputs
            .iter()
            .map(|output| !output.script_pubkey.is_unspendable());
        assert_eq!(spendable.collect::<Vec<_>>(), [true, true, false, false]);
        let script = outputs[2].script_pubkey.as_bytes();
        assert_eq!(script[2..10], 31337u64.to_be_bytes());
        assert_eq!(script[10..], [0xab; 20]);
        assert_ne!(genesis.id(), Params::of(Network::Regtest).genesis_id());
    }

    #[test]
    fn the_holders_are_the_documented_rehearsal_keys() {
        for network in NETWORKS {
            let outputs = Params::of(network).genesis.transactions.remove(0).outputs;
            for output in &outputs[..2] {
                let phrase = [output.link.as_bytes(), b"#", network.name().as_bytes()].concat();
                let secret = SecretKey::from_slice(&sha256(&phrase)).unwrap();
                let key = PublicKey::from_secret_key(SECP256K1, &secret).serialize();
                let expected = Script::pay_to_pubkey_hash(&Script::hash160(&key));
                assert_eq!(
                    output.script_pubkey, expected,
                    "{network:?} {:?}",
                    output.link
                );
            }
        }
    }

    #[test]
    fn the_first_blocks_are_these_and_carry_their_work() {
        let ids = [
            "2999db01cbb38bb3eb47051c6a33bb3f09fd3c91b10b32be2cf9ac438af8009a",
            "7b42eb5222e82d24e72d839affe371463867484889e4b78001e0c0e2f1e94ebd",
            "25afd9130ba3c0604d05bdc5adb3ce7fbf0f271a37a594a6d8217e8c0cc7c19b",
        ];
        for (network, id) in NETWORKS.into_iter().zip(ids) {
            let params = Params::of(network);
            assert_eq!(params.genesis_id().to_string(), id, "{network:?}");
            let target = params.genesis_bits().expand().unwrap();
            assert!(target <= params.pow_limit);
            assert!(target.is_met_by(&work_hash(&params.genesis.header)));
        }
    }
}
