//! The conformance kit every kind passes against its real target.
