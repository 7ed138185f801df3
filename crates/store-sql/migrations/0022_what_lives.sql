-- Whoever asks has their own live grants looked through, and what of theirs still waits, however much others hold and they held before.
CREATE INDEX grants_live_of_holder ON grants (holder, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX requests_waiting_of_requester ON requests (requester, id) WHERE waiting = 1;
CREATE INDEX requests_waiting_of_beneficiary ON requests (beneficiary, id) WHERE waiting = 1;
-- Nobody asks for these.
DROP INDEX leases_of_role;
