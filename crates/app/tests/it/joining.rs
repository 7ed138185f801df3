//! A host that joins: its code is spent and its token made at once, or neither.

use serde_json::json;
use wane_app::AppError;
use wane_store::Store as _;

use crate::house::House;

const HOST_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8CKC1x68pjayo+dFja7RGv5nDlVdtF9H18cfluwIfk web1";

#[tokio::test(flavor = "multi_thread")]
async fn joining_spends_the_code_and_makes_the_token_in_one_commit() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let mut former = None;
    for _ in 0..2 {
        let code = house.app.join_code(&root, "web1").await.unwrap().0.reveal();
        let (before, head) = (house.store.stats().commits, house.store_head().await);
        let joined = house.app.join_host(&code, &json!({ "host_keys": [HOST_KEY] })).await.unwrap();
        assert_eq!(house.store.stats().commits, before + 1, "a death between two commits would lose the token");
        let events: Vec<_> =
            house.store.records_after(head, 10).await.unwrap().into_iter().map(|r| r.record.event).collect();
        assert_eq!(events, ["host.joined", "token.made"]);
        let token = joined.host_token.reveal();
        assert_eq!(house.app.authenticate_host(&token).await.unwrap(), house.resource("web1").await);
        let again = house.app.join_host(&code, &json!({ "host_keys": [HOST_KEY] })).await;
        assert!(matches!(again, Err(AppError::SignedOut)), "a code is good once: {again:?}");
        if let Some(former) = former.replace(token) {
            assert!(house.app.authenticate_host(&former).await.is_err(), "the former token holds");
        }
    }
}
