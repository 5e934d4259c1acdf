-- Hookyard's shared store, format 1.
--
-- Everything here is the truth; nothing waits in a node's memory to be written. Numbers of events are
-- given out one transaction at a time (journal.rs), so their order is the order of commits. Texts are
-- kept as columns.rs says, JSON as text to the byte.

-- One row: what holds for the whole installation.
CREATE TABLE installation (
    id        int PRIMARY KEY CHECK (id = 1),
    key_proof bytea                       -- a known text, sealed: tells a wrong encryption key
);
INSERT INTO installation (id) VALUES (1);

-- One row when an embedded store was moved here (arriving.rs). Until that is finished nobody serves.
CREATE TABLE moves (
    id       int PRIMARY KEY CHECK (id = 1),
    origin   text NOT NULL,               -- the id of the move, which the store's directory has, too
    finished boolean NOT NULL
);

-- How many rows of each table have come, and what they were compared by in the end.
CREATE TABLE moved_rows (
    table_name text PRIMARY KEY,
    rows       bigint NOT NULL,
    checksum   text
) WITH (fillfactor = 50);

-- One row: the last event number given out. Changed only under the journal's lock.
CREATE TABLE sequencer (
    id  int PRIMARY KEY CHECK (id = 1),
    seq bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO sequencer (id, seq) VALUES (1, 0);

-- The processes that serve. A node that does not renew its row in time has lost all it owned.
CREATE SEQUENCE node_ids;
CREATE TABLE nodes (
    id    bigint PRIMARY KEY,
    until timestamptz NOT NULL
) WITH (fillfactor = 10);

CREATE TABLE workspaces (
    id       int PRIMARY KEY,
    merchant text NOT NULL UNIQUE,
    name     text NOT NULL,
    version  bigint NOT NULL DEFAULT 1    -- grows with each change of who is sent what
) WITH (fillfactor = 50);

CREATE TABLE projects (
    workspace_id int NOT NULL REFERENCES workspaces (id),
    id           int NOT NULL,
    name         text NOT NULL,
    PRIMARY KEY (workspace_id, id)
);

CREATE TABLE credentials (
    id             int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id   int NOT NULL REFERENCES workspaces (id),
    kind           text NOT NULL,
    scopes         text NOT NULL,
    lookup         bytea NOT NULL,        -- SHA-256
    secret         bytea,                 -- SHA-256
    name           text NOT NULL,
    created_ms     bigint,
    expires_ms     bigint,
    allowed_ips    text NOT NULL,         -- CIDRs, blanks between
    last_used_ms   bigint,
    revoked_ms     bigint,
    disabled       boolean NOT NULL DEFAULT false,  -- it, or the application that it belongs to
    application_id int,
    project_id     int,                   -- the only one that it opens; absent: the whole workspace
    UNIQUE (kind, lookup)
) WITH (fillfactor = 80);
CREATE INDEX credentials_by_owner ON credentials (workspace_id, application_id, id);
CREATE INDEX credentials_by_end ON credentials ((coalesce(revoked_ms, expires_ms)));

-- Applications, what people granted them, and the codes and tokens of that, as hashes (SHA-256).
CREATE TABLE applications (
    id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id int NOT NULL REFERENCES workspaces (id),
    client_id    text NOT NULL UNIQUE,
    created_ms   bigint NOT NULL,
    scopes       text NOT NULL,
    disabled     boolean NOT NULL,
    settings     text NOT NULL            -- JSON
);
CREATE INDEX applications_by_workspace ON applications (workspace_id, id);

CREATE TABLE grants (
    id             int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_id int NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    via            text NOT NULL,         -- code, device
    scopes         text NOT NULL,
    approved_by    int NOT NULL,          -- a credential, which may be gone
    created_ms     bigint NOT NULL,
    refreshed_ms   bigint NOT NULL
);
CREATE INDEX grants_by_application ON grants (application_id, id);

-- An access token is a credential of kind token; this is the grant that it belongs to.
CREATE TABLE access_tokens (
    credential_id int PRIMARY KEY REFERENCES credentials (id) ON DELETE CASCADE,
    grant_id      int NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    expires_ms    bigint NOT NULL
);
CREATE INDEX access_tokens_by_grant ON access_tokens (grant_id, credential_id);

CREATE TABLE refresh_tokens (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash       bytea NOT NULL UNIQUE,
    grant_id   int NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    expires_ms bigint,                    -- absent: never
    used       boolean NOT NULL
);
CREATE INDEX refresh_tokens_by_grant ON refresh_tokens (grant_id, id);

CREATE TABLE authorization_codes (
    hash           bytea PRIMARY KEY,
    application_id int NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    scopes         text NOT NULL,
    approved_by    int NOT NULL,
    redirect_uri   text NOT NULL,
    challenge      text,                  -- PKCE, S256
    expires_ms     bigint NOT NULL,
    grant_id       int                    -- what came of it, once it was used
);
CREATE INDEX authorization_codes_by_application ON authorization_codes (application_id);

CREATE TABLE device_codes (
    hash           bytea PRIMARY KEY,
    user_hash      bytea NOT NULL UNIQUE,
    application_id int NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    scopes         text NOT NULL,
    expires_ms     bigint NOT NULL,
    interval_ms    bigint NOT NULL,       -- the least time between two questions
    asked_ms       bigint,
    decision       text,                  -- approved, denied
    approved_by    int,
    grant_id       int
);
CREATE INDEX device_codes_by_application ON device_codes (application_id);

CREATE TABLE categories (
    workspace_id int NOT NULL REFERENCES workspaces (id),
    position     int NOT NULL,
    name         text NOT NULL,
    expansions   text NOT NULL,           -- JSON list
    system       boolean NOT NULL,
    PRIMARY KEY (workspace_id, position),
    UNIQUE (workspace_id, name)
);

CREATE TABLE event_types (
    workspace_id    int NOT NULL REFERENCES workspaces (id),
    id              int NOT NULL,
    category        int NOT NULL,         -- position
    name            text NOT NULL,
    description     text NOT NULL,
    supports_reflow boolean NOT NULL,
    deprecated      boolean NOT NULL,
    discontinued    boolean NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, name)
);

CREATE SEQUENCE endpoint_ids AS int;
CREATE TABLE endpoints (
    id            int PRIMARY KEY,
    workspace_id  int NOT NULL REFERENCES workspaces (id),
    revision      int NOT NULL,
    created_ms    bigint NOT NULL,
    settings      text NOT NULL,          -- JSON, without secrets
    subscriptions text NOT NULL,          -- JSON list
    secrets       bytea,                  -- JSON, sealed
    disabled      boolean NOT NULL,       -- as the settings say
    reason        text,                   -- JSON: why Hookyard disabled it
    application_id int                    -- whose token registered it; may be gone
);
CREATE INDEX endpoints_by_workspace ON endpoints (workspace_id);

CREATE TABLE endpoint_revisions (
    endpoint_id   int NOT NULL,
    revision      int NOT NULL,
    settings      text NOT NULL,          -- JSON, without secrets
    subscriptions text NOT NULL,          -- JSON list
    PRIMARY KEY (endpoint_id, revision)
);

-- Where each endpoint's queue stands, and who works on it. Entries have places; the head is at
-- `cursor`, and the next entry's is where the last chunk ends, so nothing is ever counted.
CREATE TABLE queues (
    endpoint_id  int PRIMARY KEY,
    owner        bigint,                  -- a node
    epoch        bigint NOT NULL DEFAULT 0,
    cursor       bigint NOT NULL DEFAULT 0,
    failures     int NOT NULL DEFAULT 0,
    retry_ms     bigint,
    since_ms     bigint,
    again        text NOT NULL DEFAULT '[]',      -- JSON list: what was queued again
    done         bigint[] NOT NULL DEFAULT '{}',  -- places behind the cursor that have left
    held         text NOT NULL DEFAULT '[]',      -- JSON list: what the last attempts failed with
    dead_letters bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX queues_by_owner ON queues (owner) WHERE owner IS NOT NULL;

-- The entries that are still to be delivered: what one transaction queued for one endpoint.
CREATE TABLE queue_chunks (
    endpoint_id int NOT NULL,
    first       bigint NOT NULL,          -- place
    seqs        bigint[] NOT NULL,        -- events
    lowest      bigint NOT NULL,          -- of the numbers
    highest     bigint NOT NULL,
    PRIMARY KEY (endpoint_id, first)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
-- Which chunks have an event of a range is asked when old events are deleted. A chunk of live events
-- spans few numbers and is found by its lowest; the others are few, and looked at one by one.
CREATE INDEX queue_chunks_by_event ON queue_chunks (lowest);
CREATE INDEX queue_chunks_wide ON queue_chunks (endpoint_id) WHERE highest - lowest >= 16384;

-- What grows with time is in partitions (partitions.rs): by the event's number here, which is by the
-- time of commit, too.
CREATE TABLE journal (
    seq          bigint PRIMARY KEY,      -- by queues, replays, cursors
    workspace_id int NOT NULL,
    type_id      int NOT NULL,
    accepted_ms  bigint NOT NULL,
    id_hash      bigint NOT NULL,         -- of workspace and event id
    event_id     text NOT NULL,
    source       text NOT NULL,
    attributes   text NOT NULL,           -- JSON object, or empty
    object       text NOT NULL,           -- JSON object, as published
    matched      int[] NOT NULL           -- endpoints
) PARTITION BY RANGE (seq);
-- History by type, for lists and replays. Events of a type come one after the other, so each
-- workspace's busy types have a page of their own to be added to.
CREATE INDEX journal_by_type ON journal (workspace_id, type_id, seq);
-- Repeats, and events by their id. This is the one index that is added to at random: what must be in
-- memory for it is that of the newest partitions.
CREATE INDEX journal_by_id ON journal (id_hash);

-- In partitions by the moment of its start, which the caller's request id tells, and lists are in the
-- order of.
CREATE SEQUENCE attempt_ids;
CREATE TABLE attempts (
    id               bigint NOT NULL DEFAULT nextval('attempt_ids'),
    endpoint_id      int NOT NULL,
    started_ms       bigint NOT NULL,
    duration_ms      bigint NOT NULL,
    queue_delay_ms   bigint NOT NULL,
    status           int,
    success          boolean NOT NULL,
    advance          bigint NOT NULL,     -- entries taken off the queue's head
    parked           boolean NOT NULL,    -- whether they became dead letters
    failures         int NOT NULL,
    refusals         int NOT NULL,
    retry_ms         bigint,
    revision         int NOT NULL,
    request_id       text NOT NULL,
    seqs             bigint[] NOT NULL,   -- the bundle's events
    entries          bigint[] NOT NULL,   -- their places; none: the first ones
    event_types      int[] NOT NULL,
    order_ids        text NOT NULL,       -- JSON list
    url              text NOT NULL,
    request_headers  text NOT NULL,       -- JSON list, credentials masked
    response_headers text NOT NULL,       -- JSON list
    response         text,
    error            text,
    PRIMARY KEY (endpoint_id, started_ms, id)  -- by lists, and for one attempt by its request id
) PARTITION BY RANGE (started_ms);
-- For retention. It is of an expression because an index of the column would tempt the planner to look
-- for an endpoint's newest attempts among those of all.
CREATE INDEX attempts_by_time ON attempts ((started_ms + 0), id);

-- Events that were given up on, one row for an endpoint and event.
CREATE TABLE dead_letters (
    endpoint_id int NOT NULL,
    seq         bigint NOT NULL,          -- the event
    type_id     int NOT NULL,
    parked_ms   bigint NOT NULL,
    request_id  text NOT NULL,            -- the last attempt
    bytes       bigint NOT NULL,          -- of the event, as retention counts them
    PRIMARY KEY (endpoint_id, seq)
);
CREATE INDEX dead_letters_by_seq ON dead_letters (seq);
CREATE INDEX dead_letters_by_time ON dead_letters (parked_ms);

-- Replays: ranges of the journal that are queued again, slice by slice.
CREATE TABLE replays (
    id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id int NOT NULL,
    endpoint_id  int NOT NULL,
    created_ms   bigint NOT NULL,
    state        text NOT NULL,           -- running, paused, cancelled, queued
    scope        text NOT NULL,           -- JSON
    position     bigint NOT NULL,         -- the last journal number that was looked at
    last         bigint NOT NULL,         -- the last one to look at
    total        bigint NOT NULL,
    examined     bigint NOT NULL,
    queued       bigint NOT NULL
);
CREATE INDEX replays_by_endpoint ON replays (endpoint_id, id);
CREATE INDEX replays_running ON replays (position) WHERE state = 'running';

-- Journal numbers during which an endpoint was disabled and that were not recovered.
CREATE TABLE endpoint_gaps (
    endpoint_id int NOT NULL,
    first_seq   bigint NOT NULL,
    until_seq   bigint,                   -- absent while it is disabled
    PRIMARY KEY (endpoint_id, first_seq)
);

-- Who changed what. Rows are added, and deleted when they are old; none is changed.
CREATE TABLE audit (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id  int NOT NULL,
    at_ms         bigint NOT NULL,
    actor         text NOT NULL,          -- request, command, system
    credential_id int,
    credential    text NOT NULL,          -- its name then
    address       text,
    request_id    text,
    action        text NOT NULL,
    subject       text NOT NULL,
    detail        text NOT NULL,          -- JSON object
    bytes         bigint NOT NULL
);
CREATE INDEX audit_by_workspace ON audit (workspace_id, id);
CREATE RULE audit_only_grows AS ON UPDATE TO audit DO INSTEAD NOTHING;

-- The partitions: those of the journal (kind 0), the attempts (1) and the rows (2). What is in one has
-- keys from `first` on and below `until`; its table has the name of the whole with `first` behind.
CREATE TABLE partitions (
    kind  int NOT NULL,
    first bigint NOT NULL,
    until bigint NOT NULL,
    PRIMARY KEY (kind, first)
);

-- What retention counts of each partition, in slots: each node adds attempts to a slot of its own
-- among a few, so that nodes do not wait for each other. A batch that goes over a border counts for
-- one of the two partitions; the sums of all are exact.
CREATE TABLE retained (
    kind  int NOT NULL,
    first bigint NOT NULL,
    slot  int NOT NULL,
    bytes bigint NOT NULL DEFAULT 0,
    items bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, first, slot)
) WITH (fillfactor = 10);

CREATE TABLE folders (
    id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id int NOT NULL,
    project_id   int NOT NULL,
    parent_id    int,
    name         text NOT NULL,
    created_ms   bigint NOT NULL,
    updated_ms   bigint NOT NULL,
    FOREIGN KEY (workspace_id, project_id) REFERENCES projects (workspace_id, id)
);
CREATE INDEX folders_by_project ON folders (workspace_id, project_id);

-- What clients of asynchronous operations ask after: the newest of each workspace.
CREATE TABLE jobs (
    id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id int NOT NULL,
    created_ms   bigint NOT NULL,
    operation    text NOT NULL,
    path         text NOT NULL,
    response     text NOT NULL,           -- JSON object
    project_id   int
);
CREATE INDEX jobs_by_workspace ON jobs (workspace_id, id);

-- What a dataset's row says of rows and bytes is of the version that is seen.
CREATE TABLE datasets (
    id             int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id   int NOT NULL,
    project_id     int NOT NULL,
    name           text NOT NULL,
    folder_id      int,
    revision       int NOT NULL DEFAULT 1,
    created_ms     bigint NOT NULL,
    updated_ms     bigint NOT NULL,
    version_id     bigint NOT NULL,       -- the one that is seen
    began_ms       bigint NOT NULL,       -- of the version
    rows           bigint NOT NULL DEFAULT 0,   -- visible rows
    suspended      bigint NOT NULL DEFAULT 0,   -- hidden batches
    bytes          bigint NOT NULL DEFAULT 0,   -- of the visible rows' cells
    edits          bigint NOT NULL DEFAULT 0,   -- changes that moved rows
    versions_kept  int NOT NULL,
    versions_bytes bigint NOT NULL,
    columns        text NOT NULL DEFAULT '{}',  -- JSON
    FOREIGN KEY (workspace_id, project_id) REFERENCES projects (workspace_id, id)
) WITH (fillfactor = 50);
CREATE INDEX datasets_by_project ON datasets (workspace_id, project_id);
CREATE INDEX datasets_by_folder ON datasets (folder_id) WHERE folder_id IS NOT NULL;

-- Earlier versions, in the order in which they were replaced.
CREATE TABLE dataset_versions (
    position    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          bigint NOT NULL UNIQUE,
    dataset_id  int NOT NULL,
    began_ms    bigint NOT NULL,
    updated_ms  bigint NOT NULL,
    replaced_ms bigint NOT NULL,
    rows        bigint NOT NULL,
    suspended   bigint NOT NULL,
    bytes       bigint NOT NULL,
    edits       bigint NOT NULL
);
CREATE INDEX dataset_versions_by_dataset ON dataset_versions (dataset_id, position);

CREATE SEQUENCE source_ids AS int;
CREATE TABLE sources (
    id           int PRIMARY KEY,
    workspace_id int NOT NULL,
    project_id   int NOT NULL,
    dataset_id   int NOT NULL UNIQUE REFERENCES datasets (id),
    created_ms   bigint NOT NULL,
    name         text NOT NULL,
    mode         text NOT NULL,
    origins      text NOT NULL,
    folder       text,
    secret       bytea,                   -- sealed
    key          bytea NOT NULL,          -- sealed
    key_hash     bytea NOT NULL UNIQUE,   -- SHA-256
    options      text NOT NULL,           -- JSON
    -- The secrets and public keys by which its own verification judges: JSON, sealed.
    verification_secrets bytea,
    -- What its secret and key were before they were rotated, while they count: JSON, sealed.
    previous             bytea,
    previous_key_hash    bytea            -- SHA-256
);
CREATE INDEX sources_by_workspace ON sources (workspace_id, id);
CREATE INDEX sources_by_previous_key ON sources (previous_key_hash)
    WHERE previous_key_hash IS NOT NULL;

-- Rows belong to a version of a dataset. The two share their numbers: a version that a delivery
-- begins has the number of its row, and no row of a version has a lower number than the version. In
-- partitions by number, which follows time.
CREATE SEQUENCE row_ids;
CREATE TABLE rows (
    id          bigint NOT NULL,
    version_id  bigint NOT NULL,
    received_ms bigint NOT NULL,
    suspended   boolean NOT NULL,
    cell        text NOT NULL,            -- JSON
    -- By pages, which go on from a number, and by changes of a batch. None of the number alone: a
    -- dataset's next rows would be looked for among those of all.
    PRIMARY KEY (version_id, id)
) PARTITION BY RANGE (id);
-- Counting to an offset passes over what is suspended, which is little.
CREATE INDEX rows_suspended ON rows (version_id, id) WHERE suspended;

-- Versions that nobody can see any more and whose rows are still to be deleted, a few at a time.
CREATE TABLE garbage (
    version_id bigint PRIMARY KEY
);

-- What deliveries are known again by.
CREATE TABLE delivery_ids (
    hash        bytea PRIMARY KEY,        -- of the source and the sender's id, 16 bytes
    received_ms bigint NOT NULL
);
CREATE INDEX delivery_ids_by_time ON delivery_ids (received_ms);

-- Requests to sources that were accepted, for inspection.
CREATE TABLE deliveries (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id   int NOT NULL,
    received_ms bigint NOT NULL,
    method      text NOT NULL,
    query       text NOT NULL,            -- secrets masked
    headers     text NOT NULL,            -- JSON list, secrets masked
    address     text,
    bytes       bigint NOT NULL,          -- of the body as it came
    row_id      bigint,                   -- the row that it became
    seq         bigint,                   -- the event that it became
    in_row      boolean NOT NULL,         -- whether the row's cell is the body, to the byte
    body        bytea
);
CREATE INDEX deliveries_by_source ON deliveries (source_id, received_ms, id);

-- Requests to sources that were not taken, and why.
CREATE TABLE rejections (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id int NOT NULL,
    first_ms  bigint NOT NULL,
    last_ms   bigint NOT NULL,
    count     bigint NOT NULL,
    cause     text NOT NULL,
    detail    text NOT NULL,
    method    text NOT NULL,
    address   text,
    request   bytea                       -- the first one, for the doctor: JSON, sealed
);
CREATE INDEX rejections_by_source ON rejections (source_id, id);

-- Events that landed in a dataset: each does once for an endpoint, however often it is sent.
CREATE TABLE landed (
    seq         bigint NOT NULL,
    endpoint_id int NOT NULL,
    PRIMARY KEY (seq, endpoint_id)
);

-- What has been taken of callers' quotas: leaky buckets. One that is empty need not be here.
CREATE TABLE limit_buckets (
    key      text PRIMARY KEY,
    empty_us bigint NOT NULL,             -- when it is empty again, in microseconds of Unix time
    granted  bigint NOT NULL DEFAULT 0    -- what whoever asked last was given
) WITH (fillfactor = 50);
