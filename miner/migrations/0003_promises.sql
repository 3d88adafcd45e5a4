-- What hubs said they paid in messages whose rows are gone: the newest of a wallet stay rows, so that one that is repeated
-- counts once; how many there may be says `store/change.rs`.
CREATE TABLE promises_before (
    wallet BLOB PRIMARY KEY,
    net    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
