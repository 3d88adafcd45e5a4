//! The life of a deal in its wallet (`docs/protocol.md` section 7).
//!
//! Every call goes to the wallet the terms name. Only the owner posts; everything else anybody may send who holds what
//! it takes.

use gio_protocol::{Address, B256, Cu, DealId, DealTerms, Gio};

use super::Chain;
use crate::bindings::HubWallet;
use crate::convert::refute_bill_call;
use crate::error::{ChainError, SendError};
use crate::info::{DealInfo, FalseBill, Permit, SumStep, TxInfo};

impl Chain {
    /// What the wallet stores of a deal.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn deal(&self, wallet: Address, id: DealId) -> Result<DealInfo, ChainError> {
        let call = HubWallet::dealCall { dealId: id.0 };
        let deal = self.inner.rpc.view(wallet, &call).await?;
        DealInfo::try_from(deal).map_err(|error| error.in_answer_to("deal"))
    }

    /// The id the wallet itself computes for these terms; [`DealTerms::deal_id`] must be the same.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn deal_id_on_chain(&self, terms: &DealTerms) -> Result<DealId, ChainError> {
        let call = HubWallet::dealIdOfCall {
            terms: terms.into(),
        };
        self.inner.rpc.view(terms.wallet, &call).await.map(DealId)
    }

    /// Opens a deal: the cap moves from the buyer into escrow, the guarantee is taken from the hub's free balance.
    /// Signatures are over the deal id; bytes, because a contract's signature (EIP-1271) has any length.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn open(
        &self,
        terms: &DealTerms,
        buyer_signature: &[u8],
        hub_signature: &[u8],
        permit: Option<Permit>,
    ) -> Result<TxInfo, SendError> {
        let call = HubWallet::openCall {
            terms: terms.into(),
            buyerSignature: buyer_signature.to_vec().into(),
            hubSignature: hub_signature.to_vec().into(),
            permit: permit.into(),
        };
        self.send(terms.wallet, &call).await
    }

    /// Posts the result of an open deal and starts its window.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn post_result(
        &self,
        terms: &DealTerms,
        tree_hash: B256,
        cu_total: Cu,
        claims_root: B256,
    ) -> Result<TxInfo, SendError> {
        let call = HubWallet::postResultCall {
            terms: terms.into(),
            treeHash: tree_hash,
            cuTotal: cu_total.0,
            claimsRoot: claims_root,
        };
        self.send(terms.wallet, &call).await
    }

    /// Settles before the window ends. The buyer itself needs no signature; anyone else shows its Confirmation.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn confirm(
        &self,
        terms: &DealTerms,
        result_root: B256,
        signature: &[u8],
    ) -> Result<TxInfo, SendError> {
        let call = HubWallet::confirmCall {
            terms: terms.into(),
            resultRoot: result_root,
            signature: signature.to_vec().into(),
        };
        self.send(terms.wallet, &call).await
    }

    /// Settles after the window. Anyone may.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn settle(&self, terms: &DealTerms) -> Result<TxInfo, SendError> {
        let call = HubWallet::settleCall {
            terms: terms.into(),
        };
        self.send(terms.wallet, &call).await
    }

    /// Gives the cap back after a missed delivery. Anyone may.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn refund(&self, terms: &DealTerms) -> Result<TxInfo, SendError> {
        let call = HubWallet::refundCall {
            terms: terms.into(),
        };
        self.send(terms.wallet, &call).await
    }

    /// Ends a deal as both sides agreed: the buyer pays `payment`, the rest of the cap goes back.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn cancel(
        &self,
        terms: &DealTerms,
        payment: Gio,
        buyer_signature: &[u8],
        hub_signature: &[u8],
    ) -> Result<TxInfo, SendError> {
        let call = HubWallet::cancelCall {
            terms: terms.into(),
            payment: payment.units().into(),
            buyerSignature: buyer_signature.to_vec().into(),
            hubSignature: hub_signature.to_vec().into(),
        };
        self.send(terms.wallet, &call).await
    }

    /// Shows that a node of the posted result tree does not add up. `path` begins with the top node's children.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn refute_sum(
        &self,
        terms: &DealTerms,
        path: &[SumStep],
    ) -> Result<TxInfo, SendError> {
        let call = HubWallet::refuteSumCall {
            terms: terms.into(),
            path: path.iter().copied().map(Into::into).collect(),
        };
        self.send(terms.wallet, &call).await
    }

    /// Shows that the posted result bills a unit falsely.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn refute_bill(
        &self,
        terms: &DealTerms,
        bill: &FalseBill,
    ) -> Result<TxInfo, SendError> {
        self.send(terms.wallet, &refute_bill_call(terms, bill))
            .await
    }
}
