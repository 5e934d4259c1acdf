-- What is read back is compared with what was written (checksum.rs). Rows of before have none.
ALTER TABLE journal ADD COLUMN checksum int;
ALTER TABLE attempts ADD COLUMN checksum int;
ALTER TABLE rows ADD COLUMN checksum int;
