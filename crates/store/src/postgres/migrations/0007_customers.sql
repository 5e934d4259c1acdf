-- Whoever of a workspace's own customers has endpoints. Rows refer to the number: the code, which the
-- workspace's owner chose, may change. Codes are ASCII and sorted by byte, as in the embedded store.
CREATE TABLE customers (
    id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id int NOT NULL REFERENCES workspaces (id),
    code         text COLLATE "C" NOT NULL,
    name         text,
    metadata     text NOT NULL,           -- JSON object of texts
    created_ms   bigint NOT NULL,
    UNIQUE (workspace_id, code)
);

-- The customer is fixed when an endpoint is made; NULL for an endpoint of the workspace's owner.
ALTER TABLE endpoints ADD COLUMN customer_id int REFERENCES customers (id);
CREATE INDEX endpoints_by_customer ON endpoints (customer_id) WHERE customer_id IS NOT NULL;
