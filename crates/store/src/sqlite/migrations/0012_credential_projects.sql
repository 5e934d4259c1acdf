-- Credentials that open one project alone, and the project of a job.

ALTER TABLE credentials ADD COLUMN project_id INTEGER;  -- absent: the whole workspace
ALTER TABLE jobs ADD COLUMN project_id INTEGER;         -- absent: older than this column
