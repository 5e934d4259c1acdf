-- Which workspace's share of what is known again a delivery is in; 0 for those of before.
ALTER TABLE delivery_ids ADD COLUMN workspace_id INTEGER NOT NULL DEFAULT 0;

-- The bytes of each workspace's events up to the last checkpoint, as `retained` counts those of all.
CREATE TABLE journal_shares (
    workspace_id INTEGER PRIMARY KEY,
    bytes        INTEGER NOT NULL
) STRICT;
INSERT INTO journal_shares (workspace_id, bytes)
    SELECT workspace_id, sum(octet_length(event_id) + octet_length(source)
        + octet_length(attributes) + octet_length(object) + 64)
    FROM journal WHERE seq <= (SELECT seq FROM checkpoint) GROUP BY workspace_id;
