//! OpenSSH: user and host certificates, revocation list, host set-up.
