-- Deals whose buyer wants no more units run (R10).
CREATE TABLE cancellations (
    deal_id   BYTEA PRIMARY KEY,
    -- The buyer's, over a cancellation that pays nothing.
    signature BYTEA NOT NULL,
    at        BIGINT NOT NULL,
    -- Claims of units given out before are taken until then.
    until     BIGINT NOT NULL
);

-- Units that came back without a result, for the buyers who ask why.
CREATE TABLE unit_troubles (
    deal_id BYTEA NOT NULL,
    -- Counts from 1 within a deal; only the newest are kept.
    number  BIGINT NOT NULL,
    unit    BIGINT NOT NULL,
    miner   BYTEA NOT NULL,
    reason  TEXT NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (deal_id, number)
);
