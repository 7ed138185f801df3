-- Uses of grants whose roles, or credentials under them (`subject`), give a number of them: one row each, so that none is made twice.
CREATE TABLE uses (
    grant_id TEXT NOT NULL REFERENCES grants (id),
    subject  TEXT NOT NULL,
    number   INTEGER NOT NULL,
    session  TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (grant_id, subject, number)
) STRICT, WITHOUT ROWID;
