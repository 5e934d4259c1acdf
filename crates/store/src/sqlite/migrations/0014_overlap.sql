-- What a source's secret and key were before they were rotated, while they count: JSON.
ALTER TABLE sources ADD COLUMN previous BLOB; -- sealed
ALTER TABLE sources ADD COLUMN previous_key_hash BLOB; -- SHA-256

-- The first request of a line, for the doctor: JSON, encrypted like a secret. It goes when the key of
-- the data is rotated.
ALTER TABLE rejections ADD COLUMN request BLOB;
