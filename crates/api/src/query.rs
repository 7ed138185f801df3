//! What can be said behind the `?` of a listing. Unknown parameters are refused.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::IntoParams;

/// `?waiting`, `?waiting=true` and `?waiting=1` say yes; `false` and `0` say no.
fn flag<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
    match String::deserialize(d)?.as_str() {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(serde::de::Error::custom(format!("`{other}` is neither `true` nor `false`"))),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_no(flag: &bool) -> bool {
    !*flag
}

/// Makes a query with its own parameters and the two every listing has.
macro_rules! query {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// Where to go on: the `next` of the page before.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[param(max_length = 128)]
            pub cursor: Option<String>,
            /// At most so many entries, 1 to 1000; 100 if left out.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[param(minimum = 1, maximum = 1000)]
            pub limit: Option<u32>,
        }
    };
}

query! {
    /// Any listing without parameters of its own.
    Listing {}
}

query! {
    /// Which requests, newest first; only those the caller may see.
    Requests {
        /// Only those the caller asked, or that are for them.
        #[serde(default, deserialize_with = "flag", skip_serializing_if = "is_no")]
        mine: bool,
        /// Only those with an item the caller could approve now.
        #[serde(default, deserialize_with = "flag", skip_serializing_if = "is_no")]
        waiting_for_me: bool,
        /// Only those with an item that waits.
        #[serde(default, deserialize_with = "flag", skip_serializing_if = "is_no")]
        waiting: bool,
        /// Only those asked by, or for, this person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<String>,
    }
}

query! {
    /// Which grants, newest first; only those the caller may see.
    Grants {
        /// Only those the caller holds.
        #[serde(default, deserialize_with = "flag", skip_serializing_if = "is_no")]
        mine: bool,
        /// Only those this person holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<String>,
        /// Only those on this resource.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<String>,
        /// Only those that stand so: `scheduled`, `active`, `ending`, `closed`, several joined by commas.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<String>,
    }
}

query! {
    /// Which records, newest first; only those the caller may see.
    Records {
        /// About or by this person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<String>,
        /// About this resource.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<String>,
        /// About this grant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grant: Option<String>,
        /// About this request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<String>,
        /// Whose event name begins with this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<String>,
        /// Without the bookkeeping of the server: that a session was used, that an answer was kept.
        #[serde(default, deserialize_with = "flag", skip_serializing_if = "is_no")]
        without_bookkeeping: bool,
        /// Not before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Timestamp>,
        /// Before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    }
}

query! {
    /// Which notices, newest first; only those the caller may see.
    Notices {
        /// Only those that stand so: `waiting`, `delivered`, `given_up`, `dropped`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<String>,
        /// Only those over this channel.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<String>,
        /// Only those to this person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<String>,
    }
}

query! {
    /// Which delegations, newest first: given by somebody, or to them.
    Delegations {
        /// Of this person; the caller's if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<String>,
        /// Those that are over or were taken back, too.
        #[serde(default, deserialize_with = "flag", skip_serializing_if = "is_no")]
        past: bool,
    }
}

query! {
    /// Which recordings, newest first; only those the caller may know of.
    Recordings {
        /// Of sessions of this person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<String>,
        /// Of sessions on this resource.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<String>,
        /// Of sessions that were found to be so: `inside` what their role names, `outside`, or `unknown`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verdict: Option<String>,
        /// Begun no earlier.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Timestamp>,
        /// Begun before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    }
}

/// What recordings are searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Sought {
    /// This text: in commands, names of files, input and output, as it stands there.
    #[param(min_length = 3, max_length = 200)]
    pub text: String,
    /// Where: in `command`s, in names of `file`s; everywhere if left out.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    #[param(rename = "in")]
    pub within: Option<String>,
    /// In sessions of this person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// In sessions on this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Begun no earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Begun before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// How a recording is played.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Played {
    /// As `events` (one JSON object to a line), as an `asciicast` of one channel, or as a `har` document of the requests to an application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// Which channel an asciicast is of; the first if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<u32>,
}

/// Under which version of the policy set a decision is to be explained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Under {
    /// This version of the policy set, over the facts of today; the one in force if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}
