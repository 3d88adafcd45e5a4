//! A deal in the books: which events may follow which, and whether what they pay adds up.

use gio_protocol::{B256, Cu, DealStage, DealTerms, Gio, UnixSeconds, bill};

use super::books::{require, sum};
use super::{Terms, share_down};
use crate::event::WalletEvent;
use crate::info::DealInfo;

/// A deal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DealBook {
    /// What was signed.
    pub terms: Box<DealTerms>,
    /// Where it stands.
    pub stage: DealStage,
    /// The posted sum.
    pub cu_total: Cu,
    /// The posted root.
    pub result_root: Option<B256>,
    /// First second at which anyone may settle.
    pub window_end: Option<UnixSeconds>,
}

impl DealBook {
    /// As the wallet stores it.
    #[must_use]
    pub fn info(&self) -> DealInfo {
        DealInfo {
            stage: self.stage,
            window_end: self.window_end,
            cu_total: self.cu_total,
            result_root: self.result_root,
        }
    }

    pub(super) fn take(&mut self, terms: &Terms, event: &WalletEvent) -> Result<(), String> {
        let before = self.stage;
        let cap = self.terms.cap;
        match event {
            WalletEvent::ResultPosted {
                result_root,
                cu_total,
                window_end,
                ..
            } => {
                self.stage = DealStage::Posted;
                self.result_root = Some(*result_root);
                self.cu_total = *cu_total;
                self.window_end = Some(*window_end);
                require(before == DealStage::Open, || {
                    format!("posted when {}", before.name())
                })
            }
            WalletEvent::DealSettled {
                payment,
                royalty,
                refund,
                ..
            } => {
                self.stage = DealStage::Settled;
                let due = bill(cap, self.cu_total, self.terms.price_per_pu);
                require(before == DealStage::Posted && due == *payment, || {
                    format!(
                        "settled {payment} GIO instead of {due} when {}",
                        before.name()
                    )
                })?;
                self.check_division(*payment, *royalty, *refund)
            }
            WalletEvent::DealCancelled {
                payment,
                royalty,
                refund,
                ..
            } => {
                self.stage = DealStage::Cancelled;
                require(!before.is_final(), || {
                    format!("cancelled when {}", before.name())
                })?;
                self.check_division(*payment, *royalty, *refund)
            }
            WalletEvent::DealRefunded { refund, .. } => {
                self.stage = DealStage::Refunded;
                require(!before.is_final() && *refund == cap, || {
                    format!("refunded {refund} GIO of {cap} when {}", before.name())
                })
            }
            WalletEvent::DealRefuted {
                refund,
                guarantee,
                compensation,
                ..
            } => {
                self.stage = DealStage::Refuted;
                let paid = 100 - u64::from(terms.lock_percent.min(100));
                let part = share_down(self.terms.guarantee, paid, 100);
                let whole = *refund == cap && *guarantee == self.terms.guarantee;
                require(
                    before == DealStage::Posted && whole && part == Some(*compensation),
                    || {
                        let stage = before.name();
                        format!(
                            "refuted for {refund} and {compensation} of {guarantee} GIO when {stage}"
                        )
                    },
                )
            }
            _ => Ok(()),
        }
    }

    /// Payment and refund are the cap, the royalty is a share of the payment (R2, GV-21).
    fn check_division(&self, payment: Gio, royalty: Gio, refund: Gio) -> Result<(), String> {
        let share = share_down(payment, self.terms.royalty_per_mille.into(), 1000);
        require(
            sum([payment, refund]) == self.terms.cap && share == Some(royalty),
            || format!("{payment} GIO paid, {royalty} of it as royalty, {refund} refunded"),
        )
    }
}
