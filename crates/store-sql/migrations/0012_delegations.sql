-- Who stands in for whom. What is over or was taken back stays: grants that were begun rest on it.
CREATE TABLE delegations (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    person     TEXT NOT NULL,
    doc        TEXT NOT NULL
) STRICT;
