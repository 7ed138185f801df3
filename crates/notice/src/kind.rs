//! What there are notices about.

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $class:ident;)*) => {
        /// What a notice is about. Its word is the `type` of a webhook, and stays what it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {$(
            $(#[$doc])*
            #[serde(rename = $word)]
            $name,
        )*}

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// How much it matters to be told.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)* }
            }
        }
    };
}

/// How much it matters to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Good to know: whoever does not want it says so.
    News,
    /// Somebody waits for the one who is told.
    Work,
    /// Always told, also to who did it: it may have been somebody else.
    Security,
}

kinds! {
    /// A request waits for somebody's decision.
    Waiting = "request.waiting", Work;
    /// A request still waits for somebody's decision.
    StillWaiting = "request.still_waiting", Work;
    /// Nobody decided, and more people are asked.
    Escalated = "request.escalated", News;
    /// A request was approved, or one thing in it.
    Approved = "request.approved", News;
    /// Less was approved than was asked.
    Narrowed = "request.narrowed", News;
    /// A request was denied, or one thing in it.
    Denied = "request.denied", News;
    /// Nobody decided in time.
    Lapsed = "request.lapsed", News;
    /// Whoever asked took it back.
    Withdrawn = "request.withdrawn", News;
    /// A grant is there to be used.
    Granted = "grant.granted", News;
    /// A grant runs.
    Activated = "grant.activated", News;
    /// A grant lasts longer than it did.
    Extended = "grant.extended", News;
    /// A grant lasts less long than it did.
    Shortened = "grant.shortened", News;
    /// A grant is about to end.
    EndingSoon = "grant.ending_soon", News;
    /// A grant ended as it was to.
    Ended = "grant.ended", News;
    /// Somebody or something ended a grant before its time.
    TakenAway = "grant.taken_away", Security;
    /// Everything under a grant was seen to be gone.
    Closed = "grant.closed", News;
    /// A session was cut.
    SessionCut = "session.cut", Security;
    /// A rule found something in a session.
    Finding = "session.finding", Security;
    /// Somebody's logins at the gateway failed too often.
    ShutOut = "login.shut_out", Security;
    /// A key or a token was used where or when it may not be.
    Misused = "credential.misused", Security;
    /// An end is owed for long.
    Debt = "debt.open", Security;
    /// Somebody can sign in in a way that is new, or was taken away.
    WayIn = "sign_in.changed", Security;
    /// Somebody stands in for somebody who is away, or does so no more.
    StandsIn = "delegation.changed", Security;
    /// Somebody tries whether a channel works.
    Test = "notices.test", Work;
}

impl Kind {
    /// The kind of this word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}
