//! Why a use-case did not do it. Each situation belongs to one class, which adapters map once.

use wane_connector::{ConnectError, KindError, SignError};
use wane_domain::decision::Why;
use wane_domain::transition::IllegalTransition;
use wane_store::StoreError;

/// How an adapter answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Not allowed; looks like `Missing` to those who may not know.
    Denied,
    /// The input cannot be used.
    Invalid,
    /// Nothing there.
    Missing,
    /// It changed, exists already, or its state does not allow it.
    Conflict,
    /// Too much at once; try later.
    Busy,
    /// Something of ours or of a target failed.
    Fault,
}

/// Why a use-case did not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppError {
    /// Nobody is signed in, or the token is no good. Says nothing about which.
    #[error("sign in first: the token is missing, unknown, spent or expired")]
    SignedOut,
    /// Name, password or code are wrong. Says nothing about which.
    #[error("the name, password or code is wrong")]
    BadSignIn,
    /// Signing in elsewhere came to nothing.
    #[error("{0}; begin again")]
    NotSignedIn(String),
    /// Too many failed sign-ins.
    #[error("too many failed attempts; wait until {until} and try again")]
    Closed {
        /// When the next attempt counts.
        until: wane_domain::time::Time,
        /// How long that is.
        wait: wane_domain::time::Span,
    },
    /// More password checks at once than this server makes.
    #[error("the server is busy checking passwords; try again in a moment")]
    Crowded,
    /// Policy does not let the caller do this.
    #[error("policy does not let you do that: {what}")]
    NotAllowed {
        /// What was tried.
        what: &'static str,
    },
    /// Policy refused access.
    #[error("{}", .reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused {
        /// Why.
        reasons: Vec<Why>,
    },
    /// Nothing of that name or id, or nothing the caller may know of.
    #[error("there is no {what} `{name}`")]
    Missing {
        /// What sort of thing.
        what: &'static str,
        /// What was asked for.
        name: String,
    },
    /// One field is unusable.
    #[error("{field}: {why}")]
    Invalid {
        /// Which field.
        field: String,
        /// Why, and what to do.
        why: String,
    },
    /// What a directory pushed is refused.
    #[error(transparent)]
    Scim(#[from] wane_scim::Refused),
    /// A policy set that does not validate.
    #[error("the policy does not validate; nothing was changed")]
    Policy {
        /// Every problem.
        problems: Vec<wane_policy::set::LoadProblem>,
    },
    /// The lifecycle has no such step.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// The thing exists or is in use.
    #[error("{0}")]
    Taken(String),
    /// All the uses there are were made.
    #[error("{}", used_up(*.0))]
    UsedUp(u64),
    /// Somebody else changed it, again and again.
    #[error("it is being changed by others at the same time; try again")]
    Contended,
    /// A secret was handed out under this call already; it is not handed out twice.
    #[error("this call handed out a secret before; it was ended, ask again with a new idempotency key")]
    HandedOut,
    /// A call under this key changed something, and its answer is not known.
    #[error(
        "a call under this idempotency key began and its answer was lost; look at what it did, then call with a new key"
    )]
    AnswerLost,
    /// The caller holds or waits for too much.
    #[error("you have {have} open requests, the most is {most}; withdraw some or wait")]
    TooMany {
        /// How many.
        have: usize,
        /// The bound.
        most: usize,
    },
    /// So much is open under a grant that no more is made.
    #[error("{have} accounts or credentials of this grant are not over yet, the most is {most}; wait until one is")]
    TooManyLeases {
        /// How many.
        have: usize,
        /// The bound.
        most: usize,
    },
    /// The caller takes more in a minute than one may.
    #[error("you take credentials faster than one may: there is another in {wait}")]
    TooOften {
        /// In how long there is one.
        wait: wane_domain::time::Span,
    },
    /// The clock is behind what was recorded before.
    #[error("the server's clock is behind what it has recorded (it has seen {seen}); nothing begins until it is right")]
    ClockBehind {
        /// The latest moment that was recorded.
        seen: wane_domain::time::Time,
    },
    /// Where somebody comes from has said nothing for too long.
    #[error(
        "the directory `{directory}` has said nothing of you for too long, so nothing new begins; what you hold goes on to its end"
    )]
    Unheard {
        /// Which.
        directory: String,
    },
    /// The target could not be worked with.
    #[error(transparent)]
    Target(#[from] ConnectError),
    /// The signer refused.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The store cannot be used now.
    #[error("the store is not available; nothing was changed: {0}")]
    Store(String),
    /// It was ended from memory, and the store cannot even be read.
    #[error(
        "it was ended; that is not in the log yet, because the store can be neither written nor read, and more cannot be shown"
    )]
    EndedUnread,
    /// A session that is to be recorded cannot be.
    #[error("the session is to be recorded and cannot be, so it does not begin; the server's log says why")]
    Unrecorded(String),
    /// A recording lies in an object store that cannot be used now.
    #[error("the recording lies in an object store that cannot be used now; the server's log says why")]
    Afar,
    /// A secret could not be sealed or opened.
    #[error("a secret could not be sealed or opened: {0}")]
    Seal(String),
    /// Something that cannot be, was.
    #[error("internal fault: {0}")]
    Fault(String),
}

/// That there were so many uses, and none is left.
fn used_up(most: u64) -> String {
    match most {
        1 => "the one use of this access is used up".to_owned(),
        most => format!("all {most} uses of this access are used up"),
    }
}

impl AppError {
    /// The class adapters map.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::SignedOut
            | Self::BadSignIn
            | Self::NotSignedIn(_)
            | Self::NotAllowed { .. }
            | Self::Refused { .. } => Class::Denied,
            Self::Missing { .. } => Class::Missing,
            Self::Scim(refused) => match refused.kind.status() {
                404 => Class::Missing,
                409 | 412 => Class::Conflict,
                _ => Class::Invalid,
            },
            Self::Invalid { .. } | Self::Policy { .. } => Class::Invalid,
            Self::Illegal(_)
            | Self::Taken(_)
            | Self::UsedUp(_)
            | Self::Contended
            | Self::HandedOut
            | Self::AnswerLost => Class::Conflict,
            Self::Closed { .. }
            | Self::Crowded
            | Self::TooMany { .. }
            | Self::TooManyLeases { .. }
            | Self::TooOften { .. }
            | Self::ClockBehind { .. }
            | Self::Unheard { .. }
            | Self::Store(_)
            | Self::Unrecorded(_)
            | Self::Afar
            | Self::EndedUnread
            | Self::Target(ConnectError::Sign(SignError::Away(_) | SignError::TooMany { .. }))
            | Self::Sign(SignError::Away(_) | SignError::TooMany { .. }) => Class::Busy,
            Self::Target(ConnectError::Sign(SignError::Unsigned(_) | SignError::Named(_)))
            | Self::Sign(SignError::Unsigned(_) | SignError::Named(_)) => Class::Denied,
            Self::Target(ConnectError::Input(_)) => Class::Invalid,
            Self::Target(ConnectError::Over(_)) => Class::Conflict,
            Self::Target(_) | Self::Sign(_) | Self::Seal(_) | Self::Fault(_) => Class::Fault,
        }
    }

    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::SignedOut => "signed-out",
            Self::BadSignIn => "bad-sign-in",
            Self::NotSignedIn(_) => "not-signed-in",
            Self::Closed { .. } => "closed-for-now",
            Self::Crowded => "crowded",
            Self::NotAllowed { .. } => "not-allowed",
            Self::Refused { .. } => "refused",
            Self::Missing { .. } => "missing",
            Self::Invalid { .. } => "invalid",
            Self::Scim(_) => "directory",
            Self::Policy { .. } => "policy-invalid",
            Self::Illegal(_) => "illegal-transition",
            Self::Taken(_) => "taken",
            Self::UsedUp(_) => "used-up",
            Self::Contended => "contended",
            Self::HandedOut => "handed-out",
            Self::AnswerLost => "answer-lost",
            Self::TooOften { .. } => "too-often",
            Self::TooMany { .. } | Self::TooManyLeases { .. } => "too-many",
            Self::Unrecorded(_) => "unrecorded",
            Self::Afar => "object-store",
            Self::ClockBehind { .. } => "clock-behind",
            Self::Unheard { .. } => "directory-silent",
            Self::Target(ConnectError::Input(_)) => "input",
            // Said as the grant itself says it a moment later.
            Self::Target(ConnectError::Over(_)) => "illegal-transition",
            Self::Target(ConnectError::Unreachable { .. }) => "target-unreachable",
            Self::Target(ConnectError::Trust { .. }) => "target-not-trusted",
            Self::Target(ConnectError::Refused { .. }) => "target-refused",
            Self::Target(ConnectError::Sign(SignError::Away(_))) | Self::Sign(SignError::Away(_)) => "signer-away",
            Self::Target(ConnectError::Sign(SignError::TooMany { .. })) | Self::Sign(SignError::TooMany { .. }) => {
                "signer-limited"
            }
            Self::Target(ConnectError::Sign(_)) | Self::Sign(_) => "signer",
            Self::Store(_) => "store",
            Self::EndedUnread => "ended-unread",
            Self::Seal(_) => "seal",
            Self::Fault(_) => "fault",
        }
    }

    /// An unusable field.
    #[must_use]
    pub fn invalid(field: &str, why: impl ToString) -> Self {
        Self::Invalid { field: field.to_owned(), why: why.to_string() }
    }

    /// Nothing there.
    #[must_use]
    pub fn missing(what: &'static str, name: impl ToString) -> Self {
        Self::Missing { what, name: name.to_string() }
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(_) => Self::Contended,
            StoreError::Refused(why) => Self::Taken(why),
            StoreError::Unavailable(why) => Self::Store(why),
            StoreError::Corrupt(why) => Self::Fault(why),
        }
    }
}

impl From<KindError> for AppError {
    fn from(error: KindError) -> Self {
        Self::Invalid { field: error.what, why: error.why }
    }
}

impl From<serde_json::Error> for AppError {
    fn from(error: serde_json::Error) -> Self {
        Self::Fault(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use wane_connector::ConnectError;
    use wane_scim::{Kind, Refused};

    use super::{AppError, Class};

    #[test]
    fn what_a_directory_is_refused_has_the_class_of_its_status() {
        for (kind, class) in [
            (Kind::Missing, Class::Missing),
            (Kind::Uniqueness, Class::Conflict),
            (Kind::Stale, Class::Conflict),
            (Kind::TooLarge, Class::Invalid),
            (Kind::InvalidValue, Class::Invalid),
        ] {
            assert_eq!(AppError::Scim(Refused::new(kind, "")).class(), class, "{kind:?}");
        }
    }

    #[test]
    fn what_ends_within_the_second_is_over_and_not_badly_asked_for() {
        let error = AppError::Target(ConnectError::Over("the grant ends within the second".to_owned()));
        assert_eq!((error.class(), error.code()), (Class::Conflict, "illegal-transition"));
        let error = AppError::Target(ConnectError::Input("no key".to_owned()));
        assert_eq!((error.class(), error.code()), (Class::Invalid, "input"));
    }
}
