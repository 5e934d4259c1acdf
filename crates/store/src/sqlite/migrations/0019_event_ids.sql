-- Finding events by their id.
--
-- The ids of each run of `event_keys`, in parts by the first byte of their hash: an entry has the next
-- four bytes of it, and the event's place in the run (u32, little endian). The parts of a number are
-- side by side, so that looking an id up reads some hundred bytes for each run.
CREATE TABLE event_ids (
    part      INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    places    BLOB    NOT NULL,
    PRIMARY KEY (part, first_seq)
) STRICT, WITHOUT ROWID;

-- Runs before this one have no parts; they go with their events.
CREATE TABLE event_ids_from (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    first_seq INTEGER NOT NULL
) STRICT;
INSERT INTO event_ids_from (id, first_seq)
    SELECT 1, coalesce(max(first_seq) + 1, 0) FROM event_keys;
