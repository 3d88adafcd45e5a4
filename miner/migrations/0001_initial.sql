-- The miner's memory. Amounts are base units, times Unix seconds, hashes, addresses and signatures raw bytes.

-- What this miner thinks of whoever announces a wallet: the owner of it, or a fake.
CREATE TABLE hubs (
    wallet    BLOB NOT NULL,
    owner     BLOB NOT NULL,
    name      TEXT NOT NULL,
    net_price INTEGER NOT NULL,
    status    TEXT NOT NULL,
    reason    TEXT NOT NULL,
    was_even  INTEGER NOT NULL DEFAULT 0,
    judged_at INTEGER NOT NULL,
    PRIMARY KEY (wallet, owner)
) STRICT, WITHOUT ROWID;

-- Deals whose terms were checked and found open on chain before their first unit ran.
-- accepted_* are the sums over the deal's accepted claims; they change in the transaction that accepts.
CREATE TABLE deals (
    id             BLOB PRIMARY KEY,
    wallet         BLOB NOT NULL,
    terms          BLOB NOT NULL,
    net_price      INTEGER NOT NULL,
    accepted_units INTEGER NOT NULL DEFAULT 0,
    accepted_cu    INTEGER NOT NULL DEFAULT 0,
    first_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX deals_by_wallet ON deals (wallet);

-- Claims this miner has signed. A row is on disk before the claim is sent.
-- state 0: the hub has not answered; 1: countersigned (R14); 2: rejected.
CREATE TABLE claims (
    deal          BLOB NOT NULL REFERENCES deals (id),
    unit          INTEGER NOT NULL,
    state         INTEGER NOT NULL CHECK (state IN (0, 1, 2)),
    claim         BLOB NOT NULL,
    signature     BLOB NOT NULL,
    cu            INTEGER NOT NULL,
    -- The output image while it may have to be sent again; null when it is a file of its own, or accepted.
    output        BLOB,
    hub_signature BLOB,
    reason        TEXT,
    made_at       INTEGER NOT NULL,
    PRIMARY KEY (deal, unit)
) STRICT;
CREATE INDEX claims_unanswered ON claims (deal) WHERE state = 0;
CREATE INDEX claims_rejected ON claims (deal) WHERE state = 2;

-- What hubs say they paid, by their transaction.
CREATE TABLE promises (
    tx     BLOB NOT NULL,
    wallet BLOB NOT NULL,
    net    INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (wallet, tx)
) STRICT, WITHOUT ROWID;

-- Pulls of what a wallet has approved. The row is written before the transaction is sent, so that a restart knows
-- what may have happened; `allowance` and `from_block` let it find out.
-- state 0: under way; 1: arrived; 2: nothing happened.
CREATE TABLE pulls (
    id         BLOB PRIMARY KEY,
    wallet     BLOB NOT NULL,
    amount     INTEGER NOT NULL,
    allowance  INTEGER NOT NULL,
    from_block INTEGER NOT NULL,
    state      INTEGER NOT NULL CHECK (state IN (0, 1, 2)),
    tx         BLOB,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT, WITHOUT ROWID;
-- At most one pull per wallet is under way.
CREATE UNIQUE INDEX pulls_under_way ON pulls (wallet) WHERE state = 0;
