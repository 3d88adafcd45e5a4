//! Chain and mempool in step, owned by one thread that others hand their questions to.
//!
//! # Correctness
//! Only the owner's thread touches the chain; whoever asks waits without holding a lock. News of the tip are sent
//! after the move is safe. When the chain's files fail, memory and disk may differ: the thread ends, and with it the
//! node, which reads the disk again at its next start.

use std::collections::BTreeMap;

use gio_coin::{
    Block, BlockContext, BlockHash, Coin, Header, Link, MAX_BLOCK_BYTES, MAX_BLOCK_SIGOPS,
    OutPoint, Script, ScryptHasher, Transaction, TxOut, Txid, WorkError, assemble, check_work,
    coinbase, mine, subsidy, transaction_sigops,
};
use gio_protocol::Gio;
use thiserror::Error;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::chain::{AddBlockError, AddHeadersError, Added, Chain, ChainError, ChainEvent};
use crate::clock::Clock;
use crate::mempool::{AdmitError, Mempool, MempoolLimits, NextBlock, Room};

/// Questions that may wait: a few per peer; whoever asks more waits to ask.
const JOBS: usize = 64;
/// News a slow listener may be behind before it loses some and is told so.
const NEWS: usize = 4096;
/// Bytes kept free in a mined block for its header, the number of its transactions and the witness commitment.
const HEADER_ROOM: usize = 500;

/// Chain and mempool.
#[derive(Debug)]
pub struct Ledger {
    chain: Chain,
    mempool: Mempool,
    hasher: ScryptHasher,
    news: broadcast::Sender<ChainEvent>,
    /// Makes the coinbases of this process differ from those of others.
    tag: [u8; 8],
    mined: u64,
    clock: Clock,
    broken: Option<LedgerBroken>,
}

/// The chain's files fail: the node must stop.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the chain cannot go on: {text}")]
pub struct LedgerBroken {
    /// The error and its causes.
    pub text: String,
    /// Whether all that is missing is room to write.
    pub is_disk_full: bool,
}

impl From<&ChainError> for LedgerBroken {
    fn from(error: &ChainError) -> Self {
        Self {
            text: causes(error),
            is_disk_full: error.is_disk_full(),
        }
    }
}

/// An error and its causes in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", causes(source)),
        None => error.to_string(),
    }
}

/// A transaction is not taken, or the chain cannot go on.
#[derive(Debug, Error)]
pub enum SubmitError {
    /// It is not admitted.
    #[error(transparent)]
    Refused(#[from] AdmitError),
    /// The chain cannot go on.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// No block could be mined.
#[derive(Debug, Error)]
pub enum MineError {
    /// Every nonce was tried; the next second may do.
    #[error("no nonce gives enough work")]
    NoNonce,
    /// What was mined is refused.
    #[error("the mined block is refused")]
    Refused(#[from] AddBlockError),
    /// The mempool gave a block that breaks a rule.
    #[error("the mined block does not fit")]
    DoesNotFit,
    /// The chain cannot go on.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl Ledger {
    /// A ledger on a chain; `tag` should be random.
    #[must_use]
    pub fn new(chain: Chain, tag: [u8; 8]) -> Self {
        Self {
            chain,
            mempool: Mempool::new(MempoolLimits::default()),
            hasher: ScryptHasher::new(),
            news: broadcast::channel(NEWS).0,
            tag,
            mined: 0,
            clock: Clock::system(),
            broken: None,
        }
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The transactions that wait.
    #[must_use]
    pub const fn mempool(&self) -> &Mempool {
        &self.mempool
    }

    /// Checks the work of headers that are not taken yet.
    ///
    /// # Errors
    /// The position of the first without its work, and what is wrong with it.
    pub fn check_work(&mut self, headers: &[Header]) -> Result<(), (usize, WorkError)> {
        let limit = self.chain.params().pow_limit;
        check_work(&mut self.hasher, headers, limit)
    }

    /// Takes headers; see [`Chain::add_headers`].
    ///
    /// # Errors
    /// [`AddHeadersError`].
    pub fn add_headers(&mut self, headers: &[Header]) -> Result<(), AddHeadersError> {
        let added = self.chain.add_headers(headers, self.clock.now());
        if let Err(AddHeadersError::Chain(error)) = &added {
            self.broken = Some(error.into());
        }
        added
    }

    /// Takes a block, brings the mempool in step and tells the listeners.
    ///
    /// # Errors
    /// [`AddBlockError`].
    pub fn add_block(&mut self, block: &Block) -> Result<Added, AddBlockError> {
        let added = self.take_block(block);
        if let Err(error) = &added {
            self.broken = error.fatal().map(LedgerBroken::from);
        }
        added
    }

    fn take_block(&mut self, block: &Block) -> Result<Added, AddBlockError> {
        let added = self.chain.add_block(block, self.clock.now())?;
        self.follow(&added.events)?;
        for event in &added.events {
            // Nobody listening is fine.
            let _ = self.news.send(*event);
        }
        Ok(added)
    }

    fn follow(&mut self, events: &[ChainEvent]) -> Result<(), ChainError> {
        let mut undone = Vec::new();
        for event in events {
            if let ChainEvent::Disconnected { id, .. } = event {
                let block = self.chain.block(id)?;
                // The lowest undone block is the last event; its transactions come first.
                let block = block.map(|block| block.transactions).unwrap_or_default();
                undone.splice(0..0, block);
            }
        }
        if !undone.is_empty() {
            return self.rebuild(undone);
        }
        if self.mempool.is_empty() {
            return Ok(());
        }
        for event in events {
            if let ChainEvent::Connected { id, .. } = event
                && let Some(block) = self.chain.block(id)?
            {
                self.mempool.block_connected(&block.transactions);
            }
        }
        Ok(())
    }

    fn rebuild(&mut self, undone: Vec<Transaction>) -> Result<(), ChainError> {
        let median_time_at = median_times(&self.chain);
        let context = next_context(&self.chain, &median_time_at);
        let chain = &self.chain;
        let coins = |transaction: &Transaction| coins_of(chain, transaction);
        self.mempool.rebuild(undone, &context, coins)
    }

    /// Takes a transaction into the mempool.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn submit(&mut self, transaction: Transaction) -> Result<Txid, SubmitError> {
        let txid = transaction.txid();
        let coins = coins_of(&self.chain, &transaction).inspect_err(|error| {
            self.broken = Some(error.into());
        })?;
        let median_time_at = median_times(&self.chain);
        let next = NextBlock {
            context: next_context(&self.chain, &median_time_at),
            coins: &coins,
        };
        self.mempool.admit(transaction, &next)?;
        Ok(txid)
    }

    /// Mines one block that pays to `script`: the built-in miner, for regtest.
    ///
    /// # Errors
    /// [`MineError`].
    pub fn generate(&mut self, script: &Script) -> Result<BlockHash, MineError> {
        let block = self.template(script)?;
        let header = mine(block.header, 0..=u32::MAX).ok_or(MineError::NoNonce)?;
        let block = Block { header, ..block };
        let added = self.add_block(&block)?;
        if added.invalid.is_empty() {
            Ok(block.id())
        } else {
            Err(MineError::DoesNotFit)
        }
    }

    /// The next block but for its nonce: the best-paying transactions that fit, and a coinbase that pays to `script`.
    ///
    /// # Errors
    /// [`MineError::DoesNotFit`].
    ///
    /// # Panics
    /// Never: the tip is in the tree.
    pub fn template(&mut self, script: &Script) -> Result<Block, MineError> {
        let tree = self.chain.headers();
        let tip = self.chain.tip();
        let next = tree.context_after(&tip);
        let next = next.expect("the tip is in the tree");
        self.mined += 1;
        let extra = [&self.tag[..], &self.mined.to_le_bytes()].concat();
        let paid = TxOut {
            value: subsidy(next.height),
            script_pubkey: script.clone(),
            link: Link::NONE,
        };
        let mut first = coinbase(next.height, &extra, vec![paid]);
        let chosen = self.mempool.select(room_beside(&first));
        let reward = subsidy(next.height).plus(chosen.fees);
        first.outputs[0].value = reward.unwrap_or(Gio::ZERO);
        let clock = u32::try_from(self.clock.now().0).unwrap_or(u32::MAX);
        let time = clock.max(next.median_time_past.saturating_add(1));
        assemble(tip, time, next.bits, first, chosen.transactions)
            .map_err(|_| MineError::DoesNotFit)
    }

    /// Every move of the tip from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<ChainEvent> {
        self.news.subscribe()
    }
}

/// What a block has beside this coinbase, whose script may be anything.
fn room_beside(coinbase: &Transaction) -> Room {
    let taken = HEADER_ROOM + coinbase.encoded_len();
    Room {
        bytes: MAX_BLOCK_BYTES.saturating_sub(taken),
        sigops: MAX_BLOCK_SIGOPS.saturating_sub(transaction_sigops(coinbase, &[])),
    }
}

fn median_times(chain: &Chain) -> impl Fn(u32) -> u32 {
    |height| {
        let tree = chain.headers();
        let ancestor = tree.ancestor(&chain.tip(), height);
        ancestor
            .and_then(|id| tree.median_time_past(&id))
            .unwrap_or(0)
    }
}

fn next_context<'a>(chain: &Chain, median_time_at: &'a dyn Fn(u32) -> u32) -> BlockContext<'a> {
    BlockContext {
        height: chain.tip_height() + 1,
        median_time_past: median_time_at(chain.tip_height()),
        median_time_at,
    }
}

/// The confirmed coins a transaction spends.
fn coins_of(
    chain: &Chain,
    transaction: &Transaction,
) -> Result<BTreeMap<OutPoint, Coin>, ChainError> {
    let mut coins = BTreeMap::new();
    for input in &transaction.inputs {
        if let Some(coin) = chain.coin(input.previous)? {
            coins.insert(input.previous, coin);
        }
    }
    Ok(coins)
}

type Job = Box<dyn FnOnce(&mut Ledger) + Send>;

/// The ledger's thread ended: the node is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the node is stopping")]
pub struct LedgerGone;

/// A way to ask the ledger from anywhere.
#[derive(Clone, Debug)]
pub struct LedgerHandle {
    jobs: mpsc::Sender<Job>,
    news: broadcast::Sender<ChainEvent>,
    clock: Clock,
}

impl LedgerHandle {
    /// A handle and the work of the thread that owns the ledger; the work ends when the last handle is gone, or with
    /// [`LedgerBroken`] when the chain's files fail.
    pub fn new(mut ledger: Ledger) -> (Self, impl FnOnce() -> Result<(), LedgerBroken> + Send) {
        let (jobs, mut waiting) = mpsc::channel::<Job>(JOBS);
        let (news, clock) = (ledger.news.clone(), ledger.clock.clone());
        let work = move || {
            while let Some(job) = waiting.blocking_recv() {
                job(&mut ledger);
                if let Some(broken) = ledger.broken.take() {
                    return Err(broken);
                }
            }
            Ok(())
        };
        (Self { jobs, news, clock }, work)
    }

    /// The ledger's clock.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Runs `work` on the ledger's thread and waits for what it gives.
    ///
    /// # Errors
    /// [`LedgerGone`].
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> T + Send + 'static,
    ) -> Result<T, LedgerGone> {
        let (answer, waiting) = oneshot::channel();
        let job = Box::new(move |ledger: &mut Ledger| {
            // Whoever asked may have left.
            let _ = answer.send(work(ledger));
        });
        self.jobs.send(job).await.map_err(|_| LedgerGone)?;
        waiting.await.map_err(|_| LedgerGone)
    }

    /// Every move of the tip from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<ChainEvent> {
        self.news.subscribe()
    }
}
