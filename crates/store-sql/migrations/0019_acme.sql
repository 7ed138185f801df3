-- What was issued and is revoked by itself, whatever its lease.
ALTER TABLE issuances ADD COLUMN revoked INTEGER;
CREATE INDEX issuances_revoked ON issuances (kind, not_after) WHERE revoked IS NOT NULL;

-- ACME clients. `key` is the thumbprint of the key that an account has: no two have one. An account may be forgotten from
-- `forget` on, if its grant is over, and its orders go with it.
CREATE TABLE acme_accounts (
    id         TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    grant_id   TEXT NOT NULL REFERENCES grants (id),
    key        TEXT UNIQUE,
    forget     INTEGER NOT NULL,
    doc        TEXT NOT NULL
) STRICT;
CREATE INDEX acme_accounts_of_grant ON acme_accounts (grant_id, id);
CREATE INDEX acme_accounts_forgotten ON acme_accounts (forget);

-- `certificate` is what clients know the certificate by that was issued for an order.
CREATE TABLE acme_orders (
    id          TEXT PRIMARY KEY NOT NULL,
    generation  INTEGER NOT NULL,
    account     TEXT NOT NULL REFERENCES acme_accounts (id) ON DELETE CASCADE,
    certificate TEXT UNIQUE,
    forget      INTEGER NOT NULL,
    doc         TEXT NOT NULL
) STRICT;
CREATE INDEX acme_orders_of_account ON acme_orders (account, id);
CREATE INDEX acme_orders_forgotten ON acme_orders (forget);
