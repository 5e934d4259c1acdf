-- What dead letters hold on to is bounded in bytes, too: the event's texts and 64 for its row, as
-- the journal's bytes are counted.

ALTER TABLE dead_letters ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE dead_letters SET bytes = ifnull((
    SELECT octet_length(event_id) + octet_length(source) + octet_length(attributes)
           + octet_length(object) + 64
    FROM journal WHERE journal.seq = dead_letters.seq
), 0);

-- The oldest, of all endpoints, go first.
CREATE INDEX dead_letters_by_time ON dead_letters (parked_ms);

-- The sum of them is kind 2. Triggers keep it, so that no way to drop a letter can forget to. (A row
-- that is replaced would go past them: a letter that is there is updated.)
INSERT INTO retained (kind, bytes) SELECT 2, ifnull(sum(bytes), 0) FROM dead_letters;
CREATE TRIGGER dead_letter_parked AFTER INSERT ON dead_letters BEGIN
    UPDATE retained SET bytes = bytes + new.bytes WHERE kind = 2;
END;
CREATE TRIGGER dead_letter_dropped AFTER DELETE ON dead_letters BEGIN
    UPDATE retained SET bytes = bytes - old.bytes WHERE kind = 2;
END;
