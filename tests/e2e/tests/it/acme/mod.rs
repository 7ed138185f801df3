//! ACME: certbot, lego and Caddy as they are, against a server that gives them what their grant gives and nothing after it;
//! and a client that does what nobody should.

mod clients;
mod crash;
mod hostile;
mod office;
