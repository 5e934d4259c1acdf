-- Bundles that stay the same until they are taken, and several of them in flight.

ALTER TABLE attempts ADD COLUMN entries BLOB;  -- places in the queue, see codec.rs; absent: the first ones

ALTER TABLE queues ADD COLUMN done BLOB;       -- places behind the cursor that have left, see codec.rs
ALTER TABLE queues ADD COLUMN held TEXT;       -- JSON list: what the last attempts failed with
