-- Datasets in the trash: since when, and the names of the folders that they were in, a JSON array from
-- the outside. A folder that goes leaves its trashed datasets without one.
ALTER TABLE datasets ADD COLUMN trashed_ms bigint;
ALTER TABLE datasets ADD COLUMN trashed_path text;
CREATE INDEX datasets_trashed ON datasets (trashed_ms) WHERE trashed_ms IS NOT NULL;
