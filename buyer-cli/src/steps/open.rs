//! Opening: the cap goes into escrow, by permit and `open` in one transaction (R5).

use gio_agent::{ExitStatus, UserError};
use gio_evm::{Permit, RevertReason, SendError, TxInfo, WalletEvent};
use gio_protocol::B256;

use super::Driver;
use crate::domain::next::{End, Step};
use crate::faults;
use crate::job::Moment;

/// Permits tried: jobs submitted at the same moment sign the same nonce, and all but one try again.
const PERMITS_MAX: u32 = 5;

impl Driver<'_> {
    /// Sends the opening transaction. The terms and both signatures have been on disk since they were signed; that
    /// the transaction may be on its way is on disk before it is.
    pub(super) async fn open(&mut self) -> Result<(), UserError> {
        self.progress.stage("locking the cap in escrow");
        self.advance(Step::Opening, None)?;
        for _ in 1..PERMITS_MAX {
            match self.send_open().await? {
                Ok(tx) => return self.note_open(Some(tx.hash)).await,
                Err(error) if is_stale_permit(&error) => {
                    tracing::debug!(%error, "another job of this buyer used the permit's nonce");
                }
                Err(error) => return self.not_opened(error).await,
            }
        }
        match self.send_open().await? {
            Ok(tx) => self.note_open(Some(tx.hash)).await,
            Err(error) => self.not_opened(error).await,
        }
    }

    async fn send_open(&self) -> Result<Result<TxInfo, SendError>, UserError> {
        let permit = self.permit().await?;
        let deal = &self.dealt().deal;
        let own = self.session.key().sign(deal.id.0);
        let hub = deal.hub_signature.signature()?;
        let (own, hub) = (own.as_bytes(), hub.as_bytes());
        gio_failpoint::fail_point!("buyer.sends.opening");
        let sent = Box::pin(self.chain.open(&deal.terms, own, hub, Some(permit))).await;
        gio_failpoint::fail_point!("buyer.sent.opening");
        Ok(sent)
    }

    /// Lets this wallet take the cap, and nothing more, until the terms expire.
    async fn permit(&self) -> Result<Permit, UserError> {
        let terms = &self.dealt().deal.terms;
        let (value, deadline) = (terms.cap, terms.open_by);
        let owner = self.session.address();
        let digest = self
            .chain
            .permit_digest(owner, terms.wallet, value, deadline);
        let digest = digest.await.map_err(faults::chain)?;
        Ok(Permit {
            value,
            deadline,
            signature: self.session.key().sign(digest),
        })
    }

    async fn not_opened(&mut self, error: SendError) -> Result<(), UserError> {
        match error.revert() {
            Some(RevertReason::OpenByPassed { .. }) => self.finish(End::Expired).await,
            // An earlier attempt got through: the next look at the chain sees it.
            Some(RevertReason::DealStateMismatch { .. }) => Ok(()),
            Some(RevertReason::BalanceTooLow { .. } | RevertReason::AllowanceTooLow { .. }) => {
                let error = UserError::new(error, ExitStatus::Funds);
                Err(error.escrow("untouched: the contract refused, nothing was locked"))
            }
            Some(_) => {
                Err(faults::send(error)
                    .escrow("untouched: the contract refused, nothing was locked"))
            }
            None => Err(faults::send(error)),
        }
    }

    /// The deal is open: on disk first, then the hub hears of it. It would find out by itself.
    pub(super) async fn note_open(&mut self, tx: Option<B256>) -> Result<(), UserError> {
        let tx = match tx {
            Some(tx) => Some(tx),
            None => self.opening_tx().await?,
        };
        self.dealt_mut().transactions.opened = tx;
        self.advance(Step::Open, Some(Moment::Opened))?;
        let id = self.dealt().deal.id;
        let told = match self.hub().await {
            Ok(hub) => hub.opened(id, tx).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.cause.to_string()),
        };
        if let Err(error) = told {
            tracing::debug!(%id, %error, "the hub was not told that the deal is open");
        }
        Ok(())
    }

    /// The opening transaction of a deal that was found open.
    async fn opening_tx(&self) -> Result<Option<B256>, UserError> {
        let id = self.dealt().deal.id;
        let logs = self.deal_events().await?;
        let opened = logs
            .iter()
            .find(|log| matches!(&log.event, WalletEvent::DealOpened { deal, .. } if *deal == id));
        Ok(opened.map(|log| log.place.tx))
    }
}

/// The wallet tolerates a permit that fails (R5), so a used nonce shows as a missing allowance.
fn is_stale_permit(error: &SendError) -> bool {
    matches!(error.revert(), Some(RevertReason::AllowanceTooLow { .. }))
}
