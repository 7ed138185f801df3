//! Fake clock, seeded entropy, and real target servers on loopback.
