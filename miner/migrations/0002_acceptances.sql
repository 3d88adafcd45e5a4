-- Claims are countersigned together: one signature over a root of their acceptances (R14). With `leaves`, the struct hashes
-- in the hub's order, the path that proves one of them follows.
CREATE TABLE acceptances (
    root          BLOB PRIMARY KEY,
    hub_signature BLOB NOT NULL,
    leaves        BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Under which root a claim was accepted. Claims accepted before have a signature of their own in `hub_signature`.
ALTER TABLE claims ADD COLUMN acceptance BLOB REFERENCES acceptances (root);
