//! Answering what a peer asks for: headers, blocks, transactions.
//!
//! Each connection serves by itself, one thing at a time: a peer that asks for much waits for its own socket and for
//! nobody else's.

use gio_coin::{BlockHash, Header};
use tokio::sync::mpsc;

use super::compact::answer;
use super::connection::Shared;
use crate::ledger::Ledger;
use crate::wire::{BlockTxnRequest, CompactBlock, Inventory, MAX_HEADERS, Message};

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

/// Serves until the node stops or the connection ends.
pub(super) async fn serve(
    shared: &Shared,
    mut asked: mpsc::Receiver<Request>,
    bulk: mpsc::Sender<Message>,
) {
    while let Some(request) = asked.recv().await {
        let served = match request {
            Request::Data(items) => serve_data(shared, items, &bulk).await,
            Request::BlockTxn(request) => serve_block_txn(shared, request, &bulk).await,
            Request::Headers { locator, stop } => {
                let min_work = shared.min_work;
                let found = shared.ledger.call(move |ledger| {
                    let known = ledger.chain().headers().work(&ledger.chain().tip());
                    match known {
                        // Whoever is still catching up would only look as if it had little work.
                        Some(work) if work >= min_work => headers_after(ledger, &locator, &stop),
                        _ => Vec::new(),
                    }
                });
                match found.await {
                    Ok(headers) => bulk.send(Message::Headers(headers)).await.is_ok(),
                    Err(_) => false,
                }
            }
        };
        if !served {
            return;
        }
    }
}

async fn serve_block_txn(
    shared: &Shared,
    request: BlockTxnRequest,
    bulk: &mpsc::Sender<Message>,
) -> bool {
    let found = shared.ledger.call(move |ledger| {
        let block = Inventory::Block(request.block);
        match find(ledger, block, 0) {
            Some(Message::Block(block)) if is_recent(ledger, &request.block) => {
                answer(&block, &request).map(Message::BlockTxn)
            }
            // Old, or not here.
            other => Some(other.unwrap_or(Message::NotFound(vec![block]))),
        }
    });
    match found.await {
        Ok(Some(message)) => bulk.send(message).await.is_ok(),
        // Positions the block does not have: nothing more is said to who asks for them.
        Ok(None) | Err(_) => false,
    }
}

fn is_recent(ledger: &Ledger, id: &BlockHash) -> bool {
    let height = ledger.chain().headers().height(id);
    height.is_some_and(|height| height + COMPACT_DEPTH > ledger.chain().tip_height())
}

async fn serve_data(shared: &Shared, items: Vec<Inventory>, bulk: &mpsc::Sender<Message>) -> bool {
    let mut missing = Vec::new();
    for item in items {
        let nonce = shared.next_nonce();
        let found = shared.ledger.call(move |ledger| find(ledger, item, nonce));
        let Ok(found) = found.await else {
            return false;
        };
        match found {
            Some(message) => {
                if bulk.send(message).await.is_err() {
                    return false;
                }
            }
            None => missing.push(item),
        }
    }
    missing.is_empty() || bulk.send(Message::NotFound(missing)).await.is_ok()
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
