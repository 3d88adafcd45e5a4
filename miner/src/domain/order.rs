//! Orders: what a hub asks this miner to run, and every check before a claim over it may be signed.
//!
//! # Security
//! A claim puts this miner's name under a result. It is signed only for a unit that stands under the job root of
//! terms that are open on chain (R1), whose program and input roots this miner derived from the bytes itself (R19),
//! and whose result was decided by the leaf's own limits (R21).

use bytes::Bytes;
use gio_content::{ContentRef, content_root};
use gio_protocol::tree::job;
use gio_protocol::{
    Address, B256, Claim, Cu, DealId, DealTerms, MachineParams, PricePerPu, Status, TermsError,
    UnitLeaf, UnixSeconds, Work, unit_seed, word_root,
};
use thiserror::Error;

/// Highest machine version this miner runs.
pub const MACHINE_VERSION: u32 = 0;
/// Largest image that has a root at version 0's depth: 128 MiB.
pub const IMAGE_BYTES_MAX: u64 = 32 << MachineParams::IMAGE_DEPTH;
/// Most CU of a unit: more runs for centuries and leaves the range the store counts in.
pub const CU_LIMIT_MAX: u64 = i64::MAX.unsigned_abs();

/// A unit of a deal, the name of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitKey {
    /// The deal.
    pub deal: DealId,
    /// Index of the unit.
    pub unit: u32,
}

/// Where an order's input image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// In the order.
    Inline(Bytes),
    /// At the hub, by content root.
    Content(ContentRef),
}

/// A unit as the hub orders it. Nothing in it is believed before it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The deal it is said to belong to.
    pub deal: DealId,
    /// The unit, as its leaf under the job root should be.
    pub leaf: UnitLeaf,
    /// Where the module is.
    pub module: ContentRef,
    /// Where the input image is.
    pub input: Input,
    /// What the guest's clock shows first.
    pub clock_start: UnixSeconds,
    /// After this the hub gives the unit to somebody else.
    pub deadline: UnixSeconds,
    /// What the miner gets for a PU.
    pub net_price: PricePerPu,
    /// Siblings of the leaf under the job root.
    pub job_proof: Vec<B256>,
}

impl Order {
    /// The order's name.
    #[must_use]
    pub fn key(&self) -> UnitKey {
        UnitKey {
            deal: self.deal,
            unit: self.leaf.index,
        }
    }

    /// The most this order can be worth.
    #[must_use]
    pub fn work_max(&self) -> Work {
        Work::of(self.leaf.cu_limit, self.net_price)
    }
}

/// What this machine takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnLimits {
    /// Most pages of memory of one unit.
    pub pages_max: u32,
    /// Longest module.
    pub module_bytes_max: u64,
    /// Least net price.
    pub net_price_min: PricePerPu,
}

/// Terms that bind nobody here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TermsRefusal {
    /// Their digest is another deal's (R1).
    #[error("the terms are those of deal {found}")]
    OtherDeal {
        /// The deal these terms make.
        found: DealId,
    },
    /// They name another wallet than the hub's.
    #[error("the terms name wallet {found}, the hub's is {hub}")]
    OtherWallet {
        /// In the terms.
        found: Address,
        /// The hub's, from the chain.
        hub: Address,
    },
    /// No wallet opens such terms.
    #[error(transparent)]
    Invalid(#[from] TermsError),
    /// The result could not be posted any more.
    #[error("the deal was due at {deliver_by}")]
    Overdue {
        /// The terms' deadline.
        deliver_by: UnixSeconds,
    },
}

/// An order this miner does not run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OrderRefusal {
    /// The leaf is not under the terms' job root.
    #[error("the unit is not bound by the deal's terms")]
    NotBound,
    /// R22: the seed follows from the terms.
    #[error("the unit seed is not the one the terms give")]
    Seed,
    /// R22: so does the clock.
    #[error("the clock does not start where the terms say")]
    Clock,
    /// R20: outside the machine.
    #[error("`{field}` is {value}, the machine allows at most {max}")]
    OutsideMachine {
        /// Field of the leaf.
        field: &'static str,
        /// What it says.
        value: u64,
        /// The bound.
        max: u64,
    },
    /// More memory than this miner gives one unit.
    #[error("the unit wants {wanted} pages of memory, this miner gives {given}")]
    Memory {
        /// The leaf's limit.
        wanted: u32,
        /// This miner's.
        given: u32,
    },
    /// The module is too long.
    #[error("the module has {length} bytes, this miner takes {max}")]
    ModuleLength {
        /// What the order says.
        length: u64,
        /// This miner's limit.
        max: u64,
    },
    /// Too cheap.
    #[error("{offered} GIO per PU, this miner wants {wanted}")]
    Price {
        /// In the order.
        offered: gio_protocol::Gio,
        /// In the config.
        wanted: gio_protocol::Gio,
    },
    /// One deal has one net price, because pay is rounded once per deal (F4).
    #[error("the net price differs from earlier orders of the deal")]
    PriceChanged,
    /// R19: the module is another program.
    #[error("the module's program root is {derived}, not the order's")]
    ProgramRoot {
        /// What its bytes give.
        derived: B256,
    },
    /// R19: the image is another input.
    #[error("the input's root is {derived}, not the order's")]
    InputRoot {
        /// What its bytes give.
        derived: B256,
    },
    /// The image has another length.
    #[error("the input has {found} bytes, the unit {expected}")]
    InputLength {
        /// Bytes that came.
        found: u64,
        /// Bytes in the leaf.
        expected: u64,
    },
}

/// Checks terms against the deal they are said to make, without the chain.
///
/// # Errors
/// [`TermsRefusal`].
pub fn check_terms(
    terms: &DealTerms,
    deal: DealId,
    chain_id: u64,
    wallet: Address,
) -> Result<(), TermsRefusal> {
    let found = terms.deal_id(chain_id);
    if found != deal {
        return Err(TermsRefusal::OtherDeal { found });
    }
    if terms.wallet != wallet {
        return Err(TermsRefusal::OtherWallet {
            found: terms.wallet,
            hub: wallet,
        });
    }
    Ok(terms.check()?)
}

/// Whether work on a deal can still be delivered. `now` is block time (F5).
///
/// # Errors
/// [`TermsRefusal::Overdue`].
pub fn check_due(terms: &DealTerms, now: UnixSeconds) -> Result<(), TermsRefusal> {
    if now >= terms.deliver_by {
        let deliver_by = terms.deliver_by;
        return Err(TermsRefusal::Overdue { deliver_by });
    }
    Ok(())
}

/// Whether the unit is part of the deal, with every limit, its seed and its clock (R1, R22).
///
/// # Errors
/// [`OrderRefusal`].
pub fn check_bound(order: &Order, terms: &DealTerms) -> Result<(), OrderRefusal> {
    let leaf = &order.leaf;
    if leaf.unit_seed != unit_seed(terms.deal_seed(), leaf.index) {
        return Err(OrderRefusal::Seed);
    }
    if order.clock_start != terms.clock_start {
        return Err(OrderRefusal::Clock);
    }
    let bound = job::verify(
        terms.job_root,
        terms.unit_count,
        leaf.index,
        leaf.hash(),
        &order.job_proof,
    );
    if bound {
        Ok(())
    } else {
        Err(OrderRefusal::NotBound)
    }
}

/// Whether this machine can and wants to run the unit.
///
/// # Errors
/// [`OrderRefusal`].
pub fn check_limits(order: &Order, own: &OwnLimits) -> Result<(), OrderRefusal> {
    let leaf = &order.leaf;
    let machine = [
        ("cu_limit", leaf.cu_limit.0, CU_LIMIT_MAX),
        ("input_length", leaf.input_length, IMAGE_BYTES_MAX),
        ("output_max", leaf.output_max, IMAGE_BYTES_MAX),
    ];
    if let Some((field, value, max)) = machine.into_iter().find(|(_, value, max)| value > max) {
        return Err(OrderRefusal::OutsideMachine { field, value, max });
    }
    if leaf.pages_max > own.pages_max {
        return Err(OrderRefusal::Memory {
            wanted: leaf.pages_max,
            given: own.pages_max,
        });
    }
    if order.module.length > own.module_bytes_max {
        return Err(OrderRefusal::ModuleLength {
            length: order.module.length,
            max: own.module_bytes_max,
        });
    }
    if order.net_price < own.net_price_min {
        return Err(OrderRefusal::Price {
            offered: order.net_price.0,
            wanted: own.net_price_min.0,
        });
    }
    Ok(())
}

/// R19: derives the input root from the bytes.
///
/// # Errors
/// [`OrderRefusal`].
pub fn check_input(leaf: &UnitLeaf, image: &[u8]) -> Result<(), OrderRefusal> {
    let found = image.len() as u64;
    if found != leaf.input_length {
        return Err(OrderRefusal::InputLength {
            found,
            expected: leaf.input_length,
        });
    }
    let derived = image_root(image);
    if derived != leaf.input_root {
        return Err(OrderRefusal::InputRoot { derived });
    }
    Ok(())
}

/// R19: compares the program root that was derived from the module's bytes.
///
/// # Errors
/// [`OrderRefusal::ProgramRoot`].
pub fn check_program(leaf: &UnitLeaf, derived: B256) -> Result<(), OrderRefusal> {
    if derived == leaf.program_root {
        Ok(())
    } else {
        Err(OrderRefusal::ProgramRoot { derived })
    }
}

/// A unit's halted state, before it is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halt<'a> {
    /// How it ended.
    pub status: Status,
    /// Zero unless it exited.
    pub exit_code: u32,
    /// What it used.
    pub cu: Cu,
    /// What it put out.
    pub output: &'a [u8],
}

/// The claim over a checked order's result.
#[must_use]
pub fn claim_of(order: &Order, owner: Address, halt: &Halt<'_>) -> Claim {
    Claim {
        deal_id: order.deal,
        unit: order.leaf.index,
        owner,
        program_root: order.leaf.program_root,
        input_root: order.leaf.input_root,
        status: halt.status,
        exit_code: halt.exit_code,
        cu: halt.cu,
        output_root: image_root(halt.output),
        output_length: halt.output.len() as u64,
        content_root: content_root(halt.output),
    }
}

/// The word root of an image at version 0's depth.
///
/// # Panics
/// Above [`IMAGE_BYTES_MAX`], which [`check_limits`] refuses for inputs and outputs alike.
fn image_root(image: &[u8]) -> B256 {
    word_root(image, MachineParams::IMAGE_DEPTH)
        .expect("check_limits holds images to what the depth covers")
}

#[cfg(test)]
mod tests;
