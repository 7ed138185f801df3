//! A line between server and signer: whole frames, each within its time.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use wane_keys::desk::frame::{BadHead, HEAD, Head, frame};

/// How long a frame that was begun may take.
const WHOLE: Duration = Duration::from_secs(5);

/// Why a line is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("the other side is gone: {0}")]
    Gone(#[from] std::io::Error),
    #[error("the other side closed the line")]
    Closed,
    #[error(transparent)]
    Head(#[from] BadHead),
    #[error("the other side did not finish what it said in {} s", WHOLE.as_secs())]
    Slow,
}

/// Reads one frame. Nobody has to begin one, and whoever has begun has to finish.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<(Head, Vec<u8>), LineError> {
    read_within(from, WHOLE).await
}

async fn read_within(from: &mut (impl AsyncRead + Unpin), whole: Duration) -> Result<(Head, Vec<u8>), LineError> {
    let mut first = [0; 1];
    if from.read(&mut first).await? == 0 {
        return Err(LineError::Closed);
    }
    let rest = async {
        let mut head = [0; HEAD];
        let (begun, rest) = head.split_at_mut(first.len());
        begun.copy_from_slice(&first);
        from.read_exact(rest).await?;
        let head = Head::read(&head)?;
        let mut body = vec![0; usize::try_from(head.length).unwrap_or_default()];
        from.read_exact(&mut body).await?;
        Ok((head, body))
    };
    timeout(whole, rest).await.unwrap_or(Err(LineError::Slow))
}

/// Writes one frame.
pub(super) async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    id: u64,
    within: Duration,
    body: &[u8],
) -> Result<(), LineError> {
    let bytes = frame(id, u32::try_from(within.as_millis()).unwrap_or(u32::MAX), body)?;
    let all = async {
        to.write_all(&bytes).await?;
        Ok(to.flush().await?)
    };
    timeout(WHOLE, all).await.unwrap_or(Err(LineError::Slow))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_comes_whole_or_not_at_all() {
        let (mut one, mut other) = tokio::io::duplex(1024);
        write(&mut one, 3, Duration::from_secs(1), b"call").await.unwrap();
        let (head, body) = read(&mut other).await.unwrap();
        assert_eq!((head.id, head.within_ms, body.as_slice()), (3, 1000, b"call".as_slice()));
        // Begun and never finished: in the head, and behind it.
        let whole = frame(4, 0, b"call").unwrap();
        for cut in [1, HEAD - 1, HEAD, HEAD + 3] {
            let (mut one, mut other) = tokio::io::duplex(1024);
            one.write_all(&whole[..cut]).await.unwrap();
            let read = read_within(&mut other, Duration::from_millis(20)).await;
            assert!(matches!(read, Err(LineError::Slow)), "{cut}: {read:?}");
        }
        // Of another version nothing is waited for.
        let (mut one, mut other) = tokio::io::duplex(1024);
        one.write_all(&[[9].as_slice(), &[0xff; HEAD - 1]].concat()).await.unwrap();
        assert!(matches!(read(&mut other).await, Err(LineError::Head(BadHead::Version(9)))));
        drop(one);
        assert!(matches!(read(&mut other).await, Err(LineError::Closed)));
    }
}
