-- Several processes may be one hub, on a database that allows it; on SQLite one process has it all and these stay empty.

-- Which process works on a deal, and until when it need not be heard of. Seconds of the database's own clock.
ALTER TABLE deals ADD COLUMN held_by BYTEA;
ALTER TABLE deals ADD COLUMN held_until BIGINT;

-- What only one process does at a time.
CREATE TABLE leases (
    name   TEXT PRIMARY KEY,
    holder BYTEA NOT NULL,
    until  BIGINT NOT NULL
);
