//! Recordings of sessions.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::Serialize;
use wane_api::Page;
use wane_api::query::{Played, Recordings, Sought};
use wane_api::recording::{EventLine, RecordingView, SearchView, Verification};

use crate::connect::Client;
use crate::error::ClientError;
use crate::send::LONGEST_CALL;

/// The most one line may weigh.
const LONGEST_LINE: usize = 1024 * 1024;

/// The lines of a recording, as they come.
pub struct Lines(BoxStream<'static, Result<EventLine, ClientError>>);

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lines")
    }
}

impl Stream for Lines {
    type Item = Result<EventLine, ClientError>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

/// Pieces of an answer as they come.
type Pieces = BoxStream<'static, Result<Vec<u8>, ClientError>>;

impl Client {
    /// Recordings, newest first.
    ///
    /// # Errors
    /// As every call.
    pub async fn recordings(&self, query: &Recordings) -> Result<Page<RecordingView>, ClientError> {
        self.get(&["v1", "recordings"], query).await
    }

    /// The recordings in which a text stands.
    ///
    /// # Errors
    /// As every call.
    pub async fn search_recordings(&self, query: &Sought) -> Result<SearchView, ClientError> {
        self.get(&["v1", "recordings", "search"], query).await
    }

    /// Holds a recording against what the log says of it.
    ///
    /// # Errors
    /// As every call.
    pub async fn verify_recording(&self, session: &str) -> Result<Verification, ClientError> {
        self.get(&["v1", "sessions", session, "recording", "verification"], &()).await
    }

    /// The events of a recording.
    ///
    /// # Errors
    /// As every call.
    pub async fn play(&self, session: &str) -> Result<Lines, ClientError> {
        let played = Played { form: Some("events".to_owned()), channel: None };
        Ok(self.lines(self.pieces(&["v1", "sessions", session, "recording"], &played).await?))
    }

    /// One channel of a recording as an asciicast.
    ///
    /// # Errors
    /// As every call.
    pub async fn cast(
        &self,
        session: &str,
        channel: u32,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, ClientError>> + use<>, ClientError> {
        let played = Played { form: Some("asciicast".to_owned()), channel: Some(channel) };
        self.pieces(&["v1", "sessions", session, "recording"], &played).await
    }

    /// The requests in a recording as a HAR document.
    ///
    /// # Errors
    /// As every call.
    pub async fn har(
        &self,
        session: &str,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, ClientError>> + use<>, ClientError> {
        let played = Played { form: Some("har".to_owned()), channel: None };
        self.pieces(&["v1", "sessions", session, "recording"], &played).await
    }

    /// The events of a session that goes on, as they happen.
    ///
    /// # Errors
    /// As every call.
    pub async fn watch(&self, session: &str) -> Result<Lines, ClientError> {
        Ok(self.lines(self.pieces(&["v1", "sessions", session, "watch"], &()).await?))
    }

    /// The terminal of a session that goes on, as it happens, joined: the first line says under which number one types.
    ///
    /// # Errors
    /// As every call.
    pub async fn join(&self, session: &str) -> Result<Lines, ClientError> {
        Ok(self.lines(self.pieces(&["v1", "sessions", session, "join"], &()).await?))
    }

    /// Types at the terminal of a session that one has joined. Not said again if the connection breaks off: what was
    /// typed might be there twice.
    ///
    /// # Errors
    /// As every call.
    pub async fn type_in(&self, session: &str, place: &str, bytes: Vec<u8>) -> Result<(), ClientError> {
        let url = self.url(&["v1", "sessions", session, "join", place])?;
        let request = self.http.post(url).header(CONTENT_TYPE, "application/octet-stream").body(bytes);
        self.open(request.timeout(LONGEST_CALL), self.token.as_ref()).await.map(drop)
    }

    async fn pieces(&self, path: &[&str], query: &(impl Serialize + Sync)) -> Result<Pieces, ClientError> {
        let request = self.http.get(self.url(path)?).query(query).header(ACCEPT, "application/x-ndjson");
        let response = self.open(request, self.token.as_ref()).await?;
        let client = self.clone();
        Ok(stream::try_unfold((response, client), |(mut response, client)| async move {
            let piece = response.chunk().await.map_err(|e| ClientError::transport(client.server(), &e))?;
            Ok(piece.map(|piece| (piece.to_vec(), (response, client))))
        })
        .boxed())
    }

    fn lines(&self, pieces: Pieces) -> Lines {
        let client = self.clone();
        let state = (pieces, Vec::<u8>::new(), client, false);
        Lines(
            stream::try_unfold(state, |(mut pieces, mut held, client, over)| async move {
                loop {
                    if let Some(end) = held.iter().position(|byte| *byte == b'\n') {
                        let rest = held.split_off(end + 1);
                        let line = serde_json::from_slice::<EventLine>(&held);
                        let line = line.map_err(|e| ClientError::decode(client.server(), e))?;
                        return Ok(Some((line, (pieces, rest, client, over))));
                    }
                    if over {
                        return Ok(None);
                    }
                    if held.len() > LONGEST_LINE {
                        return Err(ClientError::decode(client.server(), "a line of it is too long"));
                    }
                    match pieces.next().await {
                        Some(piece) => held.extend(piece?),
                        None => return Ok(None),
                    }
                }
            })
            .boxed(),
        )
    }
}
