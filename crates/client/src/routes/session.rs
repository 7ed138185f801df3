//! Enrolment, signing in and out.

use reqwest::Method;
use reqwest::header::DATE;
use wane_api::device::{AskDevice, DeviceAnswer, DeviceBegun, NewDevice};
use wane_api::session::{Enrol, Enrolled, Health, Me, Prove, Proved, SignIn, SignedIn};

use crate::connect::Client;
use crate::error::ClientError;
use crate::send::LONGEST_CALL;

impl Client {
    /// Whether the server serves.
    ///
    /// # Errors
    /// As every call.
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.get(&["v1", "health"], &()).await
    }

    /// What time the server says it is: the `Date` of an answer (RFC 9110 section 6.6.1), as it stands.
    ///
    /// # Errors
    /// As every call.
    pub async fn server_date(&self) -> Result<Option<String>, ClientError> {
        let request = self.http.get(self.url(&["v1", "health"])?);
        let response = self.open(request.timeout(LONGEST_CALL), None).await?;
        let date = response.headers().get(DATE);
        Ok(date.and_then(|date| date.to_str().ok()).map(str::to_owned))
    }

    /// Sets up a local sign-in with a one-time code.
    ///
    /// # Errors
    /// When the code is wrong or used, or the password too weak.
    pub async fn enrol(&self, input: &Enrol) -> Result<Enrolled, ClientError> {
        self.write(Method::POST, &["v1", "enrolments"], input).await
    }

    /// Signs in.
    ///
    /// # Errors
    /// When it is not who they say, or too many tries were made.
    pub async fn sign_in(&self, input: &SignIn) -> Result<SignedIn, ClientError> {
        self.write(Method::POST, &["v1", "sessions"], input).await
    }

    /// Begins to have this command line signed in by a browser.
    ///
    /// # Errors
    /// When too many wait.
    pub async fn begin_device(&self, input: &NewDevice) -> Result<DeviceBegun, ClientError> {
        self.write(Method::POST, &["v1", "devices"], input).await
    }

    /// Asks whether its person has answered.
    ///
    /// # Errors
    /// When it does not wait any more, or was refused.
    pub async fn ask_device(&self, input: &AskDevice) -> Result<DeviceAnswer, ClientError> {
        self.write(Method::POST, &["v1", "devices", "token"], input).await
    }

    /// Proves identity again.
    ///
    /// # Errors
    /// As [`Client::sign_in`].
    pub async fn prove(&self, input: &Prove) -> Result<Proved, ClientError> {
        self.write(Method::POST, &["v1", "sessions", "proof"], input).await
    }

    /// Ends the session.
    ///
    /// # Errors
    /// As every call.
    pub async fn sign_out(&self) -> Result<(), ClientError> {
        self.write_only(Method::DELETE, &["v1", "sessions", "current"], None).await
    }

    /// Who one is.
    ///
    /// # Errors
    /// When not signed in.
    pub async fn me(&self) -> Result<Me, ClientError> {
        self.get(&["v1", "me"], &()).await
    }
}
