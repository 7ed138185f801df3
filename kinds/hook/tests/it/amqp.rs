//! Enough of an AMQP 0-9-1 client to sign in, open a channel now and then, and see that it is hung up on.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wane_connector::conformance::Live;

/// A connection that signed in.
pub(crate) struct Amqp {
    stream: TcpStream,
    channel: u16,
}

const START: (u16, u16) = (10, 10);
const TUNE: (u16, u16) = (10, 30);
const OPENED: (u16, u16) = (10, 41);
const CHANNEL_OPENED: (u16, u16) = (20, 11);

impl Amqp {
    /// Signs in; nothing if it is not let in.
    pub(crate) async fn sign_in(port: u16, user: &str, password: &str) -> io::Result<Option<Self>> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let mut amqp = Self { stream, channel: 0 };
        amqp.stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        if amqp.method().await? != Some(START) {
            return Ok(None);
        }
        let mut ok = vec![0, 10, 0, 11, 0, 0, 0, 0];
        short(&mut ok, "PLAIN");
        let response = format!("\0{user}\0{password}");
        ok.extend(u32::try_from(response.len()).unwrap().to_be_bytes());
        ok.extend(response.as_bytes());
        short(&mut ok, "en_US");
        amqp.send(0, &ok).await?;
        if amqp.method().await? != Some(TUNE) {
            return Ok(None);
        }
        amqp.send(0, &[0, 10, 0, 31, 0, 100, 0, 2, 0, 0, 0, 0]).await?;
        let mut open = vec![0, 10, 0, 40];
        short(&mut open, "/");
        short(&mut open, "");
        open.push(0);
        amqp.send(0, &open).await?;
        Ok((amqp.method().await? == Some(OPENED)).then_some(amqp))
    }

    async fn send(&mut self, channel: u16, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![1];
        frame.extend(channel.to_be_bytes());
        frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
        frame.extend(payload);
        frame.push(0xCE);
        self.stream.write_all(&frame).await
    }

    /// The class and number of the next method; nothing once it hung up.
    async fn method(&mut self) -> io::Result<Option<(u16, u16)>> {
        let read = async {
            let _ = self.stream.read_u8().await?;
            let _ = self.stream.read_u16().await?;
            let size = self.stream.read_u32().await?;
            let mut payload = vec![0; usize::try_from(size).unwrap() + 1];
            self.stream.read_exact(&mut payload).await?;
            Ok((u16::from_be_bytes([payload[0], payload[1]]), u16::from_be_bytes([payload[2], payload[3]])))
        };
        match tokio::time::timeout(Duration::from_secs(20), read).await {
            Ok(Ok(method)) => Ok(Some(method)),
            Ok(Err(error)) => {
                let _: io::Error = error;
                Ok(None)
            }
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

fn short(out: &mut Vec<u8>, text: &str) {
    out.push(u8::try_from(text.len()).unwrap());
    out.extend(text.as_bytes());
}

#[async_trait]
impl Live for Amqp {
    /// Opens one more channel; whatever else is said first is that it is over.
    async fn works(&mut self) -> Result<bool, String> {
        self.channel += 1;
        if self.send(self.channel, &[0, 20, 0, 10, 0]).await.is_err() {
            return Ok(false);
        }
        Ok(self.method().await.map_err(|e| e.to_string())? == Some(CHANNEL_OPENED))
    }
}
