-- Versions of datasets, suspended batches, folders and jobs.

-- Rows belong to a version of a dataset, so that a replacement and a restoration change which version
-- is seen, and no row. What was replaced before this format is gone: it was invisible already.
DELETE FROM rows WHERE id IN (
    SELECT rows.id FROM garbage
    JOIN rows ON rows.dataset_id = garbage.dataset_id AND rows.id < garbage.below
);
DROP TABLE garbage;

-- Versions that nobody can see any more and whose rows are still to be deleted, a few at a time.
CREATE TABLE garbage (
    version_id INTEGER PRIMARY KEY
) STRICT;

-- The index rows_by_dataset follows: it is by version now.
ALTER TABLE rows RENAME COLUMN dataset_id TO version_id;
CREATE INDEX rows_suspended ON rows (version_id, id) WHERE suspended = 1;

-- The next number of a row or a version is above this, however many of the newest were deleted.
CREATE TABLE row_numbers (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    last INTEGER NOT NULL
) STRICT;
INSERT INTO row_numbers (id, last) SELECT 1, max(
    ifnull((SELECT max(id) FROM rows), 0),
    ifnull((SELECT max(floor) FROM datasets), 0),
    ifnull((SELECT max(seq) FROM sqlite_sequence WHERE name = 'datasets'), 0)
);

-- What a dataset's row says of rows and bytes is of the version that is seen.
ALTER TABLE datasets DROP COLUMN floor;
ALTER TABLE datasets ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0;      -- hidden batches
ALTER TABLE datasets ADD COLUMN version_id INTEGER NOT NULL DEFAULT 0;     -- the one that is seen
ALTER TABLE datasets ADD COLUMN began_ms INTEGER NOT NULL DEFAULT 0;       -- of the version
ALTER TABLE datasets ADD COLUMN edits INTEGER NOT NULL DEFAULT 0;          -- changes that moved rows
ALTER TABLE datasets ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
ALTER TABLE datasets ADD COLUMN folder_id INTEGER;
ALTER TABLE datasets ADD COLUMN versions_kept INTEGER NOT NULL DEFAULT 10;
ALTER TABLE datasets ADD COLUMN versions_bytes INTEGER NOT NULL DEFAULT 268435456;
ALTER TABLE datasets ADD COLUMN columns TEXT NOT NULL DEFAULT '{}';        -- JSON
UPDATE datasets SET version_id = id, began_ms = created_ms;

-- Earlier versions, in the order in which they were replaced.
CREATE TABLE dataset_versions (
    position    INTEGER PRIMARY KEY,
    id          INTEGER NOT NULL UNIQUE,
    dataset_id  INTEGER NOT NULL,
    began_ms    INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    replaced_ms INTEGER NOT NULL,
    rows        INTEGER NOT NULL,
    suspended   INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    edits       INTEGER NOT NULL
) STRICT;
CREATE INDEX dataset_versions_by_dataset ON dataset_versions (dataset_id, position);

CREATE TABLE folders (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    project_id   INTEGER NOT NULL,
    parent_id    INTEGER,
    name         TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    updated_ms   INTEGER NOT NULL,
    FOREIGN KEY (workspace_id, project_id) REFERENCES projects (workspace_id, id)
) STRICT;
CREATE INDEX folders_by_project ON folders (workspace_id, project_id);
CREATE INDEX datasets_by_folder ON datasets (folder_id) WHERE folder_id IS NOT NULL;

-- What clients of asynchronous operations ask after: the newest of each workspace.
CREATE TABLE jobs (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    created_ms   INTEGER NOT NULL,
    operation    TEXT NOT NULL,
    path         TEXT NOT NULL,
    response     TEXT NOT NULL            -- JSON object
) STRICT;
CREATE INDEX jobs_by_workspace ON jobs (workspace_id, id);
