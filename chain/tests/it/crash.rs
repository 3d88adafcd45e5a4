//! Power fails at the n-th write, or that write alone finds no room, for every n of a scenario with spends and a
//! reorganisation, and of making the index again: what was accepted is there, the coins are those of the tip, and the
//! node goes on.

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
        Self::powered(images, Power::for_operations(power))
    }

    fn powered(images: &[Vec<u8>; 2], power: Power) -> Self {
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

    /// Makes the index again from the bodies.
    fn reindex(&self, forge: &Forge) -> Result<Chain, ChainError> {
        let store = Store::open_backend(self.index.clone(), &forge.params)?;
        let bodies = BodyFile::on(Box::new(self.bodies.clone()), forge.params.magic, 0);
        Chain::reindex(forge.params.clone(), store, bodies)
    }

    fn images(&self) -> [Vec<u8>; 2] {
        [self.index.image(), self.bodies.image()]
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

/// What both tests begin with.
struct Scene {
    forge: Forge,
    base: Vec<Block>,
    blocks: Vec<Block>,
    /// Disks on which the base is.
    images: [Vec<u8>; 2],
    /// What the blocks take on top of that.
    operations: i64,
}

impl Scene {
    fn new() -> Self {
        let mut forge = Forge::new();
        let base = forge.grow(forge.genesis(), BASE);
        let blocks = scenario(&mut forge, &base);
        let machine = Machine::with(&[vec![], vec![]], PLENTY);
        let mut chain = machine.start(&forge).expect("an empty machine starts");
        assert_eq!(give(&mut chain, &base), base.len());
        drop(chain);
        let images = machine.images();

        let whole = Machine::with(&images, PLENTY);
        let mut chain = whole.start(&forge).expect("a clean image starts");
        assert_eq!(give(&mut chain, &blocks), blocks.len());
        forge.assert_at(&chain, blocks[blocks.len() - 1].id());
        drop(chain);
        let operations = PLENTY - whole.power.left();
        assert!(operations > 50, "{operations}");
        Self {
            forge,
            base,
            blocks,
            images,
            operations,
        }
    }

    /// How many blocks a machine accepts before something fails.
    fn accepted_by(&self, machine: &Machine) -> usize {
        match machine.start(&self.forge) {
            Ok(mut chain) => give(&mut chain, &self.blocks),
            Err(_) => 0,
        }
    }

    /// Asserts that a machine with these disks lost nothing it accepted and goes on to the end.
    fn assert_goes_on(&self, images: &[Vec<u8>; 2], accepted: usize, what: &str) {
        let again = Machine::with(images, PLENTY);
        let mut chain = again
            .start(&self.forge)
            .unwrap_or_else(|error| panic!("{what}: {error:?}"));
        for block in self.base.iter().chain(&self.blocks[..accepted]) {
            let is_there = chain.headers().is_complete(&block.id());
            assert!(is_there, "{what}: a block is lost");
        }
        self.forge.assert_at(&chain, chain.tip());
        assert_eq!(
            give(&mut chain, &self.blocks),
            self.blocks.len(),
            "{what}: stuck"
        );
        let end: BlockHash = self.blocks[self.blocks.len() - 1].id();
        self.forge.assert_at(&chain, end);
    }
}

#[test]
fn n14_power_may_fail_at_any_write() {
    let scene = Scene::new();
    for power in 0..scene.operations {
        let failing = Machine::with(&scene.images, power);
        let accepted = scene.accepted_by(&failing);
        let seed = u64::try_from(power).expect("not negative");
        let what = format!("no power after {power} operations");
        scene.assert_goes_on(&failing.after_crash(seed), accepted, &what);
    }
}

#[test]
fn n14_the_disk_may_be_full_at_any_write() {
    let scene = Scene::new();
    let mut refused = 0;
    for operations in 0..scene.operations {
        let power = Power::full_once_after(operations);
        let failing = Machine::powered(&scene.images, power);
        let accepted = scene.accepted_by(&failing);
        refused += usize::from(accepted < scene.blocks.len());
        let what = format!("no room after {operations} operations");
        scene.assert_goes_on(&failing.images(), accepted, &what);
    }
    // The last writes only close the store.
    assert!(refused > 40, "{refused}");
}

#[test]
fn n14_power_may_fail_at_any_write_of_a_reindex() {
    let mut forge = Forge::new();
    let short = forge.grow(forge.genesis(), 2);
    let long = forge.grow(short[0].id(), 6);
    let late = forge.block(long[5].id(), vec![]);
    let machine = Machine::with(&[vec![], vec![]], PLENTY);
    let mut chain = machine.start(&forge).expect("an empty machine starts");
    assert_eq!(give(&mut chain, &short) + give(&mut chain, &long), 8);
    drop(chain);
    let [_, bodies] = machine.images();

    let whole = Machine::with(&[vec![], bodies.clone()], PLENTY);
    drop(whole.reindex(&forge).expect("intact bodies"));
    let operations = PLENTY - whole.power.left();
    assert!(operations > 20, "{operations}");
    for power in 0..=operations {
        let failing = Machine::with(&[vec![], bodies.clone()], power);
        let made = failing.reindex(&forge).map(drop);
        let seed = u64::try_from(power).expect("not negative");
        let images = failing.after_crash(seed);
        assert_eq!(images[1], bodies, "a reindex only reads the bodies");
        if made.is_ok() {
            let chain = Machine::with(&images, PLENTY).start(&forge);
            let chain = chain.expect("what is made is safe");
            forge.assert_at(&chain, long[5].id());
        }
        // Even a start on what is left of the index, and a block on top, overwrite no body.
        let careless = Machine::with(&images, PLENTY);
        if let Ok(mut chain) = careless.start(&forge) {
            let _ = give(&mut chain, &short[..1]);
            let other = forge.block(forge.genesis(), vec![]);
            assert_eq!(give(&mut chain, &[other]), 1);
        }
        let [_, left] = careless.images();
        assert!(left.starts_with(&bodies), "overwritten after {power}");
        let again = Machine::with(&[vec![], left], PLENTY);
        let mut chain = again.reindex(&forge).expect("intact bodies");
        forge.assert_at(&chain, long[5].id());
        assert_eq!(give(&mut chain, std::slice::from_ref(&late)), 1);
        forge.assert_at(&chain, late.id());
    }
}
