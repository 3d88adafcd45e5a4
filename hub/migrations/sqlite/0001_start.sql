-- The hub's memory. Amounts are base units, times Unix seconds, hashes and addresses raw bytes.

-- Quotes given, by the nonce that makes them unique. A nonce becomes part of at most one deal.
CREATE TABLE quotes (
    hub_nonce       BLOB PRIMARY KEY,
    caller          BLOB NOT NULL,
    buyer           BLOB NOT NULL,
    seed_commitment BLOB NOT NULL,
    price_per_pu    INTEGER NOT NULL,
    net_price       INTEGER NOT NULL,
    guarantee       INTEGER NOT NULL,
    window_seconds  INTEGER NOT NULL,
    valid_until     INTEGER NOT NULL,
    deal_id         BLOB
) WITHOUT ROWID;
CREATE INDEX quotes_by_caller ON quotes (caller) WHERE deal_id IS NULL;

-- Deals this hub has signed.
CREATE TABLE deals (
    id              BLOB PRIMARY KEY,
    -- Large; dropped with the deal's contents.
    job_spec        BLOB,
    terms           BLOB NOT NULL,
    buyer           BLOB NOT NULL,
    cap             INTEGER NOT NULL,
    guarantee       INTEGER NOT NULL,
    -- What the deal takes while it is worked on, in bytes.
    memory          INTEGER NOT NULL,
    buyer_signature BLOB NOT NULL,
    hub_signature   BLOB NOT NULL,
    net_price       INTEGER NOT NULL,
    stage           INTEGER NOT NULL,
    deliver_by      INTEGER NOT NULL,
    signed_at       INTEGER NOT NULL,
    -- When it became final.
    over_at         INTEGER,
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
    -- 1 once every miner has had everything; the payer looks no further.
    miners_paid     INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX deals_by_stage ON deals (stage);
CREATE INDEX deals_unpaid ON deals (id) WHERE miners_paid = 0;
CREATE INDEX deals_kept ON deals (over_at) WHERE job_spec IS NOT NULL;

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

-- Their sums, written with them.
CREATE TABLE earnings (
    deal_id BLOB NOT NULL,
    miner   BLOB NOT NULL,
    units   INTEGER NOT NULL,
    cu      INTEGER NOT NULL,
    PRIMARY KEY (deal_id, miner)
) WITHOUT ROWID;
CREATE INDEX earnings_by_miner ON earnings (miner);

-- Contents: small ones here, large ones as files named by their root.
CREATE TABLE contents (
    root       BLOB PRIMARY KEY,
    length     INTEGER NOT NULL,
    -- Whose allowance it takes, until a deal uses it.
    peer       BLOB,
    -- When it is dropped. NULL while a deal uses it.
    keep_until INTEGER,
    bytes      BLOB
);
CREATE INDEX contents_by_peer ON contents (peer, length) WHERE peer IS NOT NULL;
CREATE INDEX contents_by_age ON contents (keep_until) WHERE keep_until IS NOT NULL;

-- Which deals need which contents.
CREATE TABLE content_uses (
    root    BLOB NOT NULL,
    deal_id BLOB NOT NULL,
    PRIMARY KEY (root, deal_id)
) WITHOUT ROWID;
CREATE INDEX content_uses_by_deal ON content_uses (deal_id);

-- Payments to miners. A row is written before its transaction is sent and completed afterwards.
CREATE TABLE payouts (
    id         INTEGER PRIMARY KEY,
    deal_id    BLOB NOT NULL,
    miner      BLOB NOT NULL,
    -- All of the miner's work in the deal so far.
    cu         INTEGER NOT NULL,
    units      INTEGER NOT NULL,
    net        INTEGER NOT NULL,
    gross      INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    from_block INTEGER NOT NULL,
    tx         BLOB UNIQUE
);
CREATE INDEX payouts_by_deal ON payouts (deal_id, miner);
-- At most one payment to a miner is under way, so that the chain can tell whether it was made.
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

-- Up to where the chain was read.
CREATE TABLE chain_cursor (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    block INTEGER NOT NULL,
    hash  BLOB NOT NULL
);

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
