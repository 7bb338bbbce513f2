-- A database that was restored from a backup: until everything was asked for again from reconcile_from_ms on, nothing leaves.
ALTER TABLE daemon_state ADD COLUMN reconcile_since_ms BIGINT;
ALTER TABLE daemon_state ADD COLUMN reconcile_from_ms BIGINT;
ALTER TABLE daemon_state ADD COLUMN reconcile_why TEXT;
-- The key of ours that it carries, although these books don't hold it.
ALTER TABLE foreign_payouts ADD COLUMN key TEXT;
