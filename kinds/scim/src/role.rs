//! A role: a place in one group of the application, or an account there.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wane_connector::KindError;
use wane_connector::strict::{object, text, unknown_word, wrong};

use crate::settings::check_group;

const KEYS: &[&str] = &["group", "account"];
const ENDS: &[&str] = &["deactivated", "deleted"];

/// What a role means in an application, in normal form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Definition {
    /// A place in a group, by its display name.
    Group(String),
    /// An account.
    Account(AtEnd),
}

/// What becomes of an account that Wane made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AtEnd {
    /// It is there, and nobody gets in by it. So does one that was there before, and nobody got in by.
    Deactivated,
    /// It goes, with what the application takes with it. One that was there before is deactivated.
    Deleted,
}

impl Definition {
    /// Reads what a person wrote.
    pub(crate) fn parse(given: &Value) -> Result<Self, KindError> {
        let keys = object("role", given, KEYS)?;
        match (text(keys, "group")?, text(keys, "account")?) {
            (Some(group), None) => {
                check_group("group", group)?;
                Ok(Self::Group(group.to_owned()))
            }
            (None, Some("deactivated")) => Ok(Self::Account(AtEnd::Deactivated)),
            (None, Some("deleted")) => Ok(Self::Account(AtEnd::Deleted)),
            (None, Some(other)) => Err(wrong("account", unknown_word(other, ENDS))),
            (Some(_), Some(_)) => {
                Err(wrong("account", "a role is a place in a group or an account; make two, and ask for both"))
            }
            (None, None) => Err(wrong(
                "group",
                "name the group whose members have this role, or write what becomes of an account at the end: `account=deactivated` or `account=deleted`",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_role_is_one_thing_in_one_normal_form() {
        for given in
            [json!({ "group": "Admins" }), json!({ "account": "deleted" }), json!({ "account": "deactivated" })]
        {
            let read = Definition::parse(&given).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), given);
        }
        for (bad, what) in [
            (json!({}), "group"),
            (json!({ "group": "" }), "group"),
            (json!({ "group": "a", "account": "deleted" }), "account"),
            (json!({ "account": "kept" }), "account"),
            (json!({ "groups": ["a"] }), "groups"),
        ] {
            assert_eq!(Definition::parse(&bad).unwrap_err().what, what, "{bad}");
        }
    }
}
