-- What only the native API says of a source.
ALTER TABLE sources ADD COLUMN options TEXT NOT NULL DEFAULT '{}'; -- JSON
