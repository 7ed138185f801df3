//! The real binary against real clients and servers.
