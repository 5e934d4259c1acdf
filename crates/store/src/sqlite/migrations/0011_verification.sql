-- The secrets and public keys by which a source's own verification judges, sealed.
ALTER TABLE sources ADD COLUMN verification_secrets BLOB; -- JSON
