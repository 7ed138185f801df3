//! The rim: what every route shares and no use-case knows. Errors as problem+json, strict input,
//! bounds, headers.

pub(crate) mod failure;
pub(crate) mod input;
pub(crate) mod layers;
mod named;
mod twins;

#[cfg(test)]
mod tests;

pub(crate) use failure::{Answer, Failure};
pub(crate) use input::{Input, Named, Nothing, Of, Query};
