-- What is known of the recordings of sessions; the newest session has the largest id.
CREATE TABLE recordings (
    session  TEXT PRIMARY KEY,
    holder   TEXT NOT NULL,
    resource TEXT NOT NULL,
    began    INTEGER NOT NULL,
    ended    INTEGER,
    open     INTEGER NOT NULL,
    deleted  INTEGER NOT NULL,
    doc      TEXT NOT NULL
) STRICT;
CREATE INDEX recordings_of_holder ON recordings (holder, session);
CREATE INDEX recordings_of_resource ON recordings (resource, session);
CREATE INDEX recordings_open ON recordings (session) WHERE open = 1;
CREATE INDEX recordings_kept ON recordings (ended) WHERE deleted = 0;
