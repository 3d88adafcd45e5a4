-- Payouts of wallets this miner worked for (R9): each as its wallet posted it, and this miner's leaves in it.
-- state 0: posted; 1: its leaf file was proven, and this miner's leaves of it are in `payout_parts`.
CREATE TABLE payouts (
    wallet      BLOB NOT NULL,
    epoch       INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    net         INTEGER NOT NULL,
    top         BLOB NOT NULL,
    leaves_root BLOB NOT NULL,
    state       INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1)),
    PRIMARY KEY (wallet, epoch)
) STRICT, WITHOUT ROWID;
CREATE INDEX payouts_unproven ON payouts (wallet) WHERE state = 0;

-- A leaf of this miner's with its proof, the nodes from the leaf upwards: all that a claim takes.
-- state 0: not claimed; 1: the wallet says that it is.
CREATE TABLE payout_parts (
    wallet   BLOB NOT NULL,
    epoch    INTEGER NOT NULL,
    leaf     INTEGER NOT NULL,
    net      INTEGER NOT NULL,
    proof    BLOB NOT NULL,
    state    INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1)),
    tx       BLOB,
    ended_at INTEGER,
    PRIMARY KEY (wallet, epoch, leaf),
    FOREIGN KEY (wallet, epoch) REFERENCES payouts (wallet, epoch)
) STRICT, WITHOUT ROWID;
CREATE INDEX payout_parts_open ON payout_parts (wallet) WHERE state = 0;

-- Up to which block a wallet's payouts are in `payouts`.
CREATE TABLE payout_looks (
    wallet BLOB PRIMARY KEY,
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
