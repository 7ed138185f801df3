//! What a receiver or program of one's own can be told, as its settings say it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use wane_connector::KindError;
use wane_connector::strict::{listed, text, unknown_word, wrong};

/// What a receiver or program of one's own can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) calls: BTreeSet<Op>,
    pub(crate) secret: OwnSecret,
    /// Whether it has the target end it by itself at the end it is told.
    pub(crate) ends_itself: bool,
}

/// Where the secret comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnSecret {
    None,
    Generated,
    Answered,
}

/// What may be asked of a receiver or program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Op {
    Create,
    Revoke,
    VerifyAbsent,
    Inventory,
    Extend,
}

impl Op {
    const ALL: [Self; 5] = [Self::Create, Self::Revoke, Self::VerifyAbsent, Self::Inventory, Self::Extend];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Revoke => "revoke",
            Self::VerifyAbsent => "verify_absent",
            Self::Inventory => "inventory",
            Self::Extend => "extend",
        }
    }
}

impl Own {
    pub(crate) fn read(map: &Map<String, Value>) -> Result<Self, KindError> {
        const WHAT: &str = "calls";
        let words = Op::ALL.map(Op::word);
        let shape = || wrong(WHAT, format!("list what it can be told: {}", listed(&words)));
        let Some(Value::Array(items)) = map.get(WHAT) else { return Err(shape()) };
        let op = |item: &Value| {
            let word = item.as_str().ok_or_else(shape)?;
            Op::ALL.into_iter().find(|op| op.word() == word).ok_or_else(|| wrong(WHAT, unknown_word(word, &words)))
        };
        let calls = items.iter().map(op).collect::<Result<BTreeSet<_>, _>>()?;
        if !calls.contains(&Op::Create) || !calls.contains(&Op::Revoke) {
            return Err(wrong(WHAT, "has to have `create` and `revoke`"));
        }
        let ends_itself = match map.get("ends_itself") {
            None | Some(Value::Bool(false)) => false,
            Some(Value::Bool(true)) => true,
            Some(_) => {
                return Err(wrong("ends_itself", "write `true` if what is made ends by itself at the end it is told"));
            }
        };
        if !calls.contains(&Op::VerifyAbsent) && !calls.contains(&Op::Inventory) && !ends_itself {
            return Err(wrong(
                WHAT,
                "needs `verify_absent` or `inventory`: nothing could ever say that it is gone; or `ends_itself`",
            ));
        }
        let ways = ["none", "generated", "answered"];
        let secret = match text(map, "secret")? {
            Some("none") => OwnSecret::None,
            Some("generated") => OwnSecret::Generated,
            Some("answered") => OwnSecret::Answered,
            Some(other) => return Err(wrong("secret", unknown_word(other, &ways))),
            None => {
                return Err(wrong(
                    "secret",
                    "say where the holder's secret comes from: `generated` by Wane, `answered` by `create`, or `none`",
                ));
            }
        };
        Ok(Self { calls, secret, ends_itself })
    }

    pub(crate) fn put(&self, out: &mut Map<String, Value>) {
        out.insert("calls".to_owned(), self.calls.iter().map(|op| json!(op.word())).collect());
        let secret = match self.secret {
            OwnSecret::None => "none",
            OwnSecret::Generated => "generated",
            OwnSecret::Answered => "answered",
        };
        out.insert("secret".to_owned(), json!(secret));
        if self.ends_itself {
            out.insert("ends_itself".to_owned(), json!(true));
        }
    }
}
