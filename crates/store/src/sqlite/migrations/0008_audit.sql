-- Who changed what. Rows are added, and deleted when they are old; none is changed.

CREATE TABLE audit (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id  INTEGER NOT NULL,
    at_ms         INTEGER NOT NULL,
    actor         TEXT NOT NULL,          -- request, command, system
    credential_id INTEGER,
    credential    TEXT NOT NULL,          -- its name then
    address       TEXT,
    request_id    TEXT,
    action        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    detail        TEXT NOT NULL,          -- JSON object
    bytes         INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_by_workspace ON audit (workspace_id, id);

CREATE TRIGGER audit_only_grows BEFORE UPDATE ON audit BEGIN
    SELECT raise(ABORT, 'the audit log is not changed');
END;

-- The sum of their bytes is kind 3.
INSERT INTO retained (kind, bytes) VALUES (3, 0);
CREATE TRIGGER audit_noted AFTER INSERT ON audit BEGIN
    UPDATE retained SET bytes = bytes + new.bytes WHERE kind = 3;
END;
CREATE TRIGGER audit_forgotten AFTER DELETE ON audit BEGIN
    UPDATE retained SET bytes = bytes - old.bytes WHERE kind = 3;
END;
