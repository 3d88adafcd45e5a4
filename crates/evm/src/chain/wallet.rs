//! A hub's wallet: its figures, registration and payouts.

use gio_protocol::{Address, B256, DealTerms, Gio, U256};

use super::Chain;
use crate::bindings::{GioToken, HubWallet};
use crate::convert::{gio, time_or_none, wallet_state};
use crate::error::{ChainError, SendError};
use crate::info::{BlockHead, HubRecord, PayoutClaim, TxInfo, WalletInfo};

const QUESTION: &str = "a wallet's figures";

impl Chain {
    /// Everything about a wallet, read at one block so that the figures fit together.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn wallet(&self, wallet: Address) -> Result<WalletInfo, ChainError> {
        self.wallet_at(wallet, self.head().await?).await
    }

    /// [`Self::wallet`] as of a block.
    pub(super) async fn wallet_at(
        &self,
        wallet: Address,
        at: BlockHead,
    ) -> Result<WalletInfo, ChainError> {
        let (config, state, registered_at, suspected_at, ledger, unclaimed, free, balance) = tokio::try_join!(
            self.at(at, wallet, HubWallet::configCall {}),
            self.at(at, wallet, HubWallet::stateCall {}),
            self.at(at, wallet, HubWallet::registeredAtCall {}),
            self.at(at, wallet, HubWallet::suspectedAtCall {}),
            self.at(at, wallet, HubWallet::ledgerCall {}),
            self.at(at, wallet, HubWallet::payoutsUnclaimedCall {}),
            self.at(at, wallet, HubWallet::freeBalanceCall {}),
            self.at(
                at,
                self.inner.deployment.token,
                GioToken::balanceOfCall { account: wallet },
            ),
        )?;
        let amount = |field, units: u128| gio(field, U256::from(units));
        let read = || {
            Ok(WalletInfo {
                at,
                state: wallet_state(state)?,
                owner: config.owner,
                factory: config.factory,
                registered_at: time_or_none(registered_at),
                balance: gio("balance", balance)?,
                free: gio("free balance", free)?,
                stake: amount("stake", ledger.stake)?,
                locked: amount("locked sum", ledger.locked)?,
                escrow: amount("escrow", ledger.escrow)?,
                guarantees: amount("guarantees", ledger.guarantees)?,
                approvals: amount("approvals", ledger.approvals)?,
                unclaimed: Gio::from_units(unclaimed),
                suspected_at: time_or_none(suspected_at),
                parameters: config.parameters.try_into()?,
            })
        };
        read().map_err(|error: crate::convert::OutOfRange| error.in_answer_to(QUESTION))
    }

    /// What a miner may still pull, as far as the wallet has seen; the token's [`Self::allowance`] is what counts.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn approved_to(&self, wallet: Address, miner: Address) -> Result<Gio, ChainError> {
        let call = HubWallet::approvedToCall { miner };
        let units = self.inner.rpc.view(wallet, &call).await?;
        gio("approval", U256::from(units)).map_err(|error| error.in_answer_to("approvedTo"))
    }

    /// Freezes the stake out of the free balance and writes the record into the whitelist: Created to Registered.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn register(&self, wallet: Address, record: HubRecord) -> Result<TxInfo, SendError> {
        let call = HubWallet::registerCall {
            record: record.into(),
        };
        self.send(wallet, &call).await
    }

    /// Pays a miner a gross amount, of which a part stays locked until payday.
    ///
    /// # Errors
    /// [`SendError`]. After [`SendError::Unresolved`] look for the payout before repeating it.
    pub async fn transfer(
        &self,
        wallet: Address,
        miner: Address,
        gross: Gio,
    ) -> Result<TxInfo, SendError> {
        let call = HubWallet::transferCall {
            miner,
            gross: gross.units().into(),
        };
        self.send(wallet, &call).await
    }

    /// Pays a miner at least `net`: the event in the result says what was locked and what it may pull now.
    ///
    /// A payment made twice is money lost, so its nonce is told to `note` before it is sent; unless that says yes,
    /// nothing is sent under it. Of all transactions with one nonce the chain takes one: whoever reads the note later
    /// can have the nonce used up, and then knows.
    ///
    /// # Errors
    /// [`SendError`]. After [`SendError::Unresolved`] look for the payout before repeating it.
    pub async fn transfer_net<N, F>(
        &self,
        wallet: Address,
        miner: Address,
        net: Gio,
        note: N,
    ) -> Result<TxInfo, SendError>
    where
        N: Fn(u64) -> F,
        F: Future<Output = bool>,
    {
        let call = HubWallet::transferNetCall {
            miner,
            net: net.units().into(),
        };
        self.send_noted(wallet, &call, note).await
    }

    /// Has the wallet notice what miners pulled, which raises its free balance. Anyone may.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn reconcile(
        &self,
        wallet: Address,
        miners: &[Address],
    ) -> Result<TxInfo, SendError> {
        let call = HubWallet::reconcileCall {
            miners: miners.to_vec(),
        };
        self.send(wallet, &call).await
    }

    /// Ends the period: the fee goes to the treasury, everything else that was held back is free, Registered to Idle.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn payday(&self, wallet: Address) -> Result<TxInfo, SendError> {
        self.send(wallet, &HubWallet::paydayCall {}).await
    }

    /// Sends an idle wallet's free balance to its owner.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn withdraw(&self, wallet: Address) -> Result<TxInfo, SendError> {
        self.send(wallet, &HubWallet::withdrawCall {}).await
    }

    /// Ends an undisputed deal by giving the whole cap back, so that payday does not have to wait for it (R8).
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn give_back(&self, terms: &DealTerms) -> Result<TxInfo, SendError> {
        let call = HubWallet::giveBackCall {
            terms: terms.into(),
        };
        self.send(terms.wallet, &call).await
    }

    /// Reserves the sum of a payout tree for its miners (R9). `top` is the tree's top node, which holds the sum.
    ///
    /// # Errors
    /// [`SendError`]. After [`SendError::Unresolved`] look for the payout before repeating it.
    pub async fn post_payout(
        &self,
        wallet: Address,
        top: B256,
        count: u32,
        leaves_root: B256,
    ) -> Result<TxInfo, SendError> {
        let call = HubWallet::postPayoutCall {
            top,
            count,
            leavesRoot: leaves_root,
        };
        self.send(wallet, &call).await
    }

    /// Has a miner paid its leaf of an epoch's payout. Anyone may.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn claim_payout(
        &self,
        wallet: Address,
        claim: &PayoutClaim,
    ) -> Result<TxInfo, SendError> {
        let call = HubWallet::claimPayoutCall {
            epoch: claim.epoch,
            count: claim.count,
            index: claim.index,
            miner: claim.miner,
            net: claim.net.units(),
            proof: claim.proof.clone(),
        };
        self.send(wallet, &call).await
    }

    /// Whether a leaf of an epoch's payout was claimed.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn is_claimed(
        &self,
        wallet: Address,
        epoch: u32,
        index: u32,
    ) -> Result<bool, ChainError> {
        let call = HubWallet::isClaimedCall { epoch, index };
        self.inner.rpc.view(wallet, &call).await
    }
}
