-- Hookyard's embedded store, format 1.
--
-- The journal, the attempts and the rows are the truth. What `queues`, `queue_chunks` and
-- `event_keys` hold can be derived from them and is only as fresh as the last checkpoint.

CREATE TABLE workspaces (
    id       INTEGER PRIMARY KEY,
    merchant TEXT NOT NULL UNIQUE,
    name     TEXT NOT NULL
) STRICT;

CREATE TABLE projects (
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
    id           INTEGER NOT NULL,
    name         TEXT NOT NULL,
    PRIMARY KEY (workspace_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE credentials (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
    kind         TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    lookup       BLOB NOT NULL,           -- SHA-256
    secret       BLOB,                    -- SHA-256
    UNIQUE (kind, lookup)
) STRICT;

CREATE TABLE categories (
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
    position     INTEGER NOT NULL,
    name         TEXT NOT NULL,
    expansions   TEXT NOT NULL,           -- JSON list
    system       INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, position),
    UNIQUE (workspace_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_types (
    workspace_id    INTEGER NOT NULL REFERENCES workspaces (id),
    id              INTEGER NOT NULL,
    category        INTEGER NOT NULL,     -- position
    name            TEXT NOT NULL,
    description     TEXT NOT NULL,
    supports_reflow INTEGER NOT NULL,
    deprecated      INTEGER NOT NULL,
    discontinued    INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE endpoints (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id   INTEGER NOT NULL REFERENCES workspaces (id),
    revision       INTEGER NOT NULL,
    created_ms     INTEGER NOT NULL,
    settings       TEXT NOT NULL,         -- JSON, without secrets
    subscriptions  TEXT NOT NULL,         -- JSON list
    secrets        BLOB,                  -- JSON, sealed
    disabled       TEXT                   -- JSON: why Hookyard disabled it
) STRICT;

CREATE TABLE endpoint_revisions (
    endpoint_id   INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    settings      TEXT NOT NULL,          -- JSON, without secrets
    subscriptions TEXT NOT NULL,          -- JSON list
    PRIMARY KEY (endpoint_id, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal (
    seq          INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    type_id      INTEGER NOT NULL,
    accepted_ms  INTEGER NOT NULL,
    event_id     TEXT NOT NULL,
    source       TEXT NOT NULL,
    attributes   TEXT NOT NULL,           -- JSON object, or empty
    object       TEXT NOT NULL,           -- JSON object, as published
    matched      BLOB NOT NULL            -- endpoint ids, see codec.rs
) STRICT;
CREATE INDEX journal_by_type ON journal (workspace_id, type_id, seq);

-- Two hashes of each event's identity, for a run of consecutive journal numbers (keys.rs).
CREATE TABLE event_keys (
    first_seq INTEGER PRIMARY KEY,
    hashes    BLOB NOT NULL
) STRICT;

CREATE TABLE attempts (
    id               INTEGER PRIMARY KEY,
    endpoint_id      INTEGER NOT NULL,
    started_ms       INTEGER NOT NULL,
    duration_ms      INTEGER NOT NULL,
    queue_delay_ms   INTEGER NOT NULL,
    status           INTEGER,
    success          INTEGER NOT NULL,
    advance          INTEGER NOT NULL,    -- entries taken off the queue's head
    parked           INTEGER NOT NULL,    -- whether they became dead letters
    failures         INTEGER NOT NULL,
    refusals         INTEGER NOT NULL,
    retry_ms         INTEGER,
    revision         INTEGER NOT NULL,
    request_id       TEXT NOT NULL,
    seqs             BLOB NOT NULL,       -- the bundle's events, see codec.rs
    event_types      TEXT NOT NULL,       -- ids between commas, with one at each end
    order_ids        TEXT NOT NULL,       -- JSON list
    url              TEXT NOT NULL,
    request_headers  TEXT NOT NULL,       -- JSON list, credentials masked
    response_headers TEXT NOT NULL,       -- JSON list
    response         TEXT,
    error            TEXT
) STRICT;
CREATE INDEX attempts_by_endpoint ON attempts (endpoint_id, started_ms);

CREATE TABLE queues (
    endpoint_id      INTEGER PRIMARY KEY,
    cursor           INTEGER NOT NULL,    -- ordinal of the head
    next             INTEGER NOT NULL,    -- ordinal of the next entry to be queued
    failures         INTEGER NOT NULL,
    retry_ms         INTEGER,
    failing_since_ms INTEGER,
    refusals         INTEGER NOT NULL,    -- of the event at the head, sent alone
    again            TEXT NOT NULL,       -- JSON list: what was queued again
    as_of_seq        INTEGER NOT NULL,    -- later journal rows are not counted in
    as_of_attempt    INTEGER NOT NULL     -- later attempts are not counted in
) STRICT;

CREATE TABLE queue_chunks (
    endpoint_id INTEGER NOT NULL,
    first       INTEGER NOT NULL,         -- ordinal
    count       INTEGER NOT NULL,
    lowest      INTEGER NOT NULL,         -- of the journal numbers
    highest     INTEGER NOT NULL,
    seqs        BLOB NOT NULL,            -- see codec.rs
    PRIMARY KEY (endpoint_id, first)
) STRICT, WITHOUT ROWID;

-- One row: up to where the queues of endpoints that were idle since are known.
CREATE TABLE checkpoint (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    seq        INTEGER NOT NULL,
    attempt_id INTEGER NOT NULL
) STRICT;
INSERT INTO checkpoint (id, seq, attempt_id) VALUES (1, 0, 0);

CREATE TABLE datasets (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    project_id   INTEGER NOT NULL,
    name         TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    updated_ms   INTEGER NOT NULL,
    rows         INTEGER NOT NULL,        -- visible rows
    bytes        INTEGER NOT NULL,        -- of their cells
    floor        INTEGER NOT NULL,        -- rows with lower ids were replaced
    FOREIGN KEY (workspace_id, project_id) REFERENCES projects (workspace_id, id)
) STRICT;
CREATE INDEX datasets_by_project ON datasets (workspace_id, project_id);

CREATE TABLE sources (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    project_id   INTEGER NOT NULL,
    dataset_id   INTEGER NOT NULL UNIQUE REFERENCES datasets (id),
    created_ms   INTEGER NOT NULL,
    name         TEXT NOT NULL,
    mode         TEXT NOT NULL,
    origins      TEXT NOT NULL,
    folder       TEXT,
    secret       BLOB,                    -- sealed
    key          BLOB NOT NULL,           -- sealed
    key_hash     BLOB NOT NULL UNIQUE     -- SHA-256
) STRICT;

CREATE TABLE rows (
    id          INTEGER PRIMARY KEY,
    dataset_id  INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    suspended   INTEGER NOT NULL,
    cell        TEXT NOT NULL             -- JSON
) STRICT;
CREATE INDEX rows_by_dataset ON rows (dataset_id, id);

-- Rows that are invisible for good and still to be deleted, a few at a time.
CREATE TABLE garbage (
    dataset_id INTEGER PRIMARY KEY,
    below      INTEGER NOT NULL
) STRICT;

-- Events that were given up on, one row for an endpoint and event.
CREATE TABLE dead_letters (
    endpoint_id INTEGER NOT NULL,
    seq         INTEGER NOT NULL,         -- the event
    type_id     INTEGER NOT NULL,
    parked_ms   INTEGER NOT NULL,
    request_id  TEXT NOT NULL,            -- the last attempt
    PRIMARY KEY (endpoint_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letters_by_seq ON dead_letters (seq);

-- Replays: ranges of the journal that are queued again, slice by slice.
CREATE TABLE replays (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    endpoint_id  INTEGER NOT NULL,
    created_ms   INTEGER NOT NULL,
    state        TEXT NOT NULL,           -- running, paused, cancelled, queued
    scope        TEXT NOT NULL,           -- JSON
    position     INTEGER NOT NULL,        -- the last journal number that was looked at
    last         INTEGER NOT NULL,        -- the last one to look at
    total        INTEGER NOT NULL,
    examined     INTEGER NOT NULL,
    queued       INTEGER NOT NULL
) STRICT;
CREATE INDEX replays_by_endpoint ON replays (endpoint_id, id);

-- Journal numbers during which an endpoint was disabled and that were not recovered.
CREATE TABLE endpoint_gaps (
    endpoint_id INTEGER NOT NULL,
    first_seq   INTEGER NOT NULL,
    until_seq   INTEGER,                  -- absent while it is disabled
    PRIMARY KEY (endpoint_id, first_seq)
) STRICT, WITHOUT ROWID;

-- Bytes of the journal (kind 0) and of the attempts (kind 1), up to the last checkpoint.
CREATE TABLE retained (
    kind  INTEGER PRIMARY KEY,
    bytes INTEGER NOT NULL
) STRICT;
INSERT INTO retained (kind, bytes) VALUES (0, 0), (1, 0);
