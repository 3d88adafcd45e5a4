//! The application pool.

use gio_protocol::{Address, U256};

use super::Chain;
use crate::bindings::government::AppPool;
use crate::error::{ChainError, SendError};
use crate::info::{AppInfo, ReleaseDraft, ReleaseInfo, TxInfo};

/// Lines asked for at once: a page of them stays far below what one call may cost a node.
const PAGE: u64 = 100;

impl Chain {
    /// Publishes a version; a free name becomes this account's.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn publish_app(
        &self,
        name: &str,
        version: &str,
        draft: &ReleaseDraft,
    ) -> Result<TxInfo, SendError> {
        let call = AppPool::publishCall {
            name: name.to_owned(),
            version: version.to_owned(),
            draft: draft.into(),
        };
        self.send(self.app_pool()?, &call).await
    }

    /// Advises against a version of this account's application, for good.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn deprecate_app(&self, name: &str, version: &str) -> Result<TxInfo, SendError> {
        let call = AppPool::deprecateCall {
            name: name.to_owned(),
            version: version.to_owned(),
        };
        self.send(self.app_pool()?, &call).await
    }

    /// Changes who earns the royalty of deals yet to be signed.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn move_royalty(
        &self,
        name: &str,
        version: &str,
        to: Address,
    ) -> Result<TxInfo, SendError> {
        let call = AppPool::moveRoyaltyCall {
            name: name.to_owned(),
            version: version.to_owned(),
            to,
        };
        self.send(self.app_pool()?, &call).await
    }

    /// Offers a name of this account to somebody; the zero address takes an offer back.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn offer_app_name(&self, name: &str, to: Address) -> Result<TxInfo, SendError> {
        let call = AppPool::offerNameCall {
            name: name.to_owned(),
            to,
        };
        self.send(self.app_pool()?, &call).await
    }

    /// Accepts a name that was offered to this account.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn accept_app_name(&self, name: &str) -> Result<TxInfo, SendError> {
        let name = name.to_owned();
        self.send(self.app_pool()?, &AppPool::acceptNameCall { name })
            .await
    }

    /// A version, also one its publisher advises against.
    ///
    /// # Errors
    /// [`ChainError`]; [`crate::GovernmentRevert::ReleaseUnknown`] if nobody published it.
    pub async fn release(&self, name: &str, version: &str) -> Result<ReleaseInfo, ChainError> {
        let call = AppPool::releaseCall {
            name: name.to_owned(),
            version: version.to_owned(),
        };
        let found = self.inner.rpc.view(self.app_pool()?, &call).await?;
        ReleaseInfo::try_from(found).map_err(|error| error.in_answer_to("release"))
    }

    /// An application.
    ///
    /// # Errors
    /// [`ChainError`]; [`crate::GovernmentRevert::AppUnknown`] if nobody published under the name.
    pub async fn app(&self, name: &str) -> Result<AppInfo, ChainError> {
        let name = name.to_owned();
        let call = AppPool::appCall { name };
        let found = self.inner.rpc.view(self.app_pool()?, &call).await?;
        Ok(found.into())
    }

    /// A page of the pool, oldest name first; at most 100 lines.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn apps(&self, offset: u64, limit: u64) -> Result<Vec<AppInfo>, ChainError> {
        let call = AppPool::appsCall {
            offset: U256::from(offset),
            limit: U256::from(limit.min(PAGE)),
        };
        let page = self.inner.rpc.view(self.app_pool()?, &call).await?;
        Ok(page.into_iter().map(Into::into).collect())
    }

    /// A page of an application's versions, in the order of publication; at most 100.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn app_versions(
        &self,
        name: &str,
        offset: u64,
        limit: u64,
    ) -> Result<Vec<String>, ChainError> {
        let call = AppPool::versionsCall {
            name: name.to_owned(),
            offset: U256::from(offset),
            limit: U256::from(limit.min(PAGE)),
        };
        self.inner.rpc.view(self.app_pool()?, &call).await
    }

    fn app_pool(&self) -> Result<Address, ChainError> {
        self.deployed("AppPool", |deployment| deployment.app_pool)
    }
}
