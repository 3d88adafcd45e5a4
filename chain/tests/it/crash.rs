//! Power fails at the n-th write, for every n of a scenario with spends and a reorganisation:
//! what was accepted is there, the coins are those of the tip, and the node goes on.

use gio_chain::{BodyFile, Chain, ChainError, Store};
use gio_coin::{Block, BlockHash};

use crate::disk::{Disk, Power};
use crate::forge::{Forge, NOW, halve};

/// More than any scenario needs.
const PLENTY: i64 = 1 << 40;
/// Coinbases of the first blocks can then be spent.
const BASE: u32 = 102;

struct Machine {
    power: Power,
    index: Disk,
    bodies: Disk,
}

impl Machine {
    fn with(images: &[Vec<u8>; 2], power: i64) -> Self {
        let power = Power::for_operations(power);
        Self {
            index: Disk::with(images[0].clone(), &power),
            bodies: Disk::with(images[1].clone(), &power),
            power,
        }
    }

    fn start(&self, forge: &Forge) -> Result<Chain, ChainError> {
        let store = Store::open_backend(self.index.clone(), &forge.params)?;
        let magic = forge.params.magic;
        let bodies = self.bodies.clone();
        Chain::open(forge.params.clone(), store, |end| {
            Ok(BodyFile::on(Box::new(bodies), magic, end))
        })
    }

    fn after_crash(&self, seed: u64) -> [Vec<u8>; 2] {
        [
            self.index.after_crash(seed),
            self.bodies.after_crash(seed ^ 0x5555),
        ]
    }
}

/// Gives the blocks to a chain; how many it accepted before an error, if there was one.
fn give(chain: &mut Chain, blocks: &[Block]) -> usize {
    let accepted = blocks
        .iter()
        .take_while(|block| chain.add_block(block, NOW).is_ok());
    accepted.count()
}

/// A short branch and a longer one from the same block, both with spends.
fn scenario(forge: &mut Forge, base: &[Block]) -> Vec<Block> {
    let fork = base[base.len() - 2].id();
    let spends = |from: usize| {
        let (point, units) = Forge::reward_of(&base[from]);
        let first = halve(point, units);
        let txid = first.txid();
        let second = halve(gio_coin::OutPoint { txid, index: 0 }, units / 2);
        vec![first, second]
    };
    let first = forge.block(base[base.len() - 1].id(), spends(0));
    let mut blocks = vec![first];
    let mut parent = fork;
    for from in [0, 1] {
        let block = forge.block(parent, spends(from));
        parent = block.id();
        blocks.push(block);
    }
    blocks.extend(forge.grow(parent, 1));
    blocks
}

#[test]
fn n14_power_may_fail_at_any_write() {
    let mut forge = Forge::new();
    let base = forge.grow(forge.genesis(), BASE);
    let blocks = scenario(&mut forge, &base);
    let machine = Machine::with(&[vec![], vec![]], PLENTY);
    let mut chain = machine.start(&forge).expect("an empty machine starts");
    assert_eq!(give(&mut chain, &base), base.len());
    drop(chain);
    let images = [machine.index.image(), machine.bodies.image()];

    let whole = Machine::with(&images, PLENTY);
    let mut chain = whole.start(&forge).expect("a clean image starts");
    assert_eq!(give(&mut chain, &blocks), blocks.len());
    let end: BlockHash = blocks[blocks.len() - 1].id();
    forge.assert_at(&chain, end);
    drop(chain);
    let operations = PLENTY - whole.power.left();
    assert!(operations > 50, "{operations}");

    for power in 0..operations {
        let failing = Machine::with(&images, power);
        let accepted = match failing.start(&forge) {
            Ok(mut chain) => give(&mut chain, &blocks),
            Err(_) => 0,
        };
        let seed = u64::try_from(power).expect("not negative");
        let again = Machine::with(&failing.after_crash(seed), PLENTY);
        let mut chain = again
            .start(&forge)
            .unwrap_or_else(|error| panic!("after {power} operations: {error:?}"));
        for block in base.iter().chain(&blocks[..accepted]) {
            assert!(
                chain.headers().is_complete(&block.id()),
                "lost after {power}"
            );
        }
        forge.assert_at(&chain, chain.tip());
        assert_eq!(
            give(&mut chain, &blocks),
            blocks.len(),
            "stuck after {power}"
        );
        forge.assert_at(&chain, end);
    }
}
