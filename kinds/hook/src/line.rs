//! What a target is told and asked, whichever way it is reached.

use async_trait::async_trait;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::fail::Fail;
use crate::text::Piece;

/// The longest id that is taken: it is kept and told.
pub(crate) const LONGEST_ID: usize = 512;

/// What was made.
pub(crate) struct Made {
    /// The target's own id of it.
    pub(crate) id: Option<String>,
    /// The secret that the target answered.
    pub(crate) secret: Option<Zeroizing<String>>,
    /// What the holder is told besides.
    pub(crate) shows: Map<String, Value>,
}

/// What was seen when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Absent(String),
    Present(String),
}

/// One of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
}

/// A list, or what was found of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) items: Vec<Item>,
    /// What was asked, in words.
    pub(crate) asked: String,
}

/// A target within reach.
#[async_trait]
pub(crate) trait Line: Send + Sync {
    /// Makes it, or makes it once more in place of what is there.
    async fn make(&self, piece: &Piece, role: &Map<String, Value>, secret: Option<&str>) -> Result<Made, Fail>;
    /// Takes it away; that it is not there is as good.
    async fn revoke(&self, piece: &Piece, id: Option<&str>) -> Result<(), Fail>;
    /// Asks whether it is there.
    async fn verify(&self, piece: &Piece, id: Option<&str>) -> Result<Seen, Fail>;
    /// Whether asking for it takes the target's own id.
    fn verifies_by_id(&self) -> bool;
    /// Everything there, or where that can be asked for, what has the name.
    async fn list(&self, only: Option<&Piece>) -> Result<Listed, Fail>;
    /// Tells the target of another end.
    async fn extend(&self, piece: &Piece, id: Option<&str>) -> Result<(), Fail>;
}
