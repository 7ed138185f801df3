//! The real binary against real clients and servers. Everything is in `tests/it`.
