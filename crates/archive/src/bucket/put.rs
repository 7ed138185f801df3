//! Putting a file into a bucket, at most once, and reading it back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use sha2::{Digest as _, Sha256};
use wane_domain::canonical::Digest;
use wane_failpoint::{around, point};

use super::{Bucket, BucketError, Put, Told};

/// What is put in one request, and the least size of a part: what is in memory of a file.
const PART: u64 = 8 * 1024 * 1024;
/// The API takes 10,000 parts.
const MOST_PARTS: u64 = 9_000;
/// What is hashed at a time.
const STEP: u64 = 1024 * 1024;

impl Bucket {
    /// Puts a file there under this name and reads it back. What was put there before, of the same bytes, is
    /// taken as put; so this may be done again at any time, whatever became of an earlier try.
    ///
    /// # Errors
    /// When it is not there afterwards, as the file is.
    pub async fn put(&self, name: &str, file: File) -> Result<Put, BucketError> {
        let (path, file) = (Path::from(name), Arc::new(file));
        let ours = hashed(&file).await?;
        if self.first(&path, 1).await?.is_none() {
            self.create(&path, &file, ours.bytes).await?;
        }
        // Also of what was there already: it may be ours, from a try that was cut off.
        let there = around(point!("archive.bucket.read_back"), self.read_back(&path)).await?;
        if there == ours { Ok(there) } else { Err(BucketError::Taken(name.to_owned())) }
    }

    /// Makes an object that is not there; if it is, somebody was quicker, or an answer to us was lost: what is
    /// there says which.
    async fn create(&self, path: &Path, file: &Arc<File>, bytes: u64) -> Result<(), BucketError> {
        let made = if bytes <= PART {
            let bytes = read(file, 0, bytes).await?;
            let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let put = self.s3.put_opts(path, PutPayload::from(bytes), create);
            around(point!("archive.bucket.put"), put).await.map(|_| ())
        } else {
            self.in_parts(path, file, bytes).await?
        };
        match made.map_err(|error| self.told(error)) {
            Ok(()) | Err(Told::Exists) => Ok(()),
            Err(Told::Missing) => Err(BucketError::Refused("it lost the upload".to_owned())),
            Err(Told::Failed(error)) => Err(error),
        }
    }

    /// An upload in parts, which is there as a whole or not at all. One that fails is given up; if that fails too,
    /// or we are killed, the next sweep does it.
    async fn in_parts(
        &self,
        path: &Path,
        file: &Arc<File>,
        bytes: u64,
    ) -> Result<object_store::Result<()>, BucketError> {
        let begun = around(point!("archive.bucket.begin"), self.s3.create_multipart(path)).await;
        let upload = begun.map_err(|e| self.failed(e))?;
        match self.parts(path, &upload, file, bytes).await {
            Ok(parts) => {
                let complete = self.s3.complete_multipart(path, &upload, parts);
                match around(point!("archive.bucket.complete"), complete).await {
                    Ok(_) => Ok(Ok(())),
                    Err(error) => {
                        self.give_up(path, &upload).await;
                        Ok(Err(error))
                    }
                }
            }
            Err(error) => {
                self.give_up(path, &upload).await;
                Err(error)
            }
        }
    }

    async fn parts(
        &self,
        path: &Path,
        upload: &String,
        file: &Arc<File>,
        bytes: u64,
    ) -> Result<Vec<PartId>, BucketError> {
        let size = part_size(bytes);
        let mut parts = Vec::new();
        let mut at = 0;
        while at < bytes {
            let part = read(file, at, size.min(bytes - at)).await?;
            at += part.len() as u64;
            let put = self.s3.put_part(path, upload, parts.len(), PutPayload::from(part));
            parts.push(around(point!("archive.bucket.part"), put).await.map_err(|e| self.failed(e))?);
        }
        Ok(parts)
    }

    /// Gives an upload up, so that its parts go.
    pub(super) async fn give_up(&self, path: &Path, upload: &str) -> bool {
        let upload = upload.to_owned();
        let given_up = self.s3.abort_multipart(path, &upload);
        let done = around(point!("archive.bucket.give_up"), given_up).await;
        match done.map_or_else(|error| self.absent(error), Ok) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(%path, %error, "an upload that was cut off could not be given up; it is tried again");
                false
            }
        }
    }

    async fn read_back(&self, path: &Path) -> Result<Put, BucketError> {
        let found = self.s3.get(path).await.map_err(|e| self.failed(e))?;
        let (mut stream, mut hash, mut bytes) = (found.into_stream(), Sha256::new(), 0);
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|e| self.failed(e))?;
            hash.update(&piece);
            bytes += piece.len() as u64;
        }
        Ok(Put { bytes, sha256: Digest::from(<[u8; 32]>::from(hash.finalize())) })
    }
}

/// So large that the parts are not too many.
const fn part_size(bytes: u64) -> u64 {
    let least = bytes.div_ceil(MOST_PARTS);
    if least > PART { least } else { PART }
}

async fn hashed(file: &Arc<File>) -> Result<Put, BucketError> {
    let bytes = file.metadata()?.len();
    let (mut hash, mut at) = (Sha256::new(), 0);
    while at < bytes {
        let step = read(file, at, STEP.min(bytes - at)).await?;
        at += step.len() as u64;
        hash.update(&step);
    }
    Ok(Put { bytes, sha256: Digest::from(<[u8; 32]>::from(hash.finalize())) })
}

/// Exactly these bytes of a file.
async fn read(file: &Arc<File>, at: u64, count: u64) -> io::Result<Bytes> {
    let file = Arc::clone(file);
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = vec![0; usize::try_from(count).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, at)?;
        Ok(Bytes::from(bytes))
    });
    read.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::{MOST_PARTS, PART, part_size};

    #[test]
    fn parts_are_never_too_many_nor_too_small() {
        for bytes in [1, PART, PART + 1, PART * MOST_PARTS, PART * MOST_PARTS + 1, 5 << 40] {
            let size = part_size(bytes);
            assert!(size >= PART && bytes.div_ceil(size) <= 10_000, "{bytes}: {size}");
        }
    }
}
