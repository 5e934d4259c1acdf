-- What is known of credentials, and what bounds their use.

ALTER TABLE credentials ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE credentials ADD COLUMN created_ms INTEGER;         -- absent: older than this column
ALTER TABLE credentials ADD COLUMN expires_ms INTEGER;
ALTER TABLE credentials ADD COLUMN allowed_ips TEXT NOT NULL DEFAULT '';  -- CIDRs, blanks between
ALTER TABLE credentials ADD COLUMN last_used_ms INTEGER;
ALTER TABLE credentials ADD COLUMN revoked_ms INTEGER;
-- It, or the application that it belongs to, is disabled. Whoever disables an application sets it on
-- all its credentials.
ALTER TABLE credentials ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE credentials ADD COLUMN application_id INTEGER;
CREATE INDEX credentials_by_owner ON credentials (workspace_id, application_id, id);
CREATE INDEX credentials_by_end ON credentials (ifnull(revoked_ms, expires_ms));
