//! Proposals, votes, cases and the treasury: everything a voter needs (docs/governance.md).

use alloy::primitives::Bytes;
use alloy::rpc::types::Filter;
use alloy::sol_types::{SolCall, SolValue};
use gio_protocol::{Address, B256, Gio, U256, keccak256};

use super::Chain;
use crate::bindings::GioToken;
use crate::bindings::government::{Cases, Dao, Timelock, Treasury};
use crate::convert::{OutOfRange, Read, gio, place};
use crate::error::{ChainError, SendError};
use crate::event::{GovernmentEvent, GovernmentLog};
use crate::info::{
    Action, BucketInfo, CaseInfo, CaseOutcome, EpochInfo, ProposalInfo, ProposalState, Support,
    TxInfo, VotingRules,
};

impl Chain {
    /// Gives this account's votes to `to`, which may be itself; votes count from the next second on.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn delegate_votes(&self, to: Address) -> Result<TxInfo, SendError> {
        let call = GioToken::delegateCall { delegatee: to };
        self.send(self.inner.deployment.token, &call).await
    }

    /// The votes an account has now, base units.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn votes(&self, of: Address) -> Result<U256, ChainError> {
        let call = GioToken::getVotesCall { account: of };
        self.inner
            .rpc
            .view(self.inner.deployment.token, &call)
            .await
    }

    /// Proposes calls of the timelock, in this order. Returns the proposal's number.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn propose(
        &self,
        actions: &[Action],
        description: &str,
    ) -> Result<(U256, TxInfo), SendError> {
        let (targets, calls) = split(actions);
        let call = Dao::proposeCall {
            values: vec![U256::ZERO; targets.len()],
            targets,
            calldatas: calls,
            description: description.to_owned(),
        };
        let sent = self.send(self.dao()?, &call).await?;
        Ok((proposal_id(actions, description), sent))
    }

    /// Votes, with a reason people can read.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn vote(
        &self,
        proposal: U256,
        support: Support,
        reason: &str,
    ) -> Result<TxInfo, SendError> {
        let call = Dao::castVoteWithReasonCall {
            proposalId: proposal,
            support: support as u8,
            reason: reason.to_owned(),
        };
        self.send(self.dao()?, &call).await
    }

    /// Hands a passed proposal to the timelock. Anyone may.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn queue(&self, proposal: U256) -> Result<TxInfo, SendError> {
        let call = Dao::queueCall {
            proposalId: proposal,
        };
        self.send(self.dao()?, &call).await
    }

    /// Carries a queued proposal out after the timelock's delay. Anyone may.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn execute(&self, proposal: U256) -> Result<TxInfo, SendError> {
        let call = Dao::executeCall {
            proposalId: proposal,
        };
        self.send(self.dao()?, &call).await
    }

    /// Where a proposal stands.
    ///
    /// # Errors
    /// [`ChainError`]; [`crate::GovernmentRevert::ProposalUnknown`] if there is none.
    pub async fn proposal(&self, id: U256) -> Result<ProposalInfo, ChainError> {
        let (dao, proposal_id) = (self.dao()?, id);
        let (state, snapshot, deadline, eta, is_grave, votes) = tokio::try_join!(
            self.ask(
                dao,
                Dao::stateCall {
                    proposalId: proposal_id
                }
            ),
            self.ask(
                dao,
                Dao::proposalSnapshotCall {
                    proposalId: proposal_id
                }
            ),
            self.ask(
                dao,
                Dao::proposalDeadlineCall {
                    proposalId: proposal_id
                }
            ),
            self.ask(
                dao,
                Dao::proposalEtaCall {
                    proposalId: proposal_id
                }
            ),
            self.ask(
                dao,
                Dao::isGraveCall {
                    proposalId: proposal_id
                }
            ),
            self.ask(
                dao,
                Dao::proposalVotesCall {
                    proposalId: proposal_id
                }
            ),
        )?;
        let read = || {
            Ok(ProposalInfo {
                state: ProposalState::read("proposal state", state)?,
                snapshot: Read::read("snapshot", snapshot)?,
                deadline: Read::read("deadline", deadline)?,
                eta: match eta {
                    U256::ZERO => None,
                    eta => Some(Read::read("eta", eta)?),
                },
                is_grave,
                against: votes.againstVotes,
                in_favour: votes.forVotes,
                abstained: votes.abstainVotes,
            })
        };
        read().map_err(|error: OutOfRange| error.in_answer_to("a proposal"))
    }

    /// The rules of voting as they are now.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn voting_rules(&self) -> Result<VotingRules, ChainError> {
        let (dao, timelock) = (self.dao()?, self.timelock()?);
        let (delay, period, threshold, lock) = tokio::try_join!(
            self.ask(dao, Dao::votingDelayCall {}),
            self.ask(dao, Dao::votingPeriodCall {}),
            self.ask(dao, Dao::proposalThresholdCall {}),
            self.ask(timelock, Timelock::getMinDelayCall {}),
        )?;
        let seconds = |units: U256| u64::try_from(units).unwrap_or(u64::MAX);
        Ok(VotingRules {
            delay: seconds(delay),
            period: seconds(period),
            timelock: seconds(lock),
            threshold,
        })
    }

    /// Accuses a registered wallet. The bond is taken from this account, which approves it first.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn accuse(
        &self,
        wallet: Address,
        evidence: B256,
        found_at: &str,
        bond: Gio,
    ) -> Result<(U256, TxInfo), SendError> {
        let call = Cases::accuseCall {
            wallet,
            evidence,
            r#where: found_at.to_owned(),
            bond: bond.units().into(),
        };
        self.open_case(&call, bond).await
    }

    /// Appeals for a suspected wallet of this account.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn appeal(
        &self,
        wallet: Address,
        evidence: B256,
        found_at: &str,
        bond: Gio,
    ) -> Result<(U256, TxInfo), SendError> {
        let call = Cases::appealCall {
            wallet,
            evidence,
            r#where: found_at.to_owned(),
            bond: bond.units().into(),
        };
        self.open_case(&call, bond).await
    }

    async fn open_case<C: SolCall>(
        &self,
        call: &C,
        bond: Gio,
    ) -> Result<(U256, TxInfo), SendError> {
        let cases = self.cases()?;
        self.approve(cases, bond).await?;
        let receipt = self.send_raw(cases, call).await?;
        let opened = receipt.logs().iter().filter(|log| log.address() == cases);
        let case = opened
            .filter_map(|log| GovernmentEvent::read(log).ok()?)
            .find_map(|event| match event {
                GovernmentEvent::CaseOpened { case, .. } => Some(case),
                _ => None,
            })
            .ok_or_else(|| ChainError::unreadable("a case", "no CaseOpened in the receipt"))?;
        Ok((case, self.tx_info(&receipt)))
    }

    /// Ends a case as the Dao decided, and pays out its bond. Anyone may.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn decide(&self, case: U256) -> Result<TxInfo, SendError> {
        let call = Cases::decideCall { caseId: case };
        self.send(self.cases()?, &call).await
    }

    /// A case.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn case(&self, case: U256) -> Result<CaseInfo, ChainError> {
        let call = Cases::caseOfCall { caseId: case };
        let found = self.inner.rpc.view(self.cases()?, &call).await?;
        CaseInfo::try_from(found).map_err(|error| error.in_answer_to("caseOf"))
    }

    /// The least bond of an accusation against a wallet.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn case_bond(&self, wallet: Address) -> Result<Gio, ChainError> {
        let call = Cases::bondForCall { wallet };
        let bond = self.inner.rpc.view(self.cases()?, &call).await?;
        gio("bond", U256::from(bond)).map_err(|error| error.in_answer_to("bondFor"))
    }

    /// Gives this account's GIO to the general money of the treasury.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn deposit_to_treasury(&self, amount: Gio) -> Result<TxInfo, SendError> {
        let treasury = self.treasury()?;
        self.approve(treasury, amount).await?;
        let amount = amount.units().into();
        self.send(treasury, &Treasury::depositCall { amount }).await
    }

    /// Divides the fees of the epoch that ended. Anyone may.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn close_epoch(&self) -> Result<TxInfo, SendError> {
        let call = Treasury::closeEpochCall {};
        self.send(self.treasury()?, &call).await
    }

    /// Pays an account its share of an epoch's dividend. Anyone may.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn claim_dividend(&self, epoch: U256, account: Address) -> Result<TxInfo, SendError> {
        let call = Treasury::claimDividendCall { epoch, account };
        self.send(self.treasury()?, &call).await
    }

    /// Makes what nobody claimed in time general money. Anyone may.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn sweep_dividend(&self, epoch: U256) -> Result<TxInfo, SendError> {
        let call = Treasury::sweepDividendCall { epoch };
        self.send(self.treasury()?, &call).await
    }

    /// One bucket of the treasury; 0 is the general money.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn bucket(&self, bucket: U256) -> Result<BucketInfo, ChainError> {
        let call = Treasury::bucketCall { bucketId: bucket };
        let found = self.inner.rpc.view(self.treasury()?, &call).await?;
        BucketInfo::try_from(found).map_err(|error| error.in_answer_to("bucket"))
    }

    /// One epoch of dividends.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn epoch(&self, epoch: U256) -> Result<EpochInfo, ChainError> {
        let call = Treasury::epochOfCall { epoch };
        let found = self.inner.rpc.view(self.treasury()?, &call).await?;
        EpochInfo::try_from(found).map_err(|error| error.in_answer_to("epochOf"))
    }

    /// What an account would get of an epoch now.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn dividend(&self, epoch: U256, account: Address) -> Result<Gio, ChainError> {
        let call = Treasury::claimableCall { epoch, account };
        let units = self.inner.rpc.view(self.treasury()?, &call).await?;
        gio("dividend", U256::from(units)).map_err(|error| error.in_answer_to("claimable"))
    }

    /// Everything Dao, timelock, cases, treasury, standing, pool and registry said in these blocks, in order.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn government_events(
        &self,
        from_block: u64,
        to_block: u64,
    ) -> Result<Vec<GovernmentLog>, ChainError> {
        let d = &self.inner.deployment;
        let contracts = [
            d.dao,
            d.timelock,
            d.cases,
            d.treasury,
            d.standing,
            d.app_pool,
            d.miner_registry,
        ];
        let contracts: Vec<Address> = contracts.into_iter().flatten().collect();
        if contracts.is_empty() {
            // A filter without addresses would be all logs of the chain.
            return Ok(Vec::new());
        }
        let filter = Filter::new().address(contracts);
        let mut events = Vec::new();
        for log in self.logs(&filter, from_block..=to_block).await? {
            let unreadable = |problem: &str| ChainError::unreadable("logs", problem);
            let event = GovernmentEvent::read(&log).map_err(|problem| unreadable(&problem))?;
            let Some(event) = event else {
                continue;
            };
            events.push(GovernmentLog {
                contract: log.address(),
                place: place(&log).ok_or_else(|| unreadable("a log without a place"))?,
                event,
            });
        }
        Ok(events)
    }

    /// Whether a case was decided, and how.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn case_outcome(&self, case: U256) -> Result<CaseOutcome, ChainError> {
        Ok(self.case(case).await?.outcome)
    }

    fn dao(&self) -> Result<Address, ChainError> {
        self.deployed("Dao", |deployment| deployment.dao)
    }

    fn timelock(&self) -> Result<Address, ChainError> {
        self.deployed("Timelock", |deployment| deployment.timelock)
    }

    fn cases(&self) -> Result<Address, ChainError> {
        self.deployed("Cases", |deployment| deployment.cases)
    }

    fn treasury(&self) -> Result<Address, ChainError> {
        self.deployed("Treasury", |deployment| deployment.treasury)
    }
}

fn split(actions: &[Action]) -> (Vec<Address>, Vec<Bytes>) {
    let pairs = actions
        .iter()
        .map(|action| (action.to, action.data.clone()));
    pairs.unzip()
}

/// What the Dao calls a proposal: the hash of its contents.
fn proposal_id(actions: &[Action], description: &str) -> U256 {
    let (targets, calls) = split(actions);
    let values = vec![U256::ZERO; targets.len()];
    let contents = (targets, values, calls, keccak256(description));
    keccak256(contents.abi_encode_params()).into()
}
