-- Directories that push people and groups, and what each said last of those that it made. A directory is removed,
-- never deleted: what it made is its own when it comes back.
CREATE TABLE directories (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    name       TEXT NOT NULL UNIQUE,
    doc        TEXT NOT NULL
) STRICT;

-- `id` is the person's or the group's. `key` is the user name in lower case, or the display name of a group.
CREATE TABLE directory_entries (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    directory  TEXT NOT NULL,
    sort       TEXT NOT NULL,
    key        TEXT NOT NULL,
    external   TEXT,
    doc        TEXT NOT NULL
) STRICT;
CREATE INDEX directory_entries_in_order ON directory_entries (directory, sort, id);
CREATE UNIQUE INDEX directory_entries_by_key ON directory_entries (directory, sort, key);
CREATE UNIQUE INDEX directory_entries_by_external ON directory_entries (directory, sort, external)
    WHERE external IS NOT NULL;
