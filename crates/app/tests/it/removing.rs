//! A directory that is removed: what becomes of its people, and of everybody else.

use std::time::Duration;

use serde_json::json;
use wane_app::{AppError, Class, Membership, Orphans, Removed};
use wane_domain::directory::Standing;
use wane_domain::time::Span;
use wane_store::RecordFilter;

use crate::faulty::Goes;
use crate::house::{cause, name};
use crate::keeping::rules;
use crate::pushing::{Corp, by_nick, nina};

/// How long a removal may take.
const SOON: Duration = Duration::from_secs(20);

/// A company whose directory keeps `nina`, `otto`, and `pia`, whom it disabled; and its token.
async fn corp() -> (Corp, String) {
    let corp = Corp::of(&by_nick()).await;
    for (called, active) in [("nina", true), ("otto", true), ("pia", false)] {
        let said = json!({ "userName": called, "nickName": called, "externalId": called, "active": active });
        corp.push(nina(&said)).await;
    }
    let root = corp.house.caller("root").await;
    let (_, token) = corp.house.app.rotate_directory(&root, "corp", Span::from_secs(0)).await.unwrap();
    let token = token.reveal().to_string();
    (corp, token)
}

impl Corp {
    async fn remove(&self, who: &str, orphans: Orphans) -> Result<Removed, AppError> {
        let caller = self.house.caller(who).await;
        let removed = self.house.app.remove_directory(&caller, "corp", orphans);
        tokio::time::timeout(SOON, removed).await.unwrap()
    }

    async fn standings(&self) -> [Standing; 4] {
        let mut all = [Standing::Active; 4];
        for (one, called) in all.iter_mut().zip(["nina", "otto", "pia", "ann"]) {
            *one = self.person(called).await.standing;
        }
        all
    }

    async fn is_there(&self) -> bool {
        match self.house.app.directory(&self.house.caller("root").await, "corp").await {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.class(), Class::Missing);
                false
            }
        }
    }
}

const ACTIVE: Standing = Standing::Active;
const DISABLED: Standing = Standing::Disabled;

#[tokio::test(flavor = "multi_thread")]
async fn the_people_of_a_directory_that_is_removed_may_do_nothing_unless_they_are_to_be_kept() {
    for (orphans, word, disabled, standings) in [
        (Orphans::Disabled, "disabled", 2, [DISABLED, DISABLED, DISABLED, ACTIVE]),
        (Orphans::Kept, "kept", 0, [ACTIVE, ACTIVE, DISABLED, ACTIVE]),
    ] {
        let (corp, token) = corp().await;
        let root = corp.house.caller("root").await;
        corp.house.app.add_directory(&root, &name("other"), &rules()).await.unwrap();
        corp.house.app.set_member(&root, &name("engineers"), "nina", Membership::In).await.unwrap();
        let (hers, anns) =
            (corp.house.hold("nina", "attic", "read", 1).await, corp.house.hold("ann", "attic", "read", 1).await);
        assert_eq!(corp.remove("root", orphans).await.unwrap(), Removed { people: 3, disabled });
        assert_eq!(corp.standings().await, standings);
        assert_eq!(cause(&corp.house.grant(hers).await).is_some(), orphans == Orphans::Disabled);
        assert_eq!(cause(&corp.house.grant(anns).await), None);
        assert!(!corp.is_there().await && corp.house.app.authenticate_directory(&token).await.is_err());
        let event = Some("directory.removed".to_owned());
        let said = corp.house.records(RecordFilter { event, ..RecordFilter::default() }).await.pop().unwrap();
        assert_eq!(said.detail, json!({ "directory": "corp", "people": word, "of": 3 }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_removes_a_directory_that_would_take_them_with_it() {
    let (corp, token) = corp().await;
    let root = corp.house.caller("root").await;
    corp.house.app.set_member(&root, &name("admins"), "nina", Membership::In).await.unwrap();
    let said = corp.remove("nina", Orphans::Disabled).await;
    assert!(matches!(said, Err(AppError::Taken(_))), "{said:?}");
    assert_eq!(corp.standings().await, [ACTIVE, ACTIVE, DISABLED, ACTIVE]);
    assert!(corp.is_there().await && corp.house.app.authenticate_directory(&token).await.is_ok());
    assert_eq!(corp.remove("nina", Orphans::Kept).await.unwrap(), Removed { people: 3, disabled: 0 });
    assert!(!corp.is_there().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_is_cut_off_has_ended_the_tokens_and_goes_on_when_it_is_said_again() {
    let (corp, token) = corp().await;
    corp.house.door.writes(Goes::Failing);
    corp.house.door.pass_one();
    let said = corp.remove("root", Orphans::Disabled).await;
    assert!(matches!(said, Err(AppError::Store(_))), "{said:?}");
    let comes = corp.house.app.authenticate_directory(&token).await;
    assert!(matches!(comes, Err(AppError::SignedOut)), "somebody may still come: {comes:?}");
    assert!(corp.is_there().await);
    corp.house.door.writes(Goes::Well);
    assert_eq!(corp.remove("root", Orphans::Disabled).await.unwrap(), Removed { people: 3, disabled: 2 });
    assert_eq!(corp.standings().await, [DISABLED, DISABLED, DISABLED, ACTIVE]);
}
