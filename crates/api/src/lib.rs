//! Wire types of the HTTP contract. Knows no server.
