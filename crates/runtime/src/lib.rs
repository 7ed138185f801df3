//! System clock, entropy, id minting, supervised tasks, shutdown: the only ambient authority.
