-- What thousands of tiny units a second need not have.

-- Small outputs lie with their claims, not among the contents: one row instead of three.
ALTER TABLE claims ADD COLUMN output BYTEA;
-- Claims are countersigned many at a time when the miner is told; the miner keeps the signature.
ALTER TABLE claims DROP COLUMN hub_signature;
