//! Tasks that fail, hang and end, the signals that end them, and where entropy comes from.

mod entropy;
mod supervisor;
