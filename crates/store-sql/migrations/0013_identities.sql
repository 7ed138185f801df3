-- Who is kept by a directory is asked for all at once: the identities at one issuer.
CREATE INDEX ways_in_at ON ways_in (doc ->> '$.what.identity.issuer') WHERE doc ->> '$.what.identity.issuer' IS NOT NULL;
