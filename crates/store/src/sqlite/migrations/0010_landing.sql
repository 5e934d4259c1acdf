-- Events that landed in a dataset: each does once for an endpoint, however often it is sent.
CREATE TABLE landed (
    seq         INTEGER NOT NULL,
    endpoint_id INTEGER NOT NULL,
    PRIMARY KEY (seq, endpoint_id)
) STRICT, WITHOUT ROWID;
