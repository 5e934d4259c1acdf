-- Credentials that open one project alone, the project of a job, and who registered an endpoint.

ALTER TABLE credentials ADD COLUMN project_id INTEGER;  -- absent: the whole workspace
ALTER TABLE jobs ADD COLUMN project_id INTEGER;         -- absent: older than this column
ALTER TABLE endpoints ADD COLUMN application_id INTEGER; -- whose token registered it; may be gone
