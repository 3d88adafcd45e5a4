-- A payment is sent under a nonce that is written down first, so that nobody can pay what another process may still pay.

ALTER TABLE payouts ADD COLUMN nonce BIGINT;
-- Of what was under way before, nobody knows the nonce: it may have been sent under any.
UPDATE payouts SET nonce = 0 WHERE tx IS NULL;
