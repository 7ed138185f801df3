-- What stood at a resource when it was last looked at on a day (UTC), for figures over time. A row for each resource and
-- day; those that no figure looks back to are removed. A resource that is taken out keeps what it had: it was so.
CREATE TABLE inventories (
    resource TEXT NOT NULL,
    day      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    made     INTEGER NOT NULL,
    standing INTEGER NOT NULL,
    orphans  INTEGER NOT NULL,
    PRIMARY KEY (resource, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX inventories_day ON inventories (day, resource);
