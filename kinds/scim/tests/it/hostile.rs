//! Names that mean something to a filter, and names that are almost somebody else's.

use std::collections::BTreeMap;

use serde_json::json;

use crate::stage::Stage;

/// People found by an attribute that may hold anything.
fn by_attribute() -> Stage {
    Stage::with(&json!({ "people": { "attribute": "userName", "is": "login" } }))
}

async fn look(stage: &Stage, login: &str) -> Result<wane_connector::Prepared, String> {
    let mut person = stage.person("somebody");
    let line = login.parse().map_err(|e| format!("{e}"))?;
    person.attributes = BTreeMap::from([("login".parse().unwrap(), line)]);
    stage.look(&stage.admins_role(), &person).await.map_err(|e| e.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_name_is_nobody_but_who_bears_it() {
    let stage = by_attribute();
    let hostile = [
        "*",
        "al*",
        r#"x" or userName eq "alice"#,
        r#"" or id pr or userName eq ""#,
        r#"alice" and "a" eq "a"#,
        r"alice\",
        r#"\" or userName pr or "\"#,
        "(userName eq alice)",
        "alice or true",
        "%22 or userName pr",
        "a&filter=userName pr",
        "../Groups",
        "a/b?c#d",
    ];
    for name in hostile {
        let met = look(&stage, name).await.unwrap_err();
        assert!(met.contains("no account has"), "{name:?}: {met}");
    }
    let alice = look(&stage, "alice").await.unwrap();
    for name in hostile {
        stage.app.user(name).unwrap();
        let found = look(&stage, name).await.unwrap_or_else(|e| panic!("{name:?}: {e}"));
        assert_ne!(found.object, alice.object, "{name:?}");
    }
}

/// An application compares user names without case, and takes less into account than that at times.
#[tokio::test(flavor = "multi_thread")]
async fn almost_the_same_name_is_somebody_else() {
    let stage = by_attribute();
    for name in ["ALICE", "Alice", "alicE"] {
        let met = look(&stage, name).await.unwrap_err();
        assert!(met.contains("not written as"), "{name:?}: {met}");
    }
    look(&stage, "alice").await.unwrap();
}

/// Of two that an application says have one value, neither is meant.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_of_one_value_neither_is_meant() {
    let stage = Stage::with(
        &json!({ "people": { "attribute": "displayName", "is": "name" }, "accounts": null, "groups": ["Admins"] }),
    );
    for id in [stage.app.user("one").unwrap(), stage.app.user("two").unwrap()] {
        let named = json!({ "op": "replace", "path": "displayName", "value": "zoe" });
        stage.app.change(&format!("Users/{id}"), &named).unwrap();
    }
    let met = stage.look(&stage.admins_role(), &stage.person("zoe")).await.unwrap_err().to_string();
    assert!(met.contains("more than one account"), "{met}");
    // And of two groups of one name.
    stage.app.group("Admins").unwrap();
    let met = stage.look(&stage.admins_role(), &stage.person("alice")).await.unwrap_err().to_string();
    assert!(met.contains("more than one group"), "{met}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_no_group_of_the_settings_is_not_touched() {
    let stage = Stage::with(&json!({ "groups": ["Operators"] }));
    let met = stage.look(&stage.admins_role(), &stage.person("alice")).await.unwrap_err();
    assert!(met.to_string().contains("not among the resource's `groups`"), "{met}");
}
