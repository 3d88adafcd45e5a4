//! Small outputs of a deal, page by page: a call for each of thousands would cost more than the units did. Of a deal that
//! still runs they are those of the claims so far, as the large ones are.

use std::sync::Arc;

use gio_net::wire::{OutputPage, SmallOutput};
use gio_protocol::DealId;
use tonic::Status;

use super::super::error::ApiError;
use crate::hub::Hub;
use crate::infra::places::Place;

/// Units in one page: half a MiB at most, far below what a message may have.
const PAGE_UNITS: u32 = 512;

/// One caller of Outputs.
pub(super) struct Outputs {
    hub: Arc<Hub>,
    id: DealId,
    next: u32,
    _place: Place,
}

impl Outputs {
    pub(super) async fn begin(
        hub: Arc<Hub>,
        id: DealId,
        first: u32,
        place: Place,
    ) -> Result<Self, ApiError> {
        hub.store.deal(id).await?.ok_or(ApiError::UnknownDeal)?;
        Ok(Self {
            hub,
            id,
            next: first,
            _place: place,
        })
    }

    /// The next page, read when the line has taken the one before.
    pub(super) async fn next(
        state: Option<Self>,
    ) -> Option<(Result<OutputPage, Status>, Option<Self>)> {
        let mut this = state?;
        let read = this
            .hub
            .store
            .small_outputs(this.id, this.next, PAGE_UNITS)
            .await;
        let page = match read {
            Ok(page) => page,
            Err(error) => return Some((Err(ApiError::from(error).into()), None)),
        };
        this.next = page.last()?.0.checked_add(1)?;
        let outputs = page.into_iter().map(|(unit, image)| SmallOutput {
            unit,
            image: image.into(),
        });
        let outputs = outputs.collect();
        Some((Ok(OutputPage { outputs }), Some(this)))
    }
}
