-- Which workspace's share of what is known again a delivery is in; 0 for those of before.
ALTER TABLE delivery_ids ADD COLUMN workspace_id int NOT NULL DEFAULT 0;
CREATE INDEX delivery_ids_by_workspace ON delivery_ids (workspace_id, received_ms);

-- What of each partition of the journal is each workspace's: the bytes are bounded by its quota, and the
-- number of its newest events says in which partitions it looks for a repeated one.
CREATE TABLE journal_shares (
    workspace_id int NOT NULL,
    first        bigint NOT NULL,         -- of the partition
    bytes        bigint NOT NULL,
    items        bigint NOT NULL,
    PRIMARY KEY (workspace_id, first)
) WITH (fillfactor = 50);
INSERT INTO journal_shares (workspace_id, first, bytes, items)
    SELECT j.workspace_id, p.first, sum(octet_length(j.event_id) + octet_length(j.source)
        + octet_length(j.attributes) + octet_length(j.object) + 64), count(*)
    FROM partitions p JOIN journal j ON j.seq >= p.first AND j.seq < p.until
    WHERE p.kind = 0 GROUP BY j.workspace_id, p.first;
