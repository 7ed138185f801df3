//! What a brokered session leaves behind: every event of every channel, sealed chunk by chunk as it
//! happens, so that the recording of a session that was cut off is whole up to its last chunk.
//!
//! Owns the format: events, chunks, the chain that binds them, and what people's tools read out of
//! it ([asciicast v3](https://docs.asciinema.org/manual/asciicast/v3/), HAR 1.2). Refuses to know where the
//! bytes are kept, who may read them, and what time it is. Pure over byte sinks.
//!
//! # Format
//!
//! | part | bytes |
//! |---|---|
//! | magic | `wane.recording.1` |
//! | header | length (`u32`, big-endian), then a [`Header`] as JSON |
//! | chunk, any number | kind (`u8`: 0 more, 1 the last), length of body (`u32`), body, link (32) |
//!
//! A body is AES-256-GCM under the session's own key; its nonce is the number of the chunk (96 bits,
//! big-endian), its associated data the link before it and the kind. Inside is a zstd frame of
//! events, each in [postcard](https://postcard.jamesmunns.com/wire-format)'s encoding, preceded by
//! the microseconds since the session began. The link before the first chunk is the SHA-256 of
//! everything up to it; each chunk's link is the SHA-256 of the link before it and of the chunk
//! without its own. The last link is the [`root`](Seen::root): who knows it, and has no key, can
//! still tell that nothing was changed, left out or put in.

mod cast;
mod chunk;
mod event;
mod har;
mod header;
mod reader;
mod recorder;
mod sealer;

pub use cast::{Cast, CastError};
pub use chunk::{MOST_EVENTS, MOST_FRAME, Press, PressError, SessionKey};
pub use event::{Confidence, Event, Exit, FileDeed, Program, Side, Size, Then};
pub use har::Har;
pub use header::Header;
pub use reader::{Damage, Ending, Piece, ReadError, Reader, Seen, check, holds_until};
pub use recorder::{RecordError, Recorder};
pub use sealer::{Sealer, Uncut};
