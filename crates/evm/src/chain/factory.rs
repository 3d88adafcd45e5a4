//! Making wallets and finding hubs.

use alloy::sol_types::SolEvent;
use gio_protocol::{Address, B256, U256};

use super::Chain;
use crate::bindings::{HubFactory, Whitelist};
use crate::error::{ChainError, SendError};
use crate::info::{HubInfo, HubRecord, TxInfo};

/// Lines asked for at once: a full page of the longest records stays far below what one call may cost a node.
const PAGE: u64 = 100;
/// Most wallets of one owner we look at: an owner has one or a few; who has more than this floods us.
const WALLETS_MAX: usize = 1_000;

impl Chain {
    /// Makes this account's wallet, in state Created. The same salt works once per account.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn create_hub(&self, salt: B256) -> Result<(Address, TxInfo), SendError> {
        let call = HubFactory::createHubCall { salt };
        let receipt = self.send_raw(self.inner.deployment.factory, &call).await?;
        let wallet = receipt
            .logs()
            .iter()
            .filter(|log| log.address() == self.inner.deployment.factory)
            .find_map(|log| HubFactory::HubCreated::decode_log(&log.inner).ok())
            .map(|event| event.wallet)
            .ok_or_else(|| ChainError::unreadable("createHub", "no HubCreated in the receipt"))?;
        Ok((wallet, self.tx_info(&receipt)))
    }

    /// The address [`Self::create_hub`] gives `owner` for `salt`.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn predict_hub(&self, owner: Address, salt: B256) -> Result<Address, ChainError> {
        let call = HubFactory::predictHubCall { owner, salt };
        self.inner
            .rpc
            .view(self.inner.deployment.factory, &call)
            .await
    }

    /// The wallets `owner` made, oldest first (at most 1,000).
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn wallets_of(&self, owner: Address) -> Result<Vec<Address>, ChainError> {
        let mut wallets = Vec::new();
        while wallets.len() < WALLETS_MAX {
            let call = HubFactory::walletsOfCall {
                owner,
                offset: U256::from(wallets.len()),
                limit: U256::from(PAGE),
            };
            let page = self
                .inner
                .rpc
                .view(self.inner.deployment.factory, &call)
                .await?;
            let is_last = U256::from(page.len()) < U256::from(PAGE);
            wallets.extend(page);
            if is_last {
                break;
            }
        }
        wallets.truncate(WALLETS_MAX);
        Ok(wallets)
    }

    /// Whether the deployment's factory made this wallet. Money belongs only into wallets for which this is true.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn is_wallet(&self, address: Address) -> Result<bool, ChainError> {
        let call = HubFactory::isWalletCall { wallet: address };
        self.inner
            .rpc
            .view(self.inner.deployment.factory, &call)
            .await
    }

    /// What the register says about a hub.
    ///
    /// # Errors
    /// [`ChainError`]; [`crate::RevertReason::WalletUnknown`] for anything the factory did not make.
    pub async fn hub(&self, wallet: Address) -> Result<HubInfo, ChainError> {
        let call = Whitelist::hubCall { wallet };
        let hub = self
            .inner
            .rpc
            .view(self.inner.deployment.whitelist, &call)
            .await?;
        if hub.wallet != wallet {
            return Err(ChainError::Contradiction {
                question: "hub",
                problem: format!("the line of {} for {wallet}", hub.wallet),
            });
        }
        HubInfo::try_from(hub).map_err(|error| error.in_answer_to("hub"))
    }

    /// A page of the register, in the order of listing; at most 100 lines.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn hubs(&self, offset: u64, limit: u64) -> Result<Vec<HubInfo>, ChainError> {
        let call = Whitelist::hubsCall {
            offset: U256::from(offset),
            limit: U256::from(limit.min(PAGE)),
        };
        let page = self
            .inner
            .rpc
            .view(self.inner.deployment.whitelist, &call)
            .await?;
        page.into_iter()
            .map(|hub| HubInfo::try_from(hub).map_err(|error| error.in_answer_to("hubs")))
            .collect()
    }

    /// Changes the record of a registered hub of this account, for example when it moves.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn change_record(
        &self,
        wallet: Address,
        record: HubRecord,
    ) -> Result<TxInfo, SendError> {
        let call = Whitelist::changeRecordCall {
            wallet,
            record: record.into(),
        };
        self.send(self.inner.deployment.whitelist, &call).await
    }
}
