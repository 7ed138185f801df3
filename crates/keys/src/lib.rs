//! Seals, envelope encryption, signers, tokens.
