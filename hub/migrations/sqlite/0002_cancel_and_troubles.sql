-- Deals whose buyer wants no more units run (R10).
CREATE TABLE cancellations (
    deal_id   BLOB PRIMARY KEY,
    -- The buyer's, over a cancellation that pays nothing.
    signature BLOB NOT NULL,
    at        INTEGER NOT NULL,
    -- Claims of units given out before are taken until then.
    until     INTEGER NOT NULL
);

-- Units that came back without a result, for the buyers who ask why.
CREATE TABLE unit_troubles (
    deal_id BLOB NOT NULL,
    -- Counts from 1 within a deal; only the newest are kept.
    number  INTEGER NOT NULL,
    unit    INTEGER NOT NULL,
    miner   BLOB NOT NULL,
    reason  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (deal_id, number)
);
