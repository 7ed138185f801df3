-- Once, as superuser: an account for Wane that is not superuser, and a place for what is left behind.
CREATE ROLE wane LOGIN CREATEROLE;
CREATE ROLE wane_left_behind NOLOGIN;
GRANT pg_signal_backend TO wane;
GRANT wane_left_behind TO wane;
GRANT app_read TO wane WITH ADMIN OPTION;
-- Nobody makes objects in passing.
SELECT format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM PUBLIC', datname) FROM pg_database \gexec
GRANT CONNECT ON DATABASE shop TO wane;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
