//! Results: a claim is on disk before it is sent. While one batch is being written the next one gathers, so that
//! thousands of tiny units share their syncs to disk.

use std::sync::Arc;

use bytes::Bytes;
use gio_content::ContentRef;
use gio_net::wire::{Done, Failed, UnitDone, UnitFailure, miner_message::Body, unit_done::Output};
use gio_protocol::B256;
use tokio::sync::mpsc;

use super::desk::Desk;
use super::now;
use super::runner::{Failure, Finished, Made};
use crate::domain::book::Todo;
use crate::domain::order::UnitKey;
use crate::infra::contents::{ContentsError, Pinned};
use crate::infra::observe;
use crate::infra::store::{Change, ClaimRow, StoreError};
use crate::infra::wire::{unit_done, unit_failure};

/// Outputs up to this size travel in the message; larger ones are uploaded first.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;
/// Results written and sent at once.
const BATCH_MAX: usize = 512;
/// Outputs in one message: an eighth of the network's limit, so that small answers get through between them.
const DONE_BYTES_MAX: usize = 1024 * 1024;

/// Runs until the desk's end, and has then written everything that came.
pub(super) async fn run(desk: Arc<Desk>, mut finished: mpsc::Receiver<Finished>) {
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            biased;
            count = finished.recv_many(&mut batch, BATCH_MAX) => if count == 0 { return },
            () = desk.stop.cancelled() => {
                while let Ok(last) = finished.try_recv() {
                    batch.push(last);
                }
                if batch.is_empty() {
                    return;
                }
            }
        }
        if let Err(error) = desk.settle(std::mem::take(&mut batch)).await {
            desk.deps.fatal("results", error);
            return;
        }
    }
}

/// Results of one batch, sorted by what happens to them.
#[derive(Default)]
struct Sorted {
    rows: Vec<ClaimRow>,
    /// Name, claim hash and CU of each row.
    made: Vec<(UnitKey, B256, gio_protocol::Cu)>,
    small: Vec<UnitDone>,
    large: Vec<Upload>,
    failed: Vec<(UnitKey, Failure)>,
}

/// A result that is a file of its own.
pub(super) struct Upload {
    pub(super) row: ClaimRow,
    pub(super) content: ContentRef,
}

impl Desk {
    /// Ends a batch of jobs: on disk first, then in the book, then to the hub.
    async fn settle(self: &Arc<Self>, batch: Vec<Finished>) -> Result<(), StoreError> {
        let mut sorted = Sorted::default();
        for Finished { key, result } in batch {
            self.state().stoppers.remove(&key);
            match result {
                Ok(made) => self.keep(key, made, &mut sorted).await,
                Err(failure) => {
                    let failure = self.as_told(failure);
                    sorted.failed.push((key, failure));
                }
            }
        }
        if !sorted.rows.is_empty() {
            let rows = std::mem::take(&mut sorted.rows);
            observe::claims_made(self.hub.wallet, rows.len());
            self.deps.store.apply(vec![Change::Claims(rows)]).await?;
            gio_failpoint::fail_point!("miner.wrote.claims");
        }
        let telling = self.telling();
        let todos = self.enter(&sorted);
        for todo in todos {
            self.act(todo);
        }
        self.tell(sorted).await;
        drop(telling);
        Ok(())
    }

    /// A run this miner stopped because it stops is no wish of the hub's.
    fn as_told(&self, failure: Failure) -> Failure {
        if failure.is_cancel() && self.deps.stop.draining.is_cancelled() {
            Failure::Stopping
        } else {
            failure
        }
    }

    /// Puts a claim's output where it stays until the hub has answered.
    async fn keep(&self, key: UnitKey, made: Made, sorted: &mut Sorted) {
        let Made {
            claim,
            claim_hash,
            signature,
            output,
        } = made;
        let cu = claim.cu;
        let mut row = ClaimRow {
            claim,
            signature,
            output: None,
            made_at: now(),
        };
        if output.len() <= INLINE_BYTES_MAX {
            row.output = Some(output.to_vec());
            let output = Output::OutputInline(output);
            sorted
                .small
                .push(unit_done(&row.claim, &row.signature, output));
        } else {
            let content = ContentRef {
                root: row.claim.content_root,
                length: row.claim.output_length,
            };
            match self.put(content, output).await {
                Ok(pinned) => self.state().outputs.insert(key, pinned),
                Err(error) => {
                    sorted.failed.push((key, Failure::Output(error)));
                    return;
                }
            };
            let row = row.clone();
            sorted.large.push(Upload { row, content });
        }
        sorted.made.push((key, claim_hash, cu));
        sorted.rows.push(row);
    }

    async fn put(&self, content: ContentRef, output: Bytes) -> Result<Pinned, ContentsError> {
        let contents = self.deps.contents.clone();
        let written = tokio::task::spawn_blocking(move || contents.put(content, &output));
        written.await.unwrap_or_else(|died| {
            Err(ContentsError::Io {
                path: self.deps.contents.folder().to_owned(),
                source: std::io::Error::other(died),
            })
        })
    }

    /// Enters ends into the book; returns what there is room for now.
    fn enter(&self, sorted: &Sorted) -> Vec<Todo> {
        let now = now();
        let mut state = self.state();
        let mut todos = Vec::new();
        for (key, claim_hash, cu) in &sorted.made {
            todos.push(state.book.finish(*key, *claim_hash, *cu, now));
        }
        for (key, _) in &sorted.failed {
            todos.push(state.book.fail(*key, now));
        }
        todos
    }

    async fn tell(self: &Arc<Self>, sorted: Sorted) {
        let failed: Vec<UnitFailure> = sorted.failed.iter().filter_map(failure_of).collect();
        if !failed.is_empty() {
            self.send(Body::Failed(Failed { units: failed })).await;
        }
        self.send_done(sorted.small).await;
        for upload in sorted.large {
            self.upload(upload);
        }
    }

    /// Sends results in messages of a bounded size.
    pub(super) async fn send_done(&self, units: Vec<UnitDone>) {
        let mut message = Vec::new();
        let mut bytes = 0;
        for unit in units {
            let length = match &unit.output {
                Some(Output::OutputInline(output)) => output.len(),
                Some(Output::OutputRef(_)) | None => 0,
            };
            if bytes + length > DONE_BYTES_MAX || message.len() >= BATCH_MAX {
                let units = std::mem::take(&mut message);
                self.send(Body::Done(Done { units })).await;
                bytes = 0;
            }
            bytes += length;
            message.push(unit);
        }
        if !message.is_empty() {
            self.send(Body::Done(Done { units: message })).await;
        }
    }

    /// Sends every claim again that the hub has not answered. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn resend(self: &Arc<Self>) -> Result<usize, StoreError> {
        let mut after = None;
        let mut count = 0;
        loop {
            let page = self
                .deps
                .store
                .unanswered_page(self.hub.wallet, after)
                .await?;
            let Some(last) = page.last() else {
                return Ok(count);
            };
            after = Some(last.key());
            count += page.len();
            self.resend_rows(page).await;
        }
    }

    /// Sends one claim again.
    pub(super) async fn resend_one(self: Arc<Self>, key: UnitKey) {
        match self.deps.store.unanswered_claim(key).await {
            Ok(Some(row)) => self.resend_rows(vec![row]).await,
            // Answered since the order came. If it was rejected, the hub waits for a result of this order that will never
            // come; if it was accepted, the hub does not listen.
            Ok(None) => {
                let units = vec![unit_failure(key, "its claim was answered meanwhile", true)];
                self.send(Body::Failed(Failed { units })).await;
            }
            Err(error) => self.deps.fatal("results", error),
        }
    }

    async fn resend_rows(self: &Arc<Self>, rows: Vec<ClaimRow>) {
        let mut small = Vec::new();
        for mut row in rows {
            match row.output.take() {
                Some(output) => {
                    let output = Output::OutputInline(output.into());
                    small.push(unit_done(&row.claim, &row.signature, output));
                }
                None => {
                    let content = ContentRef {
                        root: row.claim.content_root,
                        length: row.claim.output_length,
                    };
                    self.upload(Upload { row, content });
                }
            }
        }
        self.send_done(small).await;
    }
}

/// What the hub is told; nothing if it asked for the end itself.
fn failure_of((key, failure): &(UnitKey, Failure)) -> Option<UnitFailure> {
    if failure.is_cancel() {
        return None;
    }
    observe::unit_failed(*key, failure);
    let reason = reason_of(failure);
    Some(unit_failure(*key, &reason, failure.is_transient()))
}

/// An error with its causes in one line.
fn reason_of(failure: &dyn std::error::Error) -> String {
    let mut text = failure.to_string();
    let mut source = failure.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
