//! What a transaction offers for its gas.

use alloy::primitives::U64;
use alloy::providers::utils::eip1559_default_estimator;
use alloy::rpc::types::{BlockNumberOrTag, FeeHistory};

use crate::error::{ChainError, SendError};
use crate::rpc::Rpc;

/// Most wei per gas we ever offer (1,000 gwei): an RPC that invents fees must not be able to spend the account.
const FEE_PER_GAS_MAX: u128 = 1_000_000_000_000;
/// Blocks whose tips are looked at: two minutes of the slowest chain, so that one full block does not set the price.
const HISTORY_BLOCKS: u64 = 10;
/// The tip that this share of a block's gas undercut: cheap, and still taken within a few blocks.
const TIP_PERCENTILE: u8 = 20;
/// A replacement has to offer this many per cent more; nodes ask for 10, a lagging one perhaps for a little more.
const STEP_PERCENT: u128 = 25;

/// EIP-1559 fees, in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fees {
    pub(super) max: u128,
    pub(super) tip: u128,
}

impl Fees {
    /// What is usual now.
    pub(super) async fn ask(rpc: &Rpc) -> Result<Self, SendError> {
        const METHOD: &str = "eth_feeHistory";
        let span = (
            U64::from(HISTORY_BLOCKS),
            BlockNumberOrTag::Latest,
            [TIP_PERCENTILE],
        );
        let history: FeeHistory = rpc.ask(METHOD, span).await?;
        let base = history
            .next_block_base_fee()
            .ok_or_else(|| ChainError::unreadable(METHOD, "no base fee: not an EIP-1559 chain"))?;
        check(base)?;
        let estimate = eip1559_default_estimator(base, &history.reward.unwrap_or_default());
        check(estimate.max_fee_per_gas)?;
        Ok(Self {
            max: estimate.max_fee_per_gas,
            tip: estimate
                .max_priority_fee_per_gas
                .min(estimate.max_fee_per_gas),
        })
    }

    /// What replaces a transaction that offered `self` while `usual` is usual; `None` above the limit.
    pub(super) fn raised(self, usual: Self) -> Option<Self> {
        let step = |fee: u128| fee.saturating_mul(100 + STEP_PERCENT).div_ceil(100);
        let max = step(self.max).max(usual.max);
        let tip = step(self.tip).max(usual.tip);
        (max <= FEE_PER_GAS_MAX).then_some(Self {
            max,
            tip: tip.min(max),
        })
    }
}

fn check(asked: u128) -> Result<(), SendError> {
    if asked > FEE_PER_GAS_MAX {
        return Err(SendError::FeeTooHigh {
            asked,
            limit: FEE_PER_GAS_MAX,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_always_offers_enough_more_and_never_too_much() {
        let usual = Fees { max: 10, tip: 1 };
        for fees in [
            Fees { max: 1, tip: 1 },
            Fees { max: 7, tip: 3 },
            Fees { max: 101, tip: 100 },
        ] {
            let raised = fees.raised(usual).unwrap();
            assert!(raised.max * 10 >= fees.max * 11 && raised.tip * 10 >= fees.tip * 11);
            assert!(raised.max >= usual.max && raised.tip <= raised.max);
        }
        let most = Fees {
            max: FEE_PER_GAS_MAX,
            tip: 1,
        };
        assert_eq!(most.raised(usual), None);
    }
}
