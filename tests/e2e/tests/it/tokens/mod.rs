//! Access tokens at real resource servers: checked by PyJWT, Authlib and jose, asked about by nginx and Authlib; good within
//! their grant and nowhere after it.

mod bound;
mod crash;
pub(crate) mod office;
mod servers;
mod verbs;
