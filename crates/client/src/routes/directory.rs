//! People and groups.

use reqwest::Method;
use wane_api::Page;
use wane_api::directory::{EditPerson, GroupView, LdapView, NewGroup, NewPerson, PersonView};
use wane_api::leaving::{LeavingQuery, LeavingView, Offboard};
use wane_api::query::Listing;
use wane_api::session::OneTimeCode;
use wane_api::ways_in::{NewIdentity, WayInView, WaysIn};

use crate::connect::Client;
use crate::error::ClientError;

impl Client {
    /// The directories that people and groups come from.
    ///
    /// # Errors
    /// As every call.
    pub async fn pulled(&self, query: &Listing) -> Result<Page<LdapView>, ClientError> {
        self.get(&["v1", "pulled-directories"], query).await
    }

    /// People.
    ///
    /// # Errors
    /// As every call.
    pub async fn people(&self, query: &Listing) -> Result<Page<PersonView>, ClientError> {
        self.get(&["v1", "people"], query).await
    }

    /// One person.
    ///
    /// # Errors
    /// As every call.
    pub async fn person(&self, name: &str) -> Result<PersonView, ClientError> {
        self.get(&["v1", "people", name], &()).await
    }

    /// Enters a person.
    ///
    /// # Errors
    /// When the name is taken or unusable.
    pub async fn new_person(&self, input: &NewPerson) -> Result<PersonView, ClientError> {
        self.write(Method::POST, &["v1", "people"], input).await
    }

    /// Changes a person.
    ///
    /// # Errors
    /// As every call.
    pub async fn edit_person(&self, name: &str, input: &EditPerson) -> Result<PersonView, ClientError> {
        self.write(Method::PATCH, &["v1", "people", name], input).await
    }

    /// Sends a person away; the report as it stands right after.
    ///
    /// # Errors
    /// As every call.
    pub async fn offboard(&self, name: &str, input: &Offboard) -> Result<LeavingView, ClientError> {
        self.write(Method::POST, &["v1", "people", name, "offboard"], input).await
    }

    /// What came of somebody's leaving.
    ///
    /// # Errors
    /// When they have not left.
    pub async fn leaving(&self, name: &str, query: &LeavingQuery) -> Result<LeavingView, ClientError> {
        self.get(&["v1", "people", name, "leaving"], query).await
    }

    /// A one-time code for a person to set up a local sign-in.
    ///
    /// # Errors
    /// As every call.
    pub async fn new_enrolment(&self, name: &str) -> Result<OneTimeCode, ClientError> {
        self.write(Method::POST, &["v1", "people", name, "enrolment"], &serde_json::json!({})).await
    }

    /// Identities at providers and passkeys of a person.
    ///
    /// # Errors
    /// As every call.
    pub async fn ways_in(&self, name: &str) -> Result<WaysIn, ClientError> {
        self.get(&["v1", "people", name, "ways-in"], &()).await
    }

    /// Says that an identity at a provider is this person.
    ///
    /// # Errors
    /// When it is somebody's already.
    pub async fn new_identity(&self, name: &str, input: &NewIdentity) -> Result<WayInView, ClientError> {
        self.write(Method::POST, &["v1", "people", name, "identities"], input).await
    }

    /// Takes a way in away.
    ///
    /// # Errors
    /// As every call.
    pub async fn remove_way_in(&self, name: &str, id: &str) -> Result<(), ClientError> {
        self.write_only(Method::DELETE, &["v1", "people", name, "ways-in", id], None).await
    }

    /// Groups.
    ///
    /// # Errors
    /// As every call.
    pub async fn groups(&self, query: &Listing) -> Result<Page<GroupView>, ClientError> {
        self.get(&["v1", "groups"], query).await
    }

    /// One group.
    ///
    /// # Errors
    /// As every call.
    pub async fn group(&self, name: &str) -> Result<GroupView, ClientError> {
        self.get(&["v1", "groups", name], &()).await
    }

    /// Makes a group.
    ///
    /// # Errors
    /// When the name is taken or unusable.
    pub async fn new_group(&self, input: &NewGroup) -> Result<GroupView, ClientError> {
        self.write(Method::POST, &["v1", "groups"], input).await
    }

    /// Puts a person into a group.
    ///
    /// # Errors
    /// As every call.
    pub async fn add_member(&self, group: &str, person: &str) -> Result<GroupView, ClientError> {
        self.write(Method::PUT, &["v1", "groups", group, "members", person], &serde_json::json!({})).await
    }

    /// Takes a person out of a group.
    ///
    /// # Errors
    /// As every call.
    pub async fn remove_member(&self, group: &str, person: &str) -> Result<GroupView, ClientError> {
        self.write(Method::DELETE, &["v1", "groups", group, "members", person], &serde_json::json!({})).await
    }
}
