//! Commands, output for people and JSON, exit codes.
