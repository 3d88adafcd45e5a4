//! Miners' bonds and the keys of their machines.

use gio_protocol::{Address, B256, Domain, Gio, U256, UnixSeconds, keccak256};

use super::Chain;
use crate::bindings::government::MinerRegistry;
use crate::convert::{OutOfRange, Read, time_or_none};
use crate::error::{ChainError, SendError};
use crate::info::{KeyInfo, MinerInfo, RegistryRules, TxInfo};

/// What a machine's key signs to consent (R14).
const DELEGATION_TYPE: &str = "Delegation(address key,address owner,uint256 nonce,uint64 deadline)";

impl Chain {
    /// Adds to an owner's bond out of this account, which approves it first.
    ///
    /// # Errors
    /// [`SendError`]. After [`SendError::Unresolved`] look at the bond before repeating it.
    pub async fn bond(&self, owner: Address, amount: Gio) -> Result<TxInfo, SendError> {
        let registry = self.checked_registry().await?;
        if self.allowance(self.own_account()?, registry).await? < amount {
            self.approve(registry, amount).await?;
        }
        let call = MinerRegistry::bondCall {
            owner,
            amount: amount.units().into(),
        };
        self.send(registry, &call).await
    }

    /// Asks a part of this account's bond back; what was asked back before waits again with it.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn request_bond(&self, amount: Gio) -> Result<TxInfo, SendError> {
        let call = MinerRegistry::requestWithdrawalCall {
            amount: amount.units().into(),
        };
        self.send(self.registry()?, &call).await
    }

    /// Leaves this account's bond where it is after all.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn keep_bond(&self) -> Result<TxInfo, SendError> {
        let call = MinerRegistry::cancelWithdrawalCall {};
        self.send(self.registry()?, &call).await
    }

    /// Takes what was asked back and is not at risk, after the delay.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn withdraw_bond(&self) -> Result<TxInfo, SendError> {
        self.send(self.registry()?, &MinerRegistry::withdrawCall {})
            .await
    }

    /// Says where this account wants to be paid for its work.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn set_payout(&self, to: Address) -> Result<TxInfo, SendError> {
        self.send(self.registry()?, &MinerRegistry::setPayoutCall { to })
            .await
    }

    /// What a machine's key signs so that it signs for `owner` (R14). Only the nonce is asked for; chain and registry are
    /// the deployment's, so that no RPC can have a consent for another registry signed.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn consent_digest(
        &self,
        key: Address,
        owner: Address,
        deadline: UnixSeconds,
    ) -> Result<B256, ChainError> {
        let registry = self.registry()?;
        let call = MinerRegistry::noncesCall { owner: key };
        let nonce = self.inner.rpc.view(registry, &call).await?;
        let words = [
            keccak256(DELEGATION_TYPE),
            key.into_word(),
            owner.into_word(),
            nonce.into(),
            U256::from(deadline.0).into(),
        ];
        let domain = Domain::new(self.chain_id(), registry);
        Ok(domain.digest(keccak256(words.concat())))
    }

    /// Makes a machine's key sign for this account.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn delegate_key(
        &self,
        key: Address,
        deadline: UnixSeconds,
        consent: &[u8],
    ) -> Result<TxInfo, SendError> {
        let call = MinerRegistry::delegateKeyCall {
            key,
            deadline: deadline.0,
            consent: consent.to_vec().into(),
        };
        self.send(self.registry()?, &call).await
    }

    /// Ends a delegation after the withdrawal delay. The key's owner or the key itself.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn revoke_key(&self, key: Address) -> Result<TxInfo, SendError> {
        self.send(self.registry()?, &MinerRegistry::revokeKeyCall { key })
            .await
    }

    /// For whom a key signs.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn key_info(&self, key: Address) -> Result<KeyInfo, ChainError> {
        let registry = self.registry()?;
        let (owner, stored) = tokio::try_join!(
            self.ask(registry, MinerRegistry::ownerOfCall { key }),
            self.ask(registry, MinerRegistry::delegationCall { key }),
        )?;
        let lasts = owner != key;
        Ok(KeyInfo {
            owner,
            ends_at: time_or_none(stored.endsAt).filter(|_| lasts),
        })
    }

    /// Everything about an owner of machines, read at one block.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn miner(&self, owner: Address) -> Result<MinerInfo, ChainError> {
        let (registry, at) = (self.registry()?, self.head().await?);
        let (stored, payout_to, is_active, covered) = tokio::try_join!(
            self.at(at, registry, MinerRegistry::minerCall { owner }),
            self.at(at, registry, MinerRegistry::payoutOfCall { owner }),
            self.at(at, registry, MinerRegistry::isActiveCall { owner }),
            self.at(at, registry, MinerRegistry::coveredUntilCall { owner }),
        )?;
        let read = || {
            Ok(MinerInfo {
                bond: Read::read("bond", stored.bond)?,
                at_risk: Read::read("atRisk", stored.atRisk)?,
                leaving: Read::read("leaving", stored.leaving)?,
                leaves_at: time_or_none(stored.leavesAt),
                claims_lost: stored.claimsLost,
                payout_to,
                is_active,
                covered_until: time_or_none(covered),
                now: at.time,
            })
        };
        read().map_err(|error: OutOfRange| error.in_answer_to("miner"))
    }

    /// The register's own numbers.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn registry_rules(&self) -> Result<RegistryRules, ChainError> {
        let registry = self.registry()?;
        let (least, delay) = tokio::try_join!(
            self.ask(registry, MinerRegistry::bondMinCall {}),
            self.ask(registry, MinerRegistry::withdrawalDelayCall {}),
        )?;
        let bond_min = Read::read("bondMin", least);
        Ok(RegistryRules {
            bond_min: bond_min.map_err(|error: OutOfRange| error.in_answer_to("bondMin"))?,
            withdrawal_delay: delay.into(),
        })
    }

    fn registry(&self) -> Result<Address, ChainError> {
        self.deployed("MinerRegistry", |deployment| deployment.miner_registry)
    }

    /// The registry, once it has said that it holds this market's token: money is about to move into it.
    async fn checked_registry(&self) -> Result<Address, ChainError> {
        let registry = self.registry()?;
        let found = self.ask(registry, MinerRegistry::tokenCall {}).await?;
        if found == self.inner.deployment.token {
            return Ok(registry);
        }
        Err(ChainError::Contradiction {
            question: "token",
            problem: format!("the registry {registry} holds {found}, not this market's token"),
        })
    }

    pub(super) fn own_account(&self) -> Result<Address, SendError> {
        self.account().ok_or(SendError::KeyMissing)
    }
}
