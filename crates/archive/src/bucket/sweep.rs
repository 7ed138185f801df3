//! What uploads that were cut off left in the bucket: found by a listing that `object_store` does not have, and
//! given up. Asked at each start, it says as well whether the store can be used at all.

use std::time::Duration;

use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};
use quick_xml::Reader;
use quick_xml::events::Event;
use reqwest::Method;

use super::http::Answered;
use super::{Bucket, BucketError};

/// How long a signed listing may take to arrive.
const SIGNED: Duration = Duration::from_secs(60);
/// A listing has at most a thousand uploads; this is ten times what those need.
const MOST_LISTING: usize = 8 * 1024 * 1024;

impl Bucket {
    /// Gives up every upload below our names that is not complete: to be called while none of ours is under way.
    /// Says how many there were.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub async fn sweep(&self) -> Result<usize, BucketError> {
        let mut given_up = 0;
        loop {
            let mut some = false;
            for (name, upload) in self.unfinished().await? {
                if self.give_up(&Path::from(name.as_str()), &upload).await {
                    given_up += 1;
                    some = true;
                }
            }
            // A listing has an end; what could not be given up is left to the next sweep.
            if !some {
                return Ok(given_up);
            }
        }
    }

    async fn unfinished(&self) -> Result<Vec<(String, String)>, BucketError> {
        let below = format!("{}/", self.prefix);
        let query = SignedUrlOptions::default().with_query([("uploads", ""), ("prefix", below.as_str())]);
        let url = self.s3.signed_url_opts(Method::GET, &Path::default(), SIGNED, &query).await;
        let url = url.map_err(|e| self.failed(e))?;
        let answer = self.http.get(url.to_string()).send().await.map_err(|e| BucketError::Away(super::deepest(&e)))?;
        let status = answer.status().as_u16();
        let body = bounded_text(answer).await?;
        if status == 200 {
            return Ok(uploads(&body).into_iter().filter(|(name, _)| name.starts_with(&below)).collect());
        }
        let Answered { status, code, text } = Answered::read(status, &body);
        Err(self.refused(status, &code, text))
    }
}

async fn bounded_text(mut answer: reqwest::Response) -> Result<String, BucketError> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|e| BucketError::Away(super::deepest(&e)))? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MOST_LISTING {
            return Err(BucketError::Refused("it does not stop answering".to_owned()));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Name and id of each `Upload` of a listing
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>).
fn uploads(xml: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut name, mut id) = (None, None);
    let mut elements = Elements::of(xml);
    while let Some((element, text)) = elements.next() {
        match element.as_str() {
            "Key" => name = Some(text),
            "UploadId" => id = Some(text),
            "Upload" => found.extend(name.take().zip(id.take())),
            _ => {}
        }
    }
    found
}

/// What the first element of this name holds.
pub(super) fn field(xml: &str, name: &str) -> Option<String> {
    let mut elements = Elements::of(xml);
    while let Some((element, text)) = elements.next() {
        if element == name {
            return Some(text);
        }
    }
    None
}

/// The elements of a document as they close, each with the text that came last before that.
struct Elements<'a> {
    reader: Reader<&'a [u8]>,
    text: String,
}

impl<'a> Elements<'a> {
    fn of(xml: &'a str) -> Self {
        Self { reader: Reader::from_str(xml), text: String::new() }
    }

    /// None at the end, or where it is no XML any more.
    fn next(&mut self) -> Option<(String, String)> {
        loop {
            match self.reader.read_event().ok()? {
                Event::Start(_) => self.text.clear(),
                Event::Text(text) => self.text.push_str(&text.decode().ok()?),
                Event::GeneralRef(entity) => match entity.decode().ok()?.as_ref() {
                    "amp" => self.text.push('&'),
                    "lt" => self.text.push('<'),
                    "gt" => self.text.push('>'),
                    "quot" => self.text.push('"'),
                    "apos" => self.text.push('\''),
                    _ => {
                        let named = entity.resolve_char_ref().ok()?;
                        self.text.extend(named);
                    }
                },
                Event::End(end) => {
                    let name = String::from_utf8_lossy(end.local_name().as_ref()).into_owned();
                    return Some((name, std::mem::take(&mut self.text)));
                }
                Event::Eof => return None,
                Event::Empty(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{field, uploads};

    #[test]
    fn uploads_are_read_out_of_a_listing() {
        let listing = r#"<?xml version="1.0" encoding="UTF-8"?>
            <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>b</Bucket><KeyMarker/>
            <Upload><Key>wane/org_1/ses_1.wane-recording</Key><Owner><ID>x</ID></Owner><UploadId>a&amp;b&#45;c</UploadId></Upload>
            <Upload><UploadId>2</UploadId><Key>wane/org_1/ses_2.wane-recording</Key></Upload>
            <Upload><Key>without an id</Key></Upload><Upload><UploadId>without a name</UploadId></Upload>
            </ListMultipartUploadsResult>"#;
        let found = uploads(listing);
        let names: Vec<_> = found.iter().map(|(name, id)| (name.as_str(), id.as_str())).collect();
        assert_eq!(
            names.get(..2),
            Some(&[("wane/org_1/ses_1.wane-recording", "a&b-c"), ("wane/org_1/ses_2.wane-recording", "2")][..])
        );
    }

    #[test]
    fn what_is_no_listing_lists_nothing() {
        for text in
            ["", "no xml", "<a", "<Upload>", "<Upload><Key>k</Key>", "{\"Upload\": 1}", "<Upload></Key></Upload>"]
        {
            assert!(uploads(text).is_empty(), "{text}");
        }
        assert_eq!(field("<Error><Code>NoSuchKey</Code></Error>", "Code").as_deref(), Some("NoSuchKey"));
        assert_eq!(field("<Error/>", "Code"), None);
    }
}
