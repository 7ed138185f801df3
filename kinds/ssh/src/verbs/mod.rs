//! The client verbs of this kind.
