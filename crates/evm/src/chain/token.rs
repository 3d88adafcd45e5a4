//! The GIO token.

use gio_protocol::{Address, B256, Domain, Gio, U256, UnixSeconds, keccak256};

use super::Chain;
use crate::bindings::GioToken;
use crate::convert::gio;
use crate::error::{ChainError, SendError};
use crate::info::{BlockHead, TxInfo};

/// EIP-2612.
const PERMIT_TYPE: &str =
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)";

impl Chain {
    /// What an account holds.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn balance(&self, of: Address) -> Result<Gio, ChainError> {
        let call = GioToken::balanceOfCall { account: of };
        let units = self.inner.rpc.view(self.token(), &call).await?;
        gio("balance", units).map_err(|error| error.in_answer_to("balanceOf"))
    }

    /// What `spender` may take from `owner`.
    ///
    /// # Errors
    /// [`ChainError`]. An allowance beyond every amount of GIO ("unlimited") is reported as the largest amount.
    pub async fn allowance(&self, owner: Address, spender: Address) -> Result<Gio, ChainError> {
        let call = GioToken::allowanceCall { owner, spender };
        let units = self.inner.rpc.view(self.token(), &call).await?;
        Ok(gio("allowance", units).unwrap_or(Gio::from_units(u64::MAX)))
    }

    /// [`Self::allowance`] as of a block.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn allowance_at(
        &self,
        at: BlockHead,
        owner: Address,
        spender: Address,
    ) -> Result<Gio, ChainError> {
        let call = GioToken::allowanceCall { owner, spender };
        let units = self.at(at, self.token(), call).await?;
        Ok(gio("allowance", units).unwrap_or(Gio::from_units(u64::MAX)))
    }

    /// All GIO on this chain.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn total_supply(&self) -> Result<Gio, ChainError> {
        let call = GioToken::totalSupplyCall {};
        let units = self.inner.rpc.view(self.token(), &call).await?;
        gio("supply", units).map_err(|error| error.in_answer_to("totalSupply"))
    }

    /// Sends GIO of this account to another.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send_gio(&self, to: Address, amount: Gio) -> Result<TxInfo, SendError> {
        let value = U256::from(amount.units());
        self.send(self.token(), &GioToken::transferCall { to, value })
            .await
    }

    /// Lets `spender` take up to `amount` from this account.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn approve(&self, spender: Address, amount: Gio) -> Result<TxInfo, SendError> {
        let value = U256::from(amount.units());
        self.send(self.token(), &GioToken::approveCall { spender, value })
            .await
    }

    /// Takes what a wallet owes this account: a miner's pay comes only this way.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn pull(&self, wallet: Address, amount: Gio) -> Result<TxInfo, SendError> {
        let to = self.account().ok_or(SendError::KeyMissing)?;
        let call = GioToken::transferFromCall {
            from: wallet,
            to,
            value: U256::from(amount.units()),
        };
        self.send(self.token(), &call).await
    }

    /// [`Self::pull`] under a nonce that `note` hears of first, and that nothing is sent under unless it says yes: whoever
    /// reads the note later knows when the pull is decided.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn pull_noted<N, F>(
        &self,
        wallet: Address,
        amount: Gio,
        note: N,
    ) -> Result<TxInfo, SendError>
    where
        N: Fn(u64) -> F,
        F: Future<Output = bool>,
    {
        let to = self.account().ok_or(SendError::KeyMissing)?;
        let call = GioToken::transferFromCall {
            from: wallet,
            to,
            value: U256::from(amount.units()),
        };
        self.send_noted(self.token(), &call, note).await
    }

    /// What `owner` signs so that `spender` may take `value` until `deadline` (EIP-2612).
    ///
    /// Only the nonce is asked for; chain and token are the deployment's, so that no RPC can have a permit for
    /// another token signed.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn permit_digest(
        &self,
        owner: Address,
        spender: Address,
        value: Gio,
        deadline: UnixSeconds,
    ) -> Result<B256, ChainError> {
        let call = GioToken::noncesCall { owner };
        let nonce = self.inner.rpc.view(self.token(), &call).await?;
        let words = [
            keccak256(PERMIT_TYPE),
            owner.into_word(),
            spender.into_word(),
            U256::from(value.units()).into(),
            nonce.into(),
            U256::from(deadline.0).into(),
        ];
        let domain = Domain::new(self.chain_id(), self.token());
        Ok(domain.digest(keccak256(words.concat())))
    }

    fn token(&self) -> Address {
        self.inner.deployment.token
    }
}
