//! PostgreSQL: one account per grant that can always be dropped.
