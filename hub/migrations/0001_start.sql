-- The hub's memory. Amounts are base units, times Unix seconds, hashes and addresses raw bytes.

-- Quotes given, by the nonce that makes them unique. A nonce becomes part of at most one deal.
CREATE TABLE quotes (
    hub_nonce       BLOB PRIMARY KEY,
    buyer           BLOB NOT NULL,
    seed_commitment BLOB NOT NULL,
    price_per_pu    INTEGER NOT NULL,
    net_price       INTEGER NOT NULL,
    guarantee       INTEGER NOT NULL,
    window_seconds  INTEGER NOT NULL,
    valid_until     INTEGER NOT NULL,
    deal_id         BLOB
) WITHOUT ROWID;

-- Deals this hub has signed.
CREATE TABLE deals (
    id              BLOB PRIMARY KEY,
    job_spec        BLOB NOT NULL,
    terms           BLOB NOT NULL,
    buyer_signature BLOB NOT NULL,
    hub_signature   BLOB NOT NULL,
    net_price       INTEGER NOT NULL,
    stage           INTEGER NOT NULL,
    signed_at       INTEGER NOT NULL,
    result_root     BLOB,
    tree_hash       BLOB,
    cu_total        INTEGER,
    claims_root     BLOB,
    claims_length   INTEGER,
    posted_tx       BLOB,
    window_end      INTEGER,
    confirmation    BLOB,
    payment         INTEGER,
    royalty         INTEGER,
    refund          INTEGER,
    settled_tx      BLOB,
    -- 1 once every miner has had everything; the payer looks no further
    miners_paid     INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX deals_by_stage ON deals (stage);

-- Who a unit is given to, until its claim is accepted.
CREATE TABLE assignments (
    deal_id BLOB NOT NULL,
    unit    INTEGER NOT NULL,
    miner   BLOB NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (deal_id, unit)
) WITHOUT ROWID;

-- Accepted claims, countersigned.
CREATE TABLE claims (
    deal_id       BLOB NOT NULL,
    unit          INTEGER NOT NULL,
    miner         BLOB NOT NULL,
    claim         BLOB NOT NULL,
    signature     BLOB NOT NULL,
    hub_signature BLOB NOT NULL,
    cu            INTEGER NOT NULL,
    PRIMARY KEY (deal_id, unit)
) WITHOUT ROWID;
CREATE INDEX claims_by_miner ON claims (miner, deal_id);

-- Small contents; large ones are files named by their root.
CREATE TABLE blobs (
    root  BLOB PRIMARY KEY,
    bytes BLOB NOT NULL
) WITHOUT ROWID;

-- Payments to miners. A row is written before its transaction is sent and completed afterwards.
CREATE TABLE payouts (
    id         INTEGER PRIMARY KEY,
    deal_id    BLOB NOT NULL,
    miner      BLOB NOT NULL,
    cu         INTEGER NOT NULL,
    units      INTEGER NOT NULL,
    net        INTEGER NOT NULL,
    gross      INTEGER NOT NULL,
    from_block INTEGER NOT NULL,
    tx         BLOB
);
CREATE INDEX payouts_by_deal ON payouts (deal_id, miner);
-- At most one payment to a miner is under way, so that a restart can tell from the chain whether it was sent.
CREATE UNIQUE INDEX payouts_under_way ON payouts (miner) WHERE tx IS NULL;

-- What a deal went through, for the people who follow it.
CREATE TABLE deal_events (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    deal_id BLOB NOT NULL,
    stage   INTEGER NOT NULL,
    message TEXT NOT NULL,
    at      INTEGER NOT NULL
);
CREATE INDEX deal_events_by_deal ON deal_events (deal_id, id);

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
