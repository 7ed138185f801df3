//! Resources, hosts and roles.

use reqwest::Method;
use serde_json::{Value, json};
use wane_api::Page;
use wane_api::host::{HostJoined, JoinHost};
use wane_api::package::{NewPackage, PackageView};
use wane_api::query::Listing;
use wane_api::resource::{EditResource, Inventory, NewResource, Probe, ResourceView, SetCredential};
use wane_api::role::{EditRole, NewRole, RoleView};
use wane_api::session::OneTimeCode;

use crate::connect::{Bearer, Client};
use crate::error::ClientError;
use crate::send::encode;

impl Client {
    /// Resources.
    ///
    /// # Errors
    /// As every call.
    pub async fn resources(&self, query: &Listing) -> Result<Page<ResourceView>, ClientError> {
        self.get(&["v1", "resources"], query).await
    }

    /// One resource.
    ///
    /// # Errors
    /// As every call.
    pub async fn resource(&self, name: &str) -> Result<ResourceView, ClientError> {
        self.get(&["v1", "resources", name], &()).await
    }

    /// Registers a resource.
    ///
    /// # Errors
    /// When the kind refuses its settings, or it cannot be worked with.
    pub async fn new_resource(&self, input: &NewResource) -> Result<ResourceView, ClientError> {
        self.write(Method::POST, &["v1", "resources"], input).await
    }

    /// Changes a resource.
    ///
    /// # Errors
    /// As [`Client::new_resource`].
    pub async fn edit_resource(&self, name: &str, input: &EditResource) -> Result<ResourceView, ClientError> {
        self.write(Method::PATCH, &["v1", "resources", name], input).await
    }

    /// Takes a resource out.
    ///
    /// # Errors
    /// When something there is not yet ended.
    pub async fn remove_resource(&self, name: &str) -> Result<(), ClientError> {
        self.write_only(Method::DELETE, &["v1", "resources", name], None).await
    }

    /// Replaces the connector's own credential at a resource.
    ///
    /// # Errors
    /// As every call.
    pub async fn set_credential(&self, name: &str, input: &SetCredential) -> Result<(), ClientError> {
        self.write_only(Method::PUT, &["v1", "resources", name, "credential"], Some(encode(input)?)).await
    }

    /// Checks a resource's roles at the resource itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn probe(&self, name: &str) -> Result<Probe, ClientError> {
        self.write(Method::POST, &["v1", "resources", name, "probe"], &json!({})).await
    }

    /// What stands at a resource.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn inventory(&self, name: &str) -> Result<Inventory, ClientError> {
        self.get(&["v1", "resources", name, "inventory"], &()).await
    }

    /// A one-time code for a host to join as this resource.
    ///
    /// # Errors
    /// As every call.
    pub async fn new_join_code(&self, name: &str) -> Result<OneTimeCode, ClientError> {
        self.write(Method::POST, &["v1", "resources", name, "join-code"], &json!({})).await
    }

    /// Joins a host; the code is the authority.
    ///
    /// # Errors
    /// When the code is wrong or used.
    pub async fn join_host(&self, input: &JoinHost) -> Result<HostJoined, ClientError> {
        self.with_token(None).write(Method::POST, &["v1", "hosts", "join"], input).await
    }

    /// What a joined host pulls: the kind's own document.
    ///
    /// # Errors
    /// When the host's token is not accepted.
    pub async fn host_revocations(&self, host: &Bearer) -> Result<Value, ClientError> {
        self.with_token(Some(host.clone())).get(&["v1", "hosts", "revocations"], &()).await
    }

    /// Roles.
    ///
    /// # Errors
    /// As every call.
    pub async fn roles(&self, query: &Listing) -> Result<Page<RoleView>, ClientError> {
        self.get(&["v1", "roles"], query).await
    }

    /// One role.
    ///
    /// # Errors
    /// As every call.
    pub async fn role(&self, kind: &str, name: &str) -> Result<RoleView, ClientError> {
        self.get(&["v1", "roles", kind, name], &()).await
    }

    /// Enters a role.
    ///
    /// # Errors
    /// When the kind refuses its definition.
    pub async fn new_role(&self, input: &NewRole) -> Result<RoleView, ClientError> {
        self.write(Method::POST, &["v1", "roles"], input).await
    }

    /// Changes a role.
    ///
    /// # Errors
    /// As [`Client::new_role`].
    pub async fn edit_role(&self, kind: &str, name: &str, input: &EditRole) -> Result<RoleView, ClientError> {
        self.write(Method::PATCH, &["v1", "roles", kind, name], input).await
    }

    /// Takes a role out.
    ///
    /// # Errors
    /// When a grant of it is not yet closed.
    pub async fn remove_role(&self, kind: &str, name: &str) -> Result<(), ClientError> {
        self.write_only(Method::DELETE, &["v1", "roles", kind, name], None).await
    }

    /// Access packages.
    ///
    /// # Errors
    /// As every call.
    pub async fn packages(&self, query: &Listing) -> Result<Page<PackageView>, ClientError> {
        self.get(&["v1", "packages"], query).await
    }

    /// One access package.
    ///
    /// # Errors
    /// As every call.
    pub async fn package(&self, name: &str) -> Result<PackageView, ClientError> {
        self.get(&["v1", "packages", name], &()).await
    }

    /// Enters an access package.
    ///
    /// # Errors
    /// When the name is taken, or something in it is not there.
    pub async fn new_package(&self, input: &NewPackage) -> Result<PackageView, ClientError> {
        self.write(Method::POST, &["v1", "packages"], input).await
    }

    /// Takes an access package out.
    ///
    /// # Errors
    /// As every call.
    pub async fn remove_package(&self, name: &str) -> Result<(), ClientError> {
        self.write_only(Method::DELETE, &["v1", "packages", name], None).await
    }
}
