//! Everything that is ever written, and the statements that write it. Each change may be made twice: the second time
//! changes nothing.

use std::collections::BTreeMap;

use gio_protocol::{Address, B256, DealId, Gio, UnixSeconds};
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::payouts::{self, PartRow, PayoutRow};
use super::rows::{Acceptances, ClaimRow, ClaimState, DealRow, HubRow, PullRow, PullState};
use crate::domain::order::UnitKey;

/// Rows in one statement: 8 columns each stay far below SQLite's limit of 32,766 parameters.
const ROWS_PER_STATEMENT: usize = 1_000;

/// Promises of one wallet that are rows: more than a hub makes while its message is under way. What is older is kept as
/// a sum, so that a hub that talks without end takes no disk.
pub(super) const PROMISES_MAX: u32 = 256;

/// One change.
#[derive(Clone, Debug)]
pub enum Change {
    /// A hub was judged.
    Hub(HubRow),
    /// A hub owed nothing for a moment; remembered for ever.
    HubWasEven(Address),
    /// Old fakes are of no interest any more, nor are more than so many; who was ever even is remembered.
    ForgetFakes {
        /// Judged before this.
        before: UnixSeconds,
        /// So many stay, the newest.
        most: u32,
    },
    /// A deal was found open; the first order of it may run.
    Deal(Box<DealRow>),
    /// Claims were signed. A rejected one may be replaced, an accepted one never.
    Claims(Vec<ClaimRow>),
    /// The hub countersigned claims (R14).
    Accepted(Vec<Acceptances>),
    /// The hub did not take claims.
    Rejected(Vec<(UnitKey, String)>),
    /// The hub says it has paid.
    Promise {
        /// Its wallet.
        wallet: Address,
        /// Its transaction.
        tx: B256,
        /// What it says.
        net: Gio,
        /// When.
        at: UnixSeconds,
    },
    /// A pull is about to be sent.
    PullStarted {
        /// What.
        pull: PullRow,
        /// When.
        at: UnixSeconds,
    },
    /// A pull is about to be sent under a nonce.
    PullNonce {
        /// Which.
        id: B256,
        /// The nonce.
        nonce: u64,
    },
    /// A pull's fate is known.
    PullEnded {
        /// Which.
        id: B256,
        /// Its fate.
        state: PullState,
        /// The transaction, if it is known.
        tx: Option<B256>,
        /// When.
        at: UnixSeconds,
    },
    /// A wallet's payouts are known up to a block; these are news.
    PayoutsPosted {
        /// Whose.
        wallet: Address,
        /// The news.
        posted: Vec<PayoutRow>,
        /// The block.
        until: u64,
    },
    /// A payout's leaf file is the posted one, and these leaves of it are this miner's.
    PayoutProven {
        /// Which.
        payout: PayoutRow,
        /// This miner's leaves.
        parts: Vec<PartRow>,
    },
    /// A leaf of this miner's is claimed.
    PartClaimed {
        /// Which.
        part: Box<PartRow>,
        /// The transaction, if it was this miner's.
        tx: Option<B256>,
        /// When that was found.
        at: UnixSeconds,
    },
}

pub(super) type SqlResult = Result<(), sqlx::Error>;

impl Change {
    pub(super) async fn write(self, connection: &mut SqliteConnection) -> SqlResult {
        match self {
            Self::Hub(hub) => write_hub(&hub, connection).await,
            Self::HubWasEven(wallet) => {
                let sql = "UPDATE hubs SET was_even = 1 WHERE wallet = ? AND status <> 'fake'";
                let query = sqlx::query(sql).bind(wallet.to_vec());
                query.execute(connection).await.map(drop)
            }
            Self::ForgetFakes { before, most } => {
                let sql = "DELETE FROM hubs WHERE status = 'fake' AND was_even = 0 AND (judged_at < ? OR (wallet, owner) IN
                    (SELECT wallet, owner FROM hubs WHERE status = 'fake' AND was_even = 0
                     ORDER BY judged_at DESC, wallet, owner LIMIT -1 OFFSET ?))";
                let query = sqlx::query(sql).bind(int(before.0)).bind(most);
                query.execute(connection).await.map(drop)
            }
            Self::Deal(deal) => write_deal(&deal, connection).await,
            Self::Claims(claims) => write_claims(claims, connection).await,
            Self::Accepted(accepted) => write_accepted(&accepted, connection).await,
            Self::Rejected(rejected) => write_rejected(rejected, connection).await,
            Self::Promise {
                wallet,
                tx,
                net,
                at,
            } => {
                let sql = "INSERT INTO promises (tx, wallet, net, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
                let query = sqlx::query(sql).bind(tx.to_vec()).bind(wallet.to_vec());
                let query = query.bind(int(net.units())).bind(int(at.0));
                query.execute(&mut *connection).await?;
                fold_promises(wallet, connection).await
            }
            Self::PullStarted { pull, at } => write_pull(&pull, at, connection).await,
            Self::PullNonce { id, nonce } => {
                let sql = "UPDATE pulls SET nonce = max(coalesce(nonce, 0), ?) WHERE id = ? AND state = 0";
                let query = sqlx::query(sql).bind(int(nonce)).bind(id.to_vec());
                query.execute(connection).await.map(drop)
            }
            Self::PullEnded { id, state, tx, at } => {
                let sql = "UPDATE pulls SET state = ?, tx = coalesce(?, tx), ended_at = ? WHERE id = ? AND state = 0";
                let query = sqlx::query(sql).bind(state as i64);
                let query = query.bind(tx.map(|tx| tx.to_vec())).bind(int(at.0));
                query.bind(id.to_vec()).execute(connection).await.map(drop)
            }
            Self::PayoutsPosted {
                wallet,
                posted,
                until,
            } => payouts::write_posted(wallet, &posted, until, connection).await,
            Self::PayoutProven { payout, parts } => {
                payouts::write_proven(&payout, &parts, connection).await
            }
            Self::PartClaimed { part, tx, at } => {
                payouts::write_claimed(&part, tx, at, connection).await
            }
        }
    }
}

async fn write_hub(hub: &HubRow, connection: &mut SqliteConnection) -> SqlResult {
    let sql = "INSERT INTO hubs (wallet, owner, name, net_price, status, reason, judged_at) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (wallet, owner) DO UPDATE SET name = excluded.name,
            net_price = excluded.net_price, status = excluded.status, reason = excluded.reason,
            judged_at = excluded.judged_at";
    let query = sqlx::query(sql)
        .bind(hub.wallet.to_vec())
        .bind(hub.owner.to_vec());
    let query = query
        .bind(hub.name.clone())
        .bind(int(hub.net_price.0.units()));
    let query = query.bind(hub.status.name()).bind(hub.reason.clone());
    query
        .bind(int(hub.judged_at.0))
        .execute(connection)
        .await
        .map(drop)
}

async fn write_deal(deal: &DealRow, connection: &mut SqliteConnection) -> SqlResult {
    let sql = "INSERT INTO deals (id, wallet, terms, net_price, first_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let query = sqlx::query(sql)
        .bind(deal.id.0.to_vec())
        .bind(deal.wallet.to_vec());
    let query = query
        .bind(deal.terms.to_bytes())
        .bind(int(deal.net_price.0.units()));
    query
        .bind(int(deal.first_at.0))
        .execute(connection)
        .await
        .map(drop)
}

async fn write_claims(mut claims: Vec<ClaimRow>, connection: &mut SqliteConnection) -> SqlResult {
    for page in claims.chunks_mut(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO claims (deal, unit, state, claim, signature, cu, output, made_at) ",
        );
        query.push_values(page, |mut row, made| {
            row.push_bind(made.claim.deal_id.0.to_vec())
                .push_bind(made.claim.unit)
                .push_bind(ClaimState::Unanswered as i64)
                .push_bind(made.claim.to_bytes())
                .push_bind(made.signature.as_bytes().to_vec())
                .push_bind(int(made.claim.cu.0))
                .push_bind(made.output.take())
                .push_bind(int(made.made_at.0));
        });
        query.push(
            " ON CONFLICT (deal, unit) DO UPDATE SET state = 0, claim = excluded.claim,
                signature = excluded.signature, cu = excluded.cu, output = excluded.output,
                made_at = excluded.made_at, acceptance = NULL, reason = NULL
              WHERE claims.state <> 1",
        );
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn write_accepted(accepted: &[Acceptances], connection: &mut SqliteConnection) -> SqlResult {
    for together in accepted {
        let leaves: Vec<u8> = together.leaves.iter().flat_map(|leaf| leaf.0).collect();
        let sql = "INSERT INTO acceptances (root, hub_signature, leaves) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(together.root.to_vec());
        let query = query.bind(together.signature.as_bytes().to_vec());
        query.bind(leaves).execute(&mut *connection).await?;
        let mut units: BTreeMap<DealId, Vec<u32>> = BTreeMap::new();
        for key in &together.units {
            units.entry(key.deal).or_default().push(key.unit);
        }
        for (deal, units) in units {
            for page in units.chunks(ROWS_PER_STATEMENT) {
                accept_units(together.root, deal, page, connection).await?;
            }
        }
    }
    Ok(())
}

/// Units that were accepted before stay as they are and do not count again.
async fn accept_units(
    root: B256,
    deal: DealId,
    units: &[u32],
    connection: &mut SqliteConnection,
) -> SqlResult {
    let mut query =
        QueryBuilder::<Sqlite>::new("UPDATE claims SET state = 1, output = NULL, acceptance = ");
    query.push_bind(root.to_vec()).push(" WHERE deal = ");
    query.push_bind(deal.0.to_vec()).push(" AND unit IN (");
    let mut list = query.separated(", ");
    for unit in units {
        list.push_bind(*unit);
    }
    query.push(") AND state = 0 RETURNING cu");
    let rows = query.build().fetch_all(&mut *connection).await?;
    let mut sum = 0i64;
    for row in &rows {
        sum = sum.saturating_add(row.try_get::<i64, _>("cu")?);
    }
    let sql = "UPDATE deals SET accepted_units = accepted_units + ?, accepted_cu = accepted_cu + ? WHERE id = ?";
    let query = sqlx::query(sql).bind(int(rows.len() as u64)).bind(sum);
    query
        .bind(deal.0.to_vec())
        .execute(connection)
        .await
        .map(drop)
}

async fn write_rejected(
    rejected: Vec<(UnitKey, String)>,
    connection: &mut SqliteConnection,
) -> SqlResult {
    for (key, reason) in rejected {
        let sql = "UPDATE claims SET state = 2, output = NULL, reason = ? WHERE deal = ? AND unit = ? AND state = 0";
        let query = sqlx::query(sql).bind(reason).bind(key.deal.0.to_vec());
        query.bind(key.unit).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Keeps the newest promises of a wallet as rows, and the others as their sum.
async fn fold_promises(wallet: Address, connection: &mut SqliteConnection) -> SqlResult {
    let sql =
        "SELECT tx, net FROM promises WHERE wallet = ? ORDER BY at DESC, tx LIMIT -1 OFFSET ?";
    let query = sqlx::query(sql).bind(wallet.to_vec()).bind(PROMISES_MAX);
    let old = query.fetch_all(&mut *connection).await?;
    if old.is_empty() {
        return Ok(());
    }
    let sql = "SELECT net FROM promises_before WHERE wallet = ?";
    let query = sqlx::query_scalar(sql).bind(wallet.to_vec());
    let before: Option<i64> = query.fetch_optional(&mut *connection).await?;
    let mut sum = before.unwrap_or(0);
    for row in old {
        // SQLite would make a float of a sum that is too large.
        sum = sum.saturating_add(row.try_get("net")?);
        let sql = "DELETE FROM promises WHERE wallet = ? AND tx = ?";
        let query = sqlx::query(sql).bind(wallet.to_vec());
        let query = query.bind(row.try_get::<Vec<u8>, _>("tx")?);
        query.execute(&mut *connection).await?;
    }
    let sql = "INSERT INTO promises_before (wallet, net) VALUES (?, ?)
        ON CONFLICT (wallet) DO UPDATE SET net = excluded.net";
    let query = sqlx::query(sql).bind(wallet.to_vec()).bind(sum);
    query.execute(connection).await.map(drop)
}

async fn write_pull(
    pull: &PullRow,
    at: UnixSeconds,
    connection: &mut SqliteConnection,
) -> SqlResult {
    let sql = "INSERT INTO pulls (id, wallet, amount, allowance, from_block, state, started_at) VALUES (?, ?, ?, ?, ?, 0, ?)";
    let query = sqlx::query(sql)
        .bind(pull.id.to_vec())
        .bind(pull.wallet.to_vec());
    let query = query
        .bind(int(pull.amount.units()))
        .bind(int(pull.allowance.units()));
    let query = query.bind(int(pull.from_block)).bind(int(at.0));
    query.execute(connection).await.map(drop)
}

/// SQLite counts to 2^63. Amounts end far below (all GIO are 2·10^17 base units), and orders with more CU are refused;
/// anything else that large is as good as the largest.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
