-- A decision names the policy set it was made under by its digest; this finds the version again.
ALTER TABLE policies ADD COLUMN digest TEXT GENERATED ALWAYS AS (json_extract(doc, '$.digest')) VIRTUAL;
CREATE INDEX policies_by_digest ON policies (digest, version);
