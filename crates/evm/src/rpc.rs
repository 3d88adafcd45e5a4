//! One request to the RPC: its deadline, its repetitions, and what a failure means.

mod refusal;

use std::fmt;
use std::time::Duration;

use alloy::primitives::{Bytes, U64};
use alloy::rpc::client::RpcClient;
use alloy::rpc::json_rpc::{ErrorPayload, RpcError, RpcRecv, RpcSend};
use alloy::rpc::types::{BlockId, BlockNumberOrTag, TransactionReceipt, TransactionRequest};
use alloy::sol_types::SolCall;
use alloy::transports::http::reqwest::{self, Url, redirect};
use alloy::transports::{TransportError, TransportErrorKind};
use gio_protocol::{Address, B256, U256, UnixSeconds};
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};

use crate::error::{ChainError, ConnectError};
use crate::info::BlockHead;
use crate::revert::RevertReason;

pub(crate) use refusal::Refusal;

/// Attempts at one question while the node is away: a restart of a local node takes about half a second, which
/// the pauses between four attempts (0.1, 0.2, 0.4 s) span.
pub(crate) const ATTEMPTS_MAX: u32 = 4;
/// The first of those pauses; each further one is twice as long.
pub(crate) const PAUSE_FIRST: Duration = Duration::from_millis(100);

/// First pause between questions for a receipt: a development node mines at once.
const POLL_FIRST: Duration = Duration::from_millis(20);
/// Longest pause: a block of the fastest chains.
const POLL_MAX: Duration = Duration::from_secs(1);

/// Growing pauses between questions for the same thing.
#[derive(Debug)]
pub(crate) struct Poll(Duration);

impl Default for Poll {
    fn default() -> Self {
        Self(POLL_FIRST)
    }
}

impl Poll {
    pub(crate) async fn pause(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(POLL_MAX);
    }
}

/// How long the parts of a conversation with the chain may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// One question, repetitions included. Public RPCs answer within a second; ten are an outage.
    pub request: Duration,
    /// After this time without a receipt a transaction is sent again with a higher fee: three blocks of the slowest
    /// chain we would run on (12 s), in which a fair fee is taken.
    pub stuck_after: Duration,
    /// After this time without a receipt the caller gets the word back. Long enough for several fee steps.
    pub receipt: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let hurry = gio_failpoint::hurry();
        Self {
            request: Duration::from_secs(10),
            stuck_after: Duration::from_secs(36) / hurry,
            receipt: Duration::from_secs(300) / hurry,
        }
    }
}

/// A connection to one RPC.
#[derive(Clone)]
pub(crate) struct Rpc {
    client: RpcClient,
    timing: Timing,
}

#[derive(Debug, Deserialize)]
struct HeadJson {
    number: U64,
    hash: B256,
    timestamp: U64,
}

#[derive(Debug, Deserialize)]
struct TimeJson {
    timestamp: U64,
}

impl Rpc {
    pub(crate) fn new(url: &str, timing: Timing) -> Result<Self, ConnectError> {
        let invalid = || ConnectError::UrlInvalid(url.to_owned());
        let url = Url::parse(url).map_err(|_| invalid())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid());
        }
        let http = reqwest::Client::builder()
            // Whoever configured this address means this address.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|_| invalid())?;
        Ok(Self {
            client: RpcClient::new_http_with_client(http, url),
            timing,
        })
    }

    pub(crate) fn timing(&self) -> Timing {
        self.timing
    }

    /// Asks until there is an answer, a refusal or the deadline.
    ///
    /// Everything asked here may be asked twice, and only the last answer counts: questions change nothing.
    pub(crate) async fn ask<P, R>(&self, method: &'static str, params: P) -> Result<R, ChainError>
    where
        P: RpcSend + Clone,
        R: RpcRecv,
    {
        timeout(self.timing.request, self.repeat(method, params))
            .await
            .unwrap_or(Err(ChainError::Timeout {
                method,
                after: self.timing.request,
            }))
    }

    async fn repeat<P, R>(&self, method: &'static str, params: P) -> Result<R, ChainError>
    where
        P: RpcSend + Clone,
        R: RpcRecv,
    {
        let mut pause = PAUSE_FIRST;
        let mut attempt = 1;
        loop {
            let error = match self.client.request::<P, R>(method, params.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => classify(method, error),
            };
            if !error.is_transient() || attempt == ATTEMPTS_MAX {
                return Err(error);
            }
            tracing::debug!(method, attempt, %error, "asking the rpc again");
            sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    /// Asks one time, without a deadline.
    pub(crate) async fn ask_once<P, R>(
        &self,
        method: &'static str,
        params: P,
    ) -> Result<R, ChainError>
    where
        P: RpcSend,
        R: RpcRecv,
    {
        let answer = self.client.request::<P, R>(method, params).await;
        answer.map_err(|error| classify(method, error))
    }

    pub(crate) async fn chain_id(&self) -> Result<u64, ChainError> {
        let id: U64 = self.ask("eth_chainId", ()).await?;
        Ok(id.to())
    }

    pub(crate) async fn block(&self, at: BlockNumberOrTag) -> Result<BlockHead, ChainError> {
        const METHOD: &str = "eth_getBlockByNumber";
        let head: Option<HeadJson> = self.ask(METHOD, (at, false)).await?;
        let head = head.ok_or_else(|| ChainError::Busy {
            method: METHOD,
            message: format!("there is no block {at}"),
        })?;
        Ok(BlockHead {
            number: head.number.to(),
            hash: head.hash,
            time: UnixSeconds(head.timestamp.to()),
        })
    }

    /// The time of the block the node is building; `None` if it builds none. Such a block has no hash yet.
    pub(crate) async fn pending_time(&self) -> Result<Option<UnixSeconds>, ChainError> {
        let asked = (BlockNumberOrTag::Pending, false);
        let block: Result<Option<TimeJson>, ChainError> =
            self.ask("eth_getBlockByNumber", asked).await;
        match block {
            Ok(block) => Ok(block.map(|block| UnixSeconds(block.timestamp.to()))),
            Err(error) if error.is_transient() => Err(error),
            Err(_) => Ok(None),
        }
    }

    pub(crate) async fn code(&self, at: Address) -> Result<Bytes, ChainError> {
        self.ask("eth_getCode", (at, BlockNumberOrTag::Latest))
            .await
    }

    pub(crate) async fn gas_balance(&self, of: Address) -> Result<U256, ChainError> {
        self.ask("eth_getBalance", (of, BlockNumberOrTag::Latest))
            .await
    }

    /// A receipt, or `None` while there is none; an RPC that is away has none.
    pub(crate) async fn receipt(&self, tx: B256) -> Option<TransactionReceipt> {
        let receipt = self.receipt_or_error(tx).await;
        receipt.unwrap_or_else(|error| {
            tracing::warn!(%tx, %error, "cannot ask for a receipt");
            None
        })
    }

    /// A receipt, or `None` if the node says that there is none.
    pub(crate) async fn receipt_or_error(
        &self,
        tx: B256,
    ) -> Result<Option<TransactionReceipt>, ChainError> {
        let receipt: Option<TransactionReceipt> =
            self.ask("eth_getTransactionReceipt", (tx,)).await?;
        Ok(receipt.filter(|receipt| {
            receipt.transaction_hash == tx
                && receipt.block_number.is_some()
                && receipt.block_hash.is_some()
        }))
    }

    /// Waits for the receipt of a transaction sent earlier, perhaps by an earlier process.
    pub(crate) async fn await_receipt(&self, tx: B256) -> Option<TransactionReceipt> {
        let deadline = Instant::now() + self.timing.receipt;
        let mut poll = Poll::default();
        loop {
            if let Some(receipt) = self.receipt(tx).await {
                return Some(receipt);
            }
            if Instant::now() >= deadline {
                return None;
            }
            poll.pause().await;
        }
    }

    /// A typed call that changes nothing, at the newest block.
    pub(crate) async fn view<C: SolCall>(
        &self,
        to: Address,
        call: &C,
    ) -> Result<C::Return, ChainError> {
        self.view_at(BlockNumberOrTag::Latest.into(), to, call)
            .await
    }

    /// A typed call that changes nothing, at a block.
    pub(crate) async fn view_at<C: SolCall>(
        &self,
        at: BlockId,
        to: Address,
        call: &C,
    ) -> Result<C::Return, ChainError> {
        let request = TransactionRequest::default()
            .to(to)
            .input(Bytes::from(call.abi_encode()).into());
        let data: Bytes = self.ask("eth_call", (request, at)).await?;
        C::abi_decode_returns(&data).map_err(|error| ChainError::unreadable(C::SIGNATURE, &error))
    }
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold an access token.
        f.debug_struct("Rpc").finish_non_exhaustive()
    }
}

fn classify(method: &'static str, error: TransportError) -> ChainError {
    match error {
        RpcError::ErrorResp(payload) => refused(method, &payload),
        RpcError::DeserError { err, .. } => ChainError::unreadable(method, &err),
        RpcError::NullResp => ChainError::unreadable(method, "null"),
        RpcError::Transport(TransportErrorKind::HttpError(http)) if is_final(http.status) => {
            ChainError::Refused {
                method,
                code: i64::from(http.status),
                message: http.to_string(),
            }
        }
        source => ChainError::Unreachable { method, source },
    }
}

/// HTTP statuses that a repetition does not change: the address or the access token is wrong.
fn is_final(status: u16) -> bool {
    (300..500).contains(&status) && !matches!(status, 408 | 425 | 429)
}

fn refused(method: &'static str, payload: &ErrorPayload) -> ChainError {
    let message = payload.message.to_string();
    if let Some(data) = payload.as_revert_data() {
        return ChainError::Reverted(RevertReason::from_data(&data));
    }
    if refusal::is_revert(payload.code, &message) {
        return ChainError::Reverted(RevertReason::Unexplained);
    }
    if payload.is_retry_err() {
        return ChainError::Busy { method, message };
    }
    ChainError::Refused {
        method,
        code: payload.code,
        message,
    }
}
