//! Seals, envelope encryption, signers, tokens, passwords: everything that holds a key.
//!
//! Owns: where each key comes from, what it may be used for, and how it is kept. Refuses to know:
//! the store, what a secret is for, who is asking. Bytes go in, sealed bytes come out; where they
//! lie is the caller's business, but *which* row they lie in is part of what is authenticated.
//!
//! # The key hierarchy, in words
//!
//! ```text
//! key file on this machine ──▶ seal `ends`     ──▶ data keys ──▶ connector credentials
//!   (opens unattended)                                           `ssh-krl` signing key
//!
//! key file or passphrase   ──▶ seal `issuing`  ──▶ data keys ──▶ CA signing keys, one per purpose
//!   (may need a person)                                          pepper of the bearer tokens
//!                                                                TOTP secrets
//!
//! key file or passphrase   ──▶ seal `signing`  ──▶ data keys ──▶ the CA signing keys instead, where the
//!   of the signer's own user                                     signer is a process of its own
//! ```
//!
//! - A [`seal::Seal`] is an opened key-encryption key. It comes from a file of 32 random bytes that
//!   only this user can read, or from a passphrase through Argon2id. It wraps data keys, nothing else.
//! - A [`envelope::Keyring`] holds the data keys of one organisation under one seal. It seals records
//!   with XChaCha20-Poly1305 (192-bit random nonces), and binds each to its organisation, table,
//!   row, column and key version, so that a ciphertext moved elsewhere does not open.
//! - A [`signer::LocalSigner`] holds one Ed25519 key per purpose. A purpose either issues, under a
//!   permit and past its checker, or publishes; never both. A [`desk::Desk`] is what it sits behind, told in messages;
//!   a [`split::Split`] is how a server sees the two: what ends access here, the rest at the desk.
//! - A [`token::Pepper`] keys the hashes of bearer tokens, so that a stolen table verifies nothing.
//! - A [`password::Hasher`] needs no key: Argon2id, the same work for people who do not exist.
//!
//! Two seals, because ending access must never wait for a person: after a restart the `ends` seal
//! opens by itself and every revocation can go on, while nothing new is issued until somebody opens
//! `issuing`.

mod aead;
pub mod desk;
pub mod envelope;
pub mod password;
pub mod seal;
pub mod signer;
pub mod split;
pub mod token;
pub mod turning;
