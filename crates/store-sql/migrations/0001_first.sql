-- Every row is an id, a generation that counts its writes, the columns that are asked for, and the
-- value itself as JSON. Times are microseconds since 1970-01-01T00:00:00Z. Ids are text whose order
-- is their order in time.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What decisions rest on.

CREATE TABLE people (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    name       TEXT NOT NULL UNIQUE,
    doc        TEXT NOT NULL
) STRICT;

CREATE TABLE groups (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    name       TEXT NOT NULL UNIQUE,
    doc        TEXT NOT NULL
) STRICT;

CREATE TABLE resources (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    name       TEXT NOT NULL UNIQUE,
    doc        TEXT NOT NULL
) STRICT;

CREATE TABLE roles (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    doc        TEXT NOT NULL,
    UNIQUE (kind, name)
) STRICT;

CREATE TABLE locks (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    holds      INTEGER NOT NULL,
    doc        TEXT NOT NULL
) STRICT;
CREATE INDEX locks_that_hold ON locks (id) WHERE holds = 1;

CREATE TABLE policies (
    version INTEGER PRIMARY KEY,
    doc     TEXT NOT NULL
) STRICT;

-- The lifecycle. `due_at` is when something happens to it by itself; empty when nothing does.

CREATE TABLE requests (
    id          TEXT PRIMARY KEY NOT NULL,
    generation  INTEGER NOT NULL,
    requester   TEXT NOT NULL,
    beneficiary TEXT NOT NULL,
    waiting     INTEGER NOT NULL,
    due_at      INTEGER,
    doc         TEXT NOT NULL
) STRICT;
CREATE INDEX requests_of_requester ON requests (requester, id);
CREATE INDEX requests_of_beneficiary ON requests (beneficiary, id);
CREATE INDEX requests_waiting ON requests (waiting, id);
CREATE INDEX requests_due ON requests (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE grants (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    holder     TEXT NOT NULL,
    resource   TEXT NOT NULL,
    role       TEXT NOT NULL,
    request    TEXT NOT NULL REFERENCES requests (id),
    phase      TEXT NOT NULL,
    due_at     INTEGER,
    doc        TEXT NOT NULL
) STRICT;
CREATE INDEX grants_of_holder ON grants (holder, id);
CREATE INDEX grants_of_resource ON grants (resource, id);
CREATE INDEX grants_of_role ON grants (role, id);
CREATE INDEX grants_of_request ON grants (request, id);
CREATE INDEX grants_in_phase ON grants (phase, id);
CREATE INDEX grants_due ON grants (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE leases (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    grant_id   TEXT NOT NULL REFERENCES grants (id),
    resource   TEXT NOT NULL,
    role       TEXT NOT NULL,
    phase      TEXT NOT NULL,
    due_at     INTEGER,
    doc        TEXT NOT NULL
) STRICT;
CREATE INDEX leases_of_grant ON leases (grant_id, id);
CREATE INDEX leases_of_resource ON leases (resource, id);
CREATE INDEX leases_of_role ON leases (role, id);
CREATE INDEX leases_in_phase ON leases (phase, id);
CREATE INDEX leases_due ON leases (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE issuances (
    serial    INTEGER PRIMARY KEY,
    lease     TEXT NOT NULL REFERENCES leases (id),
    kind      TEXT NOT NULL,
    not_after INTEGER NOT NULL,
    doc       TEXT NOT NULL
) STRICT;
CREATE INDEX issuances_of_lease ON issuances (lease, serial);
CREATE INDEX issuances_that_work ON issuances (kind, not_after);

-- How people and hosts prove who they are.

CREATE TABLE logins (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    doc        TEXT NOT NULL
) STRICT;

CREATE TABLE tokens (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    owner      TEXT NOT NULL,
    spent      INTEGER,
    expires    INTEGER NOT NULL,
    doc        TEXT NOT NULL
) STRICT;
CREATE INDEX tokens_unspent ON tokens (owner, id) WHERE spent IS NULL;
CREATE INDEX tokens_over ON tokens (coalesce(spent, expires));

CREATE TABLE sealed (
    key    TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE answers (
    person TEXT NOT NULL,
    key    TEXT NOT NULL,
    at     INTEGER NOT NULL,
    doc    TEXT NOT NULL,
    PRIMARY KEY (person, key)
) STRICT;
CREATE INDEX answers_by_age ON answers (at);

-- The trail. `body` is the RFC 8785 form of the record, `leaf` its RFC 6962 leaf hash.

CREATE TABLE trail (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    at       INTEGER NOT NULL,
    event    TEXT NOT NULL,
    actor    TEXT,
    person   TEXT,
    resource TEXT,
    request  TEXT,
    grant_id TEXT,
    leaf     BLOB NOT NULL CHECK (length(leaf) = 32),
    body     TEXT NOT NULL
) STRICT;
CREATE INDEX trail_by_actor ON trail (actor, seq) WHERE actor IS NOT NULL;
CREATE INDEX trail_by_person ON trail (person, seq) WHERE person IS NOT NULL;
CREATE INDEX trail_by_resource ON trail (resource, seq) WHERE resource IS NOT NULL;
CREATE INDEX trail_by_request ON trail (request, seq) WHERE request IS NOT NULL;
CREATE INDEX trail_by_grant ON trail (grant_id, seq) WHERE grant_id IS NOT NULL;
CREATE INDEX trail_by_event ON trail (event, seq);
CREATE INDEX trail_by_time ON trail (at, seq);

CREATE TRIGGER trail_keeps_what_it_says BEFORE UPDATE ON trail
BEGIN
    SELECT RAISE(ABORT, 'the trail is append-only');
END;

CREATE TRIGGER trail_keeps_what_it_has BEFORE DELETE ON trail
BEGIN
    SELECT RAISE(ABORT, 'the trail is append-only');
END;

-- `INSERT OR REPLACE` deletes without firing a delete trigger; this refuses it.
CREATE TRIGGER trail_is_never_replaced BEFORE INSERT ON trail
WHEN EXISTS (SELECT 1 FROM trail WHERE seq = NEW.seq OR id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the trail is append-only');
END;
