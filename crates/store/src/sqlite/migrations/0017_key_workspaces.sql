-- Whose the events of a run are: pairs of a workspace and how many in a row it has. Absent in runs of before.
ALTER TABLE event_keys ADD COLUMN workspaces BLOB;
