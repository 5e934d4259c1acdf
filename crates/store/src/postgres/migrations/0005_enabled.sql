-- The version of the workspace since when events are matched with an endpoint that was enabled again.
ALTER TABLE endpoints ADD COLUMN enabled_version bigint NOT NULL DEFAULT 0;
