-- What is due is read page by page in this order, out of the indexes alone.
DROP INDEX requests_due;
DROP INDEX grants_due;
DROP INDEX leases_due;
CREATE INDEX requests_due ON requests (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX grants_due ON grants (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX leases_due ON leases (due_at, id, resource) WHERE due_at IS NOT NULL;
