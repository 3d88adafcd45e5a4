-- The nonce a pull is sent under, written before it is sent: the highest, if several were tried. A pull without one was
-- not sent; of those under way from before this column, the allowance alone tells.
ALTER TABLE pulls ADD COLUMN nonce INTEGER;
