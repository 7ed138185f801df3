-- Where a recording lies: `local`, `both`, `store`, `gone`, or `nowhere` if there is nothing of it.
ALTER TABLE recordings ADD COLUMN lies TEXT NOT NULL DEFAULT 'local';
UPDATE recordings SET lies = 'nowhere' WHERE json_extract(doc, '$.end.state') = 'lost';
CREATE INDEX recordings_lie ON recordings (lies, deleted, session);
