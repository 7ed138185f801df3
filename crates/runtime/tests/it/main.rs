//! Tasks that fail, hang and end, and the signals that end them.

mod supervisor;
