-- The index of the trail follows it in strides: written with every record, its seven indexes were most of
-- what a commit wrote. Under a subject stand the records that are about it, by it, or called so (`.event`);
-- `trail_indexed` is the last record it has come to, and what came later is looked through.
CREATE TABLE trail_subjects (
    subject TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (subject, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO trail_subjects (subject, seq)
SELECT subject, seq FROM (
    SELECT actor AS subject, seq FROM trail
    UNION SELECT person, seq FROM trail
    UNION SELECT resource, seq FROM trail
    UNION SELECT request, seq FROM trail
    UNION SELECT grant_id, seq FROM trail
    UNION SELECT '.' || event, seq FROM trail
) WHERE subject IS NOT NULL ORDER BY subject, seq;
INSERT INTO counters (key, value) SELECT 'trail_indexed', coalesce(max(seq), 0) FROM trail;
DROP INDEX trail_by_actor;
DROP INDEX trail_by_person;
DROP INDEX trail_by_resource;
DROP INDEX trail_by_request;
DROP INDEX trail_by_grant;
DROP INDEX trail_by_event;
