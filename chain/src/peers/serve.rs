//! Answering what a peer asks for: headers, blocks, transactions.
//!
//! Each connection serves by itself, one thing at a time: a peer that asks for much waits for its own socket and for
//! nobody else's.

use std::sync::Arc;

use gio_coin::{BlockHash, Header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::compact::answer;
use super::connection::Shared;
use crate::ledger::Ledger;
use crate::wire::{BlockTxnRequest, CompactBlock, Inventory, MAX_HEADERS, MAX_INVENTORY, Message};

/// What a peer asks for.
#[derive(Debug)]
pub(super) enum Request {
    /// Blocks and transactions.
    Data(Vec<Inventory>),
    /// Headers after the last known of these.
    Headers {
        locator: Vec<BlockHash>,
        stop: BlockHash,
    },
    /// Transactions of a block that came as short ids.
    BlockTxn(BlockTxnRequest),
}

/// Blocks further below the tip are served in full: who asks for them has no mempool that would help, and each
/// request for a few of their transactions costs reading a whole block.
const COMPACT_DEPTH: u32 = 10;

/// Blocks and transactions that the requests of a peer may name together: what two announcements can bring about.
const NAMED_MAX: usize = 2 * MAX_INVENTORY;
/// So many positions take less memory than one id.
const POSITIONS_PER_ID: usize = 8;

impl Request {
    /// How many ids it names, or as much memory as so many take.
    const fn len(&self) -> usize {
        match self {
            Self::Data(items) => items.len(),
            Self::Headers { locator, .. } => locator.len(),
            Self::BlockTxn(request) => request.positions.len().div_ceil(POSITIONS_PER_ID),
        }
    }
}

/// A request that waits, and the share of the limit it takes until it is served.
#[derive(Debug)]
pub(super) struct Waiting {
    request: Request,
    _share: OwnedSemaphorePermit,
}

/// Where a peer's requests wait.
#[derive(Debug)]
pub(super) struct Asks {
    requests: mpsc::Sender<Waiting>,
    names: Arc<Semaphore>,
}

impl Asks {
    /// Room for so many requests as the queue has places for, within [`NAMED_MAX`].
    pub(super) fn new(requests: mpsc::Sender<Waiting>) -> Self {
        let names = Arc::new(Semaphore::new(NAMED_MAX));
        Self { requests, names }
    }

    /// Lets a request wait; false if that would be too much.
    pub(super) fn put(&self, request: Request) -> bool {
        let Ok(names) = u32::try_from(request.len()) else {
            return false;
        };
        let share = Arc::clone(&self.names).try_acquire_many_owned(names);
        share.is_ok_and(|share| {
            let _share = share;
            self.requests.try_send(Waiting { request, _share }).is_ok()
        })
    }
}

/// A message on its way to the socket, as bytes: decoded it could take 24 times as many.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) name: &'static str,
    pub(super) payload: Vec<u8>,
}

impl From<Message> for Served {
    fn from(message: Message) -> Self {
        Self {
            name: message.name(),
            payload: message.payload(),
        }
    }
}

/// Serves until the node stops or the connection ends.
///
/// # Security
/// An answer is made only once there is a place for it: of a peer that does not read one waits while one is written.
pub(super) async fn serve(
    shared: &Shared,
    mut waiting: mpsc::Receiver<Waiting>,
    bulk: mpsc::Sender<Served>,
) {
    while let Some(Waiting { request, _share }) = waiting.recv().await {
        let served = match request {
            Request::Data(items) => serve_data(shared, items, &bulk).await,
            Request::BlockTxn(request) => serve_block_txn(shared, request, &bulk).await,
            Request::Headers { locator, stop } => {
                serve_headers(shared, (locator, stop), &bulk).await
            }
        };
        if served.is_none() {
            return;
        }
    }
}

async fn serve_headers(
    shared: &Shared,
    (locator, stop): (Vec<BlockHash>, BlockHash),
    bulk: &mpsc::Sender<Served>,
) -> Option<()> {
    let place = bulk.reserve().await.ok()?;
    let min_work = shared.min_work;
    let found = shared.ledger.call(move |ledger| {
        let known = ledger.chain().headers().work(&ledger.chain().tip());
        match known {
            // Whoever is still catching up would only look as if it had little work.
            Some(work) if work >= min_work => headers_after(ledger, &locator, &stop),
            _ => Vec::new(),
        }
    });
    let headers = found.await.ok()?;
    place.send(Message::Headers(headers).into());
    Some(())
}

async fn serve_block_txn(
    shared: &Shared,
    request: BlockTxnRequest,
    bulk: &mpsc::Sender<Served>,
) -> Option<()> {
    let place = bulk.reserve().await.ok()?;
    let found = shared.ledger.call(move |ledger| {
        let block = Inventory::Block(request.block);
        let message = match find(ledger, block, 0) {
            Some(Message::Block(block)) if is_recent(ledger, &request.block) => {
                answer(&block, &request).map(Message::BlockTxn)
            }
            // Old, or not here.
            other => Some(other.unwrap_or(Message::NotFound(vec![block]))),
        };
        message.map(Served::from)
    });
    // None for positions the block does not have: nothing more is said to who asks for them.
    place.send(found.await.ok()??);
    Some(())
}

fn is_recent(ledger: &Ledger, id: &BlockHash) -> bool {
    let height = ledger.chain().headers().height(id);
    height.is_some_and(|height| height + COMPACT_DEPTH > ledger.chain().tip_height())
}

async fn serve_data(
    shared: &Shared,
    items: Vec<Inventory>,
    bulk: &mpsc::Sender<Served>,
) -> Option<()> {
    let mut missing = Vec::new();
    for item in items {
        let place = bulk.reserve().await.ok()?;
        let nonce = shared.next_nonce();
        let found = shared
            .ledger
            .call(move |ledger| find(ledger, item, nonce).map(Served::from));
        match found.await.ok()? {
            Some(served) => {
                place.send(served);
            }
            None => missing.push(item),
        }
    }
    if !missing.is_empty() {
        let place = bulk.reserve().await.ok()?;
        place.send(Message::NotFound(missing).into());
    }
    Some(())
}

fn find(ledger: &Ledger, item: Inventory, nonce: u64) -> Option<Message> {
    match item {
        Inventory::CompactBlock(id) => match find(ledger, Inventory::Block(id), nonce)? {
            Message::Block(block) if is_recent(ledger, &id) => {
                Some(Message::CompactBlock(CompactBlock::new(&block, nonce)))
            }
            other => Some(other),
        },
        Inventory::Tx(txid) => {
            let entry = ledger.mempool().get(&txid)?;
            Some(Message::Tx(entry.transaction.clone()))
        }
        Inventory::Block(id) if ledger.chain().headers().is_invalid(&id) => None,
        Inventory::Block(id) => match ledger.chain().block(&id) {
            Ok(found) => found.map(Message::Block),
            Err(error) => {
                tracing::error!(%id, %error, "a block cannot be read");
                None
            }
        },
        Inventory::Other(..) => None,
    }
}

/// Headers of the branch this node is on, after the last one the asker knows.
pub(super) fn headers_after(
    ledger: &Ledger,
    locator: &[BlockHash],
    stop: &BlockHash,
) -> Vec<Header> {
    let chain = ledger.chain();
    let (tree, tip) = (chain.headers(), chain.tip());
    let on_branch = |id: &&BlockHash| {
        let height = tree.height(id);
        height.is_some_and(|height| tree.ancestor(&tip, height).as_ref() == Some(*id))
    };
    let known = locator.iter().find(on_branch);
    let start = known.and_then(|id| tree.height(id)).unwrap_or(0) + 1;
    let mut headers = Vec::new();
    for height in start..=chain.tip_height() {
        let Some(id) = tree.ancestor(&tip, height) else {
            break;
        };
        headers.extend(tree.header(&id).copied());
        if headers.len() == MAX_HEADERS || id == *stop {
            break;
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MAX_BLOCK_TXS;

    #[test]
    fn all_of_the_largest_block_may_be_asked_for_and_more_than_two_announcements_may_not() {
        let (requests, mut waiting) = mpsc::channel(8);
        let asks = Asks::new(requests);
        let rest = |block| {
            let positions = (0..).take(MAX_BLOCK_TXS).collect();
            Request::BlockTxn(BlockTxnRequest { block, positions })
        };
        let id = BlockHash::default();
        let data = || Request::Data(vec![Inventory::Block(id); MAX_INVENTORY]);
        assert!(asks.put(rest(id)));
        assert!(asks.put(data()));
        assert!(!asks.put(data()));
        waiting.try_recv().unwrap();
        assert!(asks.put(data()));
        assert!(!asks.put(Request::Data(vec![Inventory::Block(id)])));
    }
}
