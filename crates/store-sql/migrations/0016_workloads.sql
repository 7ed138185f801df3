-- What works by itself: who is believed about its jobs, which of them are its, and the jobs themselves. Issuers and
-- workloads are removed, never deleted: a workload stays one.
CREATE TABLE issuers (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    name       TEXT NOT NULL UNIQUE,
    doc        TEXT NOT NULL
) STRICT;

CREATE TABLE workloads (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    person     TEXT NOT NULL UNIQUE,
    doc        TEXT NOT NULL
) STRICT;

-- `token` is what the token is known by that a job was begun with: one token begins one job. `forget` is when that token
-- says nothing any more.
CREATE TABLE jobs (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    token      TEXT NOT NULL UNIQUE,
    ended      INTEGER,
    forget     INTEGER NOT NULL,
    doc        TEXT NOT NULL
) STRICT;
CREATE INDEX jobs_open ON jobs (id) WHERE ended IS NULL;
CREATE INDEX jobs_forgotten ON jobs (forget) WHERE ended IS NOT NULL;
