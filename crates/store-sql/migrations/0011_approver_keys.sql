-- Keys whose signatures count as their people's approvals.
CREATE TABLE approver_keys (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    person     TEXT NOT NULL,
    doc        TEXT NOT NULL
) STRICT;
