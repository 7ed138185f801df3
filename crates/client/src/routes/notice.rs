//! Notices and the channels they go over.

use reqwest::Method;
use wane_api::Page;
use wane_api::notice::{Channels, NoticeView};
use wane_api::query::Notices;

use crate::connect::Client;
use crate::error::ClientError;

impl Client {
    /// Notices and where they stand.
    ///
    /// # Errors
    /// As every call.
    pub async fn notices(&self, query: &Notices) -> Result<Page<NoticeView>, ClientError> {
        self.get(&["v1", "notices"], query).await
    }

    /// Has a notice tried again at once.
    ///
    /// # Errors
    /// When it is delivered, or nobody needs it any more.
    pub async fn retry_notice(&self, id: &str) -> Result<NoticeView, ClientError> {
        self.write(Method::POST, &["v1", "notices", id, "retry"], &serde_json::json!({})).await
    }

    /// The channels.
    ///
    /// # Errors
    /// As every call.
    pub async fn notice_channels(&self) -> Result<Channels, ClientError> {
        self.get(&["v1", "notices", "channels"], &()).await
    }

    /// Sends a notice over a channel now.
    ///
    /// # Errors
    /// When the other side did not take it.
    pub async fn test_channel(&self, name: &str) -> Result<(), ClientError> {
        self.write_only(Method::POST, &["v1", "notices", "channels", name, "test"], None).await
    }
}
