-- How people prove who they are besides a local password: identities at providers, passkeys. `key` is what
-- somebody who signs in is looked up by.
CREATE TABLE ways_in (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    key        TEXT NOT NULL UNIQUE,
    person     TEXT NOT NULL,
    doc        TEXT NOT NULL
) STRICT;
CREATE INDEX ways_in_of ON ways_in (person, id);

-- Every session from before was begun with a password: there was nothing else.
UPDATE tokens SET doc = json_set(doc, '$.by', 'password_and_code') WHERE doc ->> '$.by' IS NULL;

-- The provider's session that a session of ours came out of: when that ends, so does ours.
ALTER TABLE tokens ADD COLUMN via TEXT;
CREATE INDEX tokens_via ON tokens (via) WHERE via IS NOT NULL;
