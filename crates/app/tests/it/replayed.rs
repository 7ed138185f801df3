//! A signature is good for what it says and for nothing else, whoever writes it wherever.

use wane_domain::id::GrantId;
use wane_store::{Put, Write};

use crate::house::{House, granted};
use crate::signing::{enter, signs};

/// It is by a key that counts, and says yes to what somebody else asked for.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_for_one_request_carries_no_other() {
    let house = House::new().await;
    house.change_policy("@approve(\"1 of group:dba\")", "@approve(\"1 of group:dba\") @signature(\"required\")").await;
    enter(&house, "dan", 1).await;
    let mut grants: Vec<GrantId> = Vec::new();
    for who in ["ann", "ben"] {
        let id = house.ask(who, &[("vault", "read")], 1).await.id;
        grants.push(granted(&signs(&house, "dan", 1, id).await.unwrap(), 0).unwrap());
    }
    let seen = house.app.store().grant(grants[0]).await.unwrap().unwrap();
    let mut data = (*seen.value).clone();
    data.approvals[0].signed = house.grant(grants[1]).await.approvals[0].signed.clone();
    house.write(vec![Write::Grant(Put::over(&seen, wane_domain::stored::grant(data)))]).await;
    let refused = house.hand_out("ann", grants[0]).await.unwrap_err().to_string();
    assert!(refused.contains("each signed"), "{refused}");
    house.hand_out("ben", grants[1]).await.unwrap();
}
