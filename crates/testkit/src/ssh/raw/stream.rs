//! One side of a connection over a socket.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::peer::RawPeer;

/// A connection whose keys are changed.
#[derive(Debug)]
pub struct RawStream {
    stream: TcpStream,
    peer: RawPeer,
    heard: std::collections::VecDeque<Vec<u8>>,
}

impl RawStream {
    /// Changes keys with whoever is at the other end.
    ///
    /// # Errors
    /// When they break off, or say nothing for this long.
    pub fn keyed(stream: TcpStream, peer: RawPeer, patience: Duration) -> Result<Self> {
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        let mut this = Self { stream, peer, heard: Default::default() };
        while !this.peer.is_keyed() {
            this.turn().context("while the keys are changed")?;
        }
        this.flush()?;
        Ok(this)
    }

    /// The id of the connection.
    #[must_use]
    pub fn session(&self) -> Vec<u8> {
        self.peer.session().to_vec()
    }

    /// The socket underneath.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Says something, whatever it is.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn say(&mut self, message: &[u8]) -> Result<()> {
        self.peer.says(message);
        self.flush()
    }

    /// Sends these bytes as they are, which no packet has to be.
    ///
    /// # Errors
    /// When they cannot be sent.
    pub fn say_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// The next message.
    ///
    /// # Errors
    /// When the other side leaves, says nothing for too long, or what it says makes no sense.
    pub fn hear(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(message) = self.heard.pop_front() {
                return Ok(message);
            }
            self.turn()?;
        }
    }

    /// The next message of this number; others before it are passed over.
    ///
    /// # Errors
    /// As [`hear`](Self::hear).
    pub fn hear_number(&mut self, number: u8) -> Result<Vec<u8>> {
        loop {
            let message = self.hear()?;
            if message.first() == Some(&number) {
                return Ok(message);
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        let out = self.peer.take_output();
        Ok(self.stream.write_all(&out)?)
    }

    fn turn(&mut self) -> Result<()> {
        self.flush()?;
        let mut bytes = [0; 64 * 1024];
        let size = self.stream.read(&mut bytes)?;
        if size == 0 {
            bail!("the other side closed the connection");
        }
        self.heard.extend(self.peer.hears(bytes.get(..size).unwrap_or_default())?);
        Ok(())
    }
}
