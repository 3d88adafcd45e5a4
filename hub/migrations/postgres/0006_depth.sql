-- What a reorganisation may take back is known by its block.

-- The block a payment's transaction is in, or was in before a reorganisation took it back.
ALTER TABLE payouts ADD COLUMN block BIGINT;
-- 1 once that block is deep enough for the payment to count for good.
ALTER TABLE payouts ADD COLUMN deep BIGINT NOT NULL DEFAULT 0;
UPDATE payouts SET deep = 1 WHERE tx IS NOT NULL;
CREATE INDEX payouts_shallow ON payouts (id) WHERE deep = 0;
CREATE INDEX payouts_by_block ON payouts (block);

-- The block of the event that ended a deal.
ALTER TABLE deals ADD COLUMN over_block BIGINT;
CREATE INDEX deals_by_end ON deals (over_block) WHERE over_block IS NOT NULL;
