-- What is read back is compared with what was written (checksum.rs). Rows of before have none.
ALTER TABLE journal ADD COLUMN checksum INTEGER;
ALTER TABLE attempts ADD COLUMN checksum INTEGER;
ALTER TABLE rows ADD COLUMN checksum INTEGER;

-- There is a row while a server works on the file, with the version of the schema: a copy of the file
-- alone has it, and lacks the write-ahead log. (VACUUM INTO changes the version.)
CREATE TABLE serving (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    schema INTEGER NOT NULL
) STRICT;
