-- How much a workspace may have and take, as JSON; absent for any amount of everything.
ALTER TABLE workspaces ADD COLUMN quotas text;
