-- Notices on their way: one row to one recipient over one channel. `due_at` is set while it waits, `done_at` from then on.
CREATE TABLE deliveries (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    channel    TEXT NOT NULL,
    person     TEXT,
    state      TEXT NOT NULL,
    due_at     INTEGER,
    done_at    INTEGER,
    doc        TEXT NOT NULL
) STRICT;
CREATE INDEX deliveries_due ON deliveries (channel, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_done ON deliveries (channel, state, done_at) WHERE done_at IS NOT NULL;
CREATE INDEX deliveries_of ON deliveries (person, id) WHERE person IS NOT NULL;

-- Channels over which nothing goes until somebody has seen to them.
CREATE TABLE closed_channels (
    channel TEXT PRIMARY KEY NOT NULL,
    doc     TEXT NOT NULL
) STRICT;
