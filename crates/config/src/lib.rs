//! Text to settings, with origins.
