//! Figures over what was asked, granted and ended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::SpanView;

/// How far back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FiguresQuery {
    /// So many days, today among them; 30 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 366)]
    pub days: Option<u32>,
}

/// What the log of the last days comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FiguresView {
    /// Day by day, the oldest first, none left out.
    pub days: Vec<DayView>,
    /// From an ask to its grant, of what somebody had to approve.
    pub to_grant: SpreadView,
    /// From when an end began until everything was proven to be over, by kind of target.
    pub ends: Vec<EndsView>,
    /// What the same person was granted again and again, most often first.
    pub again: Vec<AgainView>,
    /// Whether there was more than is read: the oldest days are not whole then.
    pub more: bool,
}

/// One day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayView {
    /// When it began: midnight, UTC.
    pub begins: Timestamp,
    /// Requests that were made.
    pub asked: u32,
    /// Grants that policy alone gave.
    pub by_policy: u32,
    /// Grants that somebody approved.
    pub approved: u32,
    /// Grants of which everything was proven to be over.
    pub closed: u32,
    /// What stood at the targets at the end of the day; left out if none was looked at until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands: Option<StandsView>,
    /// Of every way in that there was on the day, how many in a hundred were granted for a while, rounded down: grants of
    /// that day against rights that stood. Left out if it is not known what stood, or there was neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 100)]
    pub just_in_time_percent: Option<u8>,
}

/// What stood at all targets at the end of a day, as each last said itself. Counts of accounts, keys, memberships and
/// rights: whatever its kind lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StandsView {
    /// How many targets were looked at that day. The others are counted as they were last seen.
    pub looked: u32,
    /// What Wane made and belonged to an open grant.
    pub made: u32,
    /// Rights that Wane did not give.
    pub standing: u32,
    /// What Wane made and belonged to nothing: at each target the most at once that day.
    pub orphans: u32,
}

/// When a resource was last looked at, and what stood there: how much, never what. Kept for as many days as figures
/// look back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InventoryLine {
    /// The resource.
    pub resource: String,
    /// What stood there; left out if it was not looked at in that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LookedView>,
}

/// What stood at a resource when it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LookedView {
    /// When: to the hour, if it says what it said before.
    pub at: Timestamp,
    /// What Wane made and belongs to an open grant.
    pub made: u32,
    /// Rights that Wane did not give.
    pub standing: u32,
    /// What Wane made and belongs to nothing: the most at once that day.
    pub orphans: u32,
}

/// How some lengths of time lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SpreadView {
    /// How many there are.
    pub count: u32,
    /// Half of them are no longer than this.
    pub half: SpanView,
    /// Nine of ten are no longer than this.
    pub most: SpanView,
    /// The longest.
    pub longest: SpanView,
}

/// Ends at one kind of target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndsView {
    /// Which.
    pub kind: String,
    /// How long they took.
    pub took: SpreadView,
    /// What is promised: the worst that any target of the kind declares.
    pub promised: SpanView,
    /// How many took longer than is promised at their target.
    pub late: u32,
}

/// What somebody was granted again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgainView {
    /// Who.
    pub person: String,
    /// On what.
    pub resource: String,
    /// Which role.
    pub role: String,
    /// How often.
    pub times: u32,
    /// When last.
    pub last: Timestamp,
}
