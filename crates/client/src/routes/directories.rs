//! Directories that push people and groups.

use reqwest::Method;
use wane_api::directories::{
    Directories, DirectoryRemoved, DirectoryRules, DirectoryToken, DirectoryView, NewDirectory, Orphans,
    RemoveDirectory, RotateDirectory,
};

use crate::connect::Client;
use crate::error::ClientError;

impl Client {
    /// Directories.
    ///
    /// # Errors
    /// As every call.
    pub async fn directories(&self) -> Result<Directories, ClientError> {
        self.get(&["v1", "directories"], &()).await
    }

    /// One directory.
    ///
    /// # Errors
    /// As every call.
    pub async fn directory(&self, name: &str) -> Result<DirectoryView, ClientError> {
        self.get(&["v1", "directories", name], &()).await
    }

    /// Adds a directory.
    ///
    /// # Errors
    /// When the name is taken, or a rule cannot be used.
    pub async fn new_directory(&self, input: &NewDirectory) -> Result<DirectoryToken, ClientError> {
        self.write(Method::POST, &["v1", "directories"], input).await
    }

    /// Changes what of a directory's word counts.
    ///
    /// # Errors
    /// When a rule cannot be used.
    pub async fn edit_directory(&self, name: &str, input: &DirectoryRules) -> Result<DirectoryView, ClientError> {
        self.write(Method::PUT, &["v1", "directories", name, "rules"], input).await
    }

    /// Makes a directory another token.
    ///
    /// # Errors
    /// As every call.
    pub async fn rotate_directory(&self, name: &str, input: &RotateDirectory) -> Result<DirectoryToken, ClientError> {
        self.write(Method::POST, &["v1", "directories", name, "token"], input).await
    }

    /// Removes a directory.
    ///
    /// # Errors
    /// When it keeps the caller as well, and its people are not to be kept.
    pub async fn remove_directory(&self, name: &str, people: Orphans) -> Result<DirectoryRemoved, ClientError> {
        self.write(Method::DELETE, &["v1", "directories", name], &RemoveDirectory { people }).await
    }
}
