-- What people get for who they are: roles on resources, and a rule.
CREATE TABLE packages (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    name       TEXT NOT NULL UNIQUE,
    doc        TEXT NOT NULL
) STRICT;
