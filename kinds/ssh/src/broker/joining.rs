//! What those who joined a session type, on its way to the host.

use std::sync::Arc;

use wane_recording::Event;

use super::session::Session;

/// Passes on what is typed by others, as long as the session lasts: recorded as theirs first.
pub(super) async fn types(session: Arc<Session>) {
    loop {
        let typed = session.line.typed().await;
        let there = session.all().into_iter().find(|link| link.number == typed.channel && link.is_terminal());
        let Some(link) = there else { continue };
        let event = Event::Typed {
            channel: link.number,
            who: typed.who.as_str().into(),
            bytes: u64::try_from(typed.bytes.len()).unwrap_or(u64::MAX),
        };
        if session.tap(&event).await.is_err() {
            return;
        }
        // A host that takes nothing holds up nobody but who types.
        let _ = link.host.data_bytes(typed.bytes).await;
    }
}
