//! What others say about a hub: the DAO's levels, and ratings with a stake.

use alloy::sol_types::SolEvent;
use gio_protocol::{Address, Gio, U256};

use super::Chain;
use crate::bindings::government::Standing;
use crate::convert::{OutOfRange, Read};
use crate::error::{ChainError, SendError};
use crate::info::{StandingInfo, TxInfo};

impl Chain {
    /// Everything about a listed wallet.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn standing(&self, wallet: Address) -> Result<StandingInfo, ChainError> {
        let standing = self.standing_contract()?;
        let (level, score, is_delinquent, is_certified) = tokio::try_join!(
            self.ask(standing, Standing::levelOfCall { wallet }),
            self.ask(standing, Standing::scoreOfCall { wallet }),
            self.ask(standing, Standing::isDelinquentCall { wallet }),
            self.ask(standing, Standing::isCertifiedCall { wallet }),
        )?;
        let read = || {
            Ok(StandingInfo {
                level: Read::read("level", level)?,
                score_hundredths: u64::try_from(score.hundredths).unwrap_or(u64::MAX),
                stake: Read::read("stake", score.stake)?,
                is_delinquent,
                is_certified,
            })
        };
        read().map_err(|error: OutOfRange| error.in_answer_to("standing"))
    }

    /// Whether a hub is overdue with payday (decision 0005). A market without this contract marks nobody.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn is_delinquent(&self, wallet: Address) -> Result<bool, ChainError> {
        match self.inner.deployment.standing {
            Some(standing) => {
                self.ask(standing, Standing::isDelinquentCall { wallet })
                    .await
            }
            None => Ok(false),
        }
    }

    /// Rates a hub from 1 to 5 with a stake of this account, which is approved first. Returns the rating's number.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn rate(
        &self,
        wallet: Address,
        score: u8,
        stake: Gio,
    ) -> Result<(U256, TxInfo), SendError> {
        let standing = self.standing_contract()?;
        self.approve(standing, stake).await?;
        let call = Standing::rateCall {
            wallet,
            score,
            stake: stake.units().into(),
        };
        let receipt = self.send_raw(standing, &call).await?;
        let logs = receipt.logs().iter();
        let rating = logs
            .filter(|log| log.address() == standing)
            .find_map(|log| Standing::HubRated::decode_log(&log.inner).ok())
            .map(|event| event.ratingId)
            .ok_or_else(|| ChainError::unreadable("rate", "no HubRated in the receipt"))?;
        Ok((rating, self.tx_info(&receipt)))
    }

    /// Takes a rating of this account back, with its stake.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn take_rating_back(&self, rating: U256) -> Result<TxInfo, SendError> {
        let call = Standing::takeBackCall { ratingId: rating };
        self.send(self.standing_contract()?, &call).await
    }

    fn standing_contract(&self) -> Result<Address, ChainError> {
        self.deployed("Standing", |deployment| deployment.standing)
    }
}
