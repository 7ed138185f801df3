//! ACME (RFC 8555) as the side that is asked: calls that are signed, the keys they are signed with, bindings to what
//! somebody holds here, nonces, what is said in calls, and how one is refused.
//!
//! Owns: what of a call is believed, to the last field. Refuses to know: accounts and orders as they are kept, people, the
//! store, HTTP, certificates.
//!
//! INVARIANT: of a call whose form, algorithm, key, address or signature is not exactly as it must be nothing is believed
//! (held by `of_all_the_calls_one_is_believed`), and no nonce is taken twice (held by `a_nonce_is_taken_once`).

mod binding;
mod call;
mod change;
mod key;
mod nonces;
mod refused;
mod says;

pub use binding::Binding;
pub use call::{By, Call, LONGEST};
pub use change::Change;
pub use key::{ClientKey, thumbprint};
pub use nonces::Nonces;
pub use refused::{Refused, Sort};
pub use says::{AccountUpdate, Finalize, Identifier, MOST_NAMES, NewAccount, NewOrder, REASONS, Revoke, decoded};
