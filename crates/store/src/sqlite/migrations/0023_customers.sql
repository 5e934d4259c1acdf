-- Whoever of a workspace's own customers has endpoints. Rows refer to the number: the code, which the
-- workspace's owner chose, may change.
CREATE TABLE customers (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
    code         TEXT NOT NULL,
    name         TEXT,
    metadata     TEXT NOT NULL,           -- JSON object of texts
    created_ms   INTEGER NOT NULL,
    UNIQUE (workspace_id, code)
) STRICT;

-- The customer is fixed when an endpoint is made; NULL for an endpoint of the workspace's owner.
ALTER TABLE endpoints ADD COLUMN customer_id INTEGER REFERENCES customers (id);
CREATE INDEX endpoints_by_customer ON endpoints (customer_id) WHERE customer_id IS NOT NULL;
