-- Applications, what people granted them, and the codes and tokens of that, as hashes (SHA-256).

CREATE TABLE applications (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
    client_id    TEXT NOT NULL UNIQUE,
    created_ms   INTEGER NOT NULL,
    scopes       TEXT NOT NULL,
    disabled     INTEGER NOT NULL,
    settings     TEXT NOT NULL            -- JSON
) STRICT;
CREATE INDEX applications_by_workspace ON applications (workspace_id, id);

CREATE TABLE grants (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    application_id INTEGER NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    via            TEXT NOT NULL,         -- code, device
    scopes         TEXT NOT NULL,
    approved_by    INTEGER NOT NULL,      -- a credential, which may be gone
    created_ms     INTEGER NOT NULL,
    refreshed_ms   INTEGER NOT NULL
) STRICT;
CREATE INDEX grants_by_application ON grants (application_id, id);

-- An access token is a credential of kind token; this is the grant that it belongs to.
CREATE TABLE access_tokens (
    credential_id INTEGER PRIMARY KEY REFERENCES credentials (id) ON DELETE CASCADE,
    grant_id      INTEGER NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    expires_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX access_tokens_by_grant ON access_tokens (grant_id, credential_id);

CREATE TABLE refresh_tokens (
    id         INTEGER PRIMARY KEY,
    hash       BLOB NOT NULL UNIQUE,
    grant_id   INTEGER NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    expires_ms INTEGER,                   -- absent: never
    used       INTEGER NOT NULL
) STRICT;
CREATE INDEX refresh_tokens_by_grant ON refresh_tokens (grant_id, id);

CREATE TABLE authorization_codes (
    hash           BLOB PRIMARY KEY,
    application_id INTEGER NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    scopes         TEXT NOT NULL,
    approved_by    INTEGER NOT NULL,
    redirect_uri   TEXT NOT NULL,
    challenge      TEXT,                  -- PKCE, S256
    expires_ms     INTEGER NOT NULL,
    grant_id       INTEGER                -- what came of it, once it was used
) STRICT, WITHOUT ROWID;

CREATE TABLE device_codes (
    hash           BLOB PRIMARY KEY,
    user_hash      BLOB NOT NULL UNIQUE,
    application_id INTEGER NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    scopes         TEXT NOT NULL,
    expires_ms     INTEGER NOT NULL,
    interval_ms    INTEGER NOT NULL,      -- the least time between two questions
    asked_ms       INTEGER,
    decision       TEXT,                  -- approved, denied
    approved_by    INTEGER,
    grant_id       INTEGER
) STRICT, WITHOUT ROWID;
