-- Adopted payouts: money that somebody paid out at Stripe past this program, taken into the books. Their entries are locked like a
-- payout's, so an item's owner is a payout or an adopted object, and no reference can say which (payout books does).
ALTER TABLE payout_items DROP CONSTRAINT payout_items_payout_id_fkey;

-- Who adopted it, and when its money came back after that: its entries are free again since.
ALTER TABLE foreign_payouts ADD COLUMN adopted_by TEXT;
ALTER TABLE foreign_payouts ADD COLUMN returned_at_ms BIGINT;
CREATE INDEX foreign_payouts_adopted ON foreign_payouts (account_id, currency) WHERE adopted_at_ms IS NOT NULL;
