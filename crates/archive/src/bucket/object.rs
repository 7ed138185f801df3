//! An object, read from its beginning, one piece at a time.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore as _, ObjectStoreExt as _};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::http::{self, Why};
use super::{Bucket, BucketError};

/// How much is asked for at once, and is in memory.
const PIECE: u64 = 1024 * 1024;

/// An object being read. Blocks: to be read where that is allowed, and never by a task.
pub struct Object {
    s3: Arc<AmazonS3>,
    path: Path,
    size: u64,
    /// What comes after what is at hand.
    at: u64,
    at_hand: Bytes,
    runtime: Handle,
    _place: OwnedSemaphorePermit,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("path", &self.path).field("size", &self.size).finish_non_exhaustive()
    }
}

impl Object {
    /// How long it is, as the store says.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }
}

impl Bucket {
    /// An object, its first piece at hand; nothing if it is not there.
    ///
    /// # Errors
    /// When that cannot be said.
    pub async fn open(&self, name: &str) -> Result<Option<Object>, BucketError> {
        let place = Arc::clone(&self.reading).try_acquire_owned().map_err(|_| BucketError::Crowded)?;
        let path = Path::from(name);
        let Some((at_hand, size)) = self.first(&path, PIECE).await? else { return Ok(None) };
        let at = at_hand.len() as u64;
        let s3 = Arc::clone(&self.s3);
        Ok(Some(Object { s3, path, size, at, at_hand, runtime: Handle::current(), _place: place }))
    }

    /// The first bytes of an object and its size; nothing if it is not there. By what is answered to a request for
    /// bytes a bucket that is gone can be told from an object that is; by what is answered to one without not.
    pub(super) async fn first(&self, path: &Path, most: u64) -> Result<Option<(Bytes, u64)>, BucketError> {
        let options = GetOptions::new().with_range(Some(0..most));
        match self.s3.get_opts(path, options).await {
            Ok(found) => {
                let size = found.meta.size;
                let bytes = found.bytes().await.map_err(|e| self.failed(e))?;
                Ok(Some((bytes, size)))
            }
            Err(error) => self.absent(error).map(|()| None),
        }
    }
}

impl Read for Object {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at_hand.is_empty() {
            let range: Range<u64> = self.at..self.size.min(self.at.saturating_add(PIECE));
            if range.is_empty() {
                return Ok(0);
            }
            let bytes = self.runtime.block_on(self.s3.get_range(&self.path, range)).map_err(|error| {
                let why = match http::why(&error) {
                    Why::Answered(answered) => answered.text,
                    Why::NoKeys(why) | Why::NoAnswer(why) => why,
                };
                io::Error::other(format!("the object store did not go on with it: {why}"))
            })?;
            if bytes.is_empty() {
                return Err(io::Error::other("the object store did not go on with it: it sent nothing"));
            }
            self.at = self.at.saturating_add(bytes.len() as u64);
            self.at_hand = bytes;
        }
        let count = into.len().min(self.at_hand.len());
        if let Some(room) = into.get_mut(..count) {
            self.at_hand.copy_to_slice(room);
        }
        Ok(count)
    }
}
