-- What has been taken of callers' quotas: leaky buckets. One that is empty need not be here.
CREATE TABLE limit_buckets (
    key      TEXT PRIMARY KEY,
    empty_us INTEGER NOT NULL             -- when it is empty again, in microseconds of Unix time
) STRICT, WITHOUT ROWID;
