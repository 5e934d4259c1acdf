-- What deliveries are known again by: the newest, in the order in which they came.
CREATE TABLE delivery_ids (
    id          INTEGER PRIMARY KEY,
    received_ms INTEGER NOT NULL,
    hash        BLOB NOT NULL             -- of the source and the sender's id, 16 bytes
) STRICT;

-- Requests to sources that were accepted, for inspection.
CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY,
    source_id   INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    method      TEXT NOT NULL,
    query       TEXT NOT NULL,            -- secrets masked
    headers     TEXT NOT NULL,            -- JSON list, secrets masked
    address     TEXT,
    bytes       INTEGER NOT NULL,         -- of the body as it came
    row_id      INTEGER,                  -- the row that it became
    seq         INTEGER,                  -- the event that it became
    in_row      INTEGER NOT NULL,         -- whether the row's cell is the body, to the byte
    body        BLOB
) STRICT;
CREATE INDEX deliveries_by_source ON deliveries (source_id, received_ms);

-- Requests to sources that were not taken, and why.
CREATE TABLE rejections (
    id        INTEGER PRIMARY KEY,
    source_id INTEGER NOT NULL,
    first_ms  INTEGER NOT NULL,
    last_ms   INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    cause     TEXT NOT NULL,
    detail    TEXT NOT NULL,
    method    TEXT NOT NULL,
    address   TEXT
) STRICT;
CREATE INDEX rejections_by_source ON rejections (source_id, id);
