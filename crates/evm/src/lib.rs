//! The only door to an EVM RPC: typed calls, events, nonces, gas, retries and typed reverts.
//!
//! Outside this package nobody sees a generated binding, a hexadecimal string or a revert selector:
//! what comes in and goes out are the words of `gio-protocol` and the few types below.
//! It keeps no state but the next nonce; what a caller must remember, the caller writes down.
//!
//! # Trust
//! The RPC may be down, slow, behind a load balancer, or wrong. Every request has a deadline, every transaction is
//! signed for the deployment's chain id, and answers that contradict themselves are refused
//! ([`ChainError::Contradiction`]). An RPC that lies consistently is not detected here.

mod audit;
mod bindings;
mod chain;
mod convert;
mod deployment;
pub mod devnet;
mod error;
mod event;
mod info;
mod payout;
mod revert;
mod rpc;
mod sender;

pub use audit::{
    Audit, Books, DealBook, Difference, Entry, MinerBook, PayoutBook, Terms as AuditTerms, Transfer,
};
pub use chain::{Chain, PostedPayout, PostedPayouts};
pub use deployment::{Deployment, WalletParameters};
pub use error::{ChainError, ConnectError, SendError};
pub use event::{GovernmentEvent, GovernmentLog, LogPlace, WalletEvent, WalletLog};
pub use info::{
    Action, AppInfo, AppKind, BlockHead, BucketInfo, CaseInfo, CaseKind, CaseOutcome, DealInfo,
    EpochInfo, FalseBill, HubInfo, HubKind, HubRecord, KeyInfo, Level, MinerInfo, PayoutClaim,
    Permit, ProposalInfo, ProposalState, RegistryRules, ReleaseDraft, ReleaseInfo, StandingInfo,
    SumStep, Support, TxInfo, VotingRules, WalletInfo, WalletState,
};
pub use payout::{LeafFile, LeafFileError, PayoutError, PayoutTree};
pub use revert::{GovernmentRevert, RevertReason};
pub use rpc::Timing;
