-- Less to write for a delivery, and less to keep of a large one.

-- Cells may be compressed: then `cell` is empty, `size` has the bytes of the text and `packed` the
-- Zstandard frame.
ALTER TABLE rows ADD COLUMN size INTEGER;
ALTER TABLE rows ADD COLUMN packed BLOB;

-- Requests to sources that were accepted, for inspection: those of one source and one transaction
-- together. Sizes are there where the bytes are compressed.
CREATE TABLE delivery_chunks (
    id          INTEGER PRIMARY KEY,      -- the number of the first; the others have the next ones
    source_id   INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    newest_ms   INTEGER NOT NULL,
    heads_size  INTEGER,
    heads       BLOB NOT NULL,            -- JSON list, see deliveries.rs
    bodies_size INTEGER,
    bodies      BLOB                      -- those that no row has, one after the other
) STRICT;
INSERT INTO delivery_chunks (id, source_id, count, newest_ms, heads, bodies)
SELECT id, source_id, 1, received_ms,
       CAST(json_array(json_array(
           received_ms, row_id, seq,
           CASE WHEN in_row THEN json('true') WHEN body IS NULL THEN json('false')
                ELSE length(body) END,
           json_object('method', method, 'query', query, 'headers', json(headers),
                       'address', address, 'bytes', bytes))) AS BLOB),
       body
FROM deliveries;
DROP TABLE deliveries;
-- With all that a look at what is too old needs.
CREATE INDEX delivery_chunks_by_source ON delivery_chunks (source_id, id, count, newest_ms);

-- One tree in place of three: a dataset has few versions, and they are always looked at together.
ALTER TABLE dataset_versions RENAME TO old_versions;
DROP INDEX dataset_versions_by_dataset;
CREATE TABLE dataset_versions (
    dataset_id  INTEGER NOT NULL,
    position    INTEGER NOT NULL,         -- in the order in which they were replaced
    id          INTEGER NOT NULL,
    began_ms    INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    replaced_ms INTEGER NOT NULL,
    rows        INTEGER NOT NULL,
    suspended   INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    edits       INTEGER NOT NULL,
    PRIMARY KEY (dataset_id, position)
) STRICT, WITHOUT ROWID;
INSERT INTO dataset_versions (dataset_id, position, id, began_ms, updated_ms, replaced_ms, rows,
                              suspended, bytes, edits)
SELECT dataset_id, position, id, began_ms, updated_ms, replaced_ms, rows, suspended, bytes, edits
FROM old_versions;
DROP TABLE old_versions;
