//! Keys that take over from one another while the server runs: who looks at them, and who turns them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use wane_app::{AppError, Caller, Turner};
use wane_audit::Actor;
use wane_domain::time::Span;

use crate::house::{House, mins};

/// Keeps who turned what.
#[derive(Default)]
pub(crate) struct Keeps(Mutex<Vec<(String, Value, Actor)>>);

#[async_trait]
impl Turner for Keeps {
    async fn look(&self, of: &str) -> Result<Value, AppError> {
        Ok(json!({ "of": of, "turned": self.0.lock().unwrap().len() }))
    }
    async fn turn(&self, of: &str, change: &Value, actor: Actor) -> Result<Value, AppError> {
        self.0.lock().unwrap().push((of.to_owned(), change.clone(), actor));
        self.look(of).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_turned_by_who_may_and_has_just_proved_who_they_are() {
    let house = House::new().await;
    let (root, zoe, change) = (house.caller("root").await, house.caller("zoe").await, json!({ "new": {} }));
    let nobody = house.app.keys_of(&root, "tokens").await;
    assert!(matches!(nobody, Err(AppError::Taken(_))), "{nobody:?}");
    let keeps = Arc::new(Keeps::default());
    house.app.turns_by(Arc::<Keeps>::clone(&keeps));
    let shown = |turned: usize| json!({ "of": "tokens", "turned": turned });
    assert_eq!(house.app.keys_of(&root, "tokens").await.unwrap(), shown(0));
    let looked = house.app.keys_of(&zoe, "tokens").await;
    assert!(matches!(looked, Err(AppError::NotAllowed { .. })), "{looked:?}");
    let ago = |age: Span| Caller { proved: house.app.now().minus(age), ..root.clone() };
    let by_credential = Caller { token: None, ..root.clone() };
    let turn = async |caller: &Caller| house.app.turn_keys(caller, "tokens", &change).await;
    let turned = turn(&zoe).await;
    assert!(matches!(turned, Err(AppError::NotAllowed { .. })), "{turned:?}");
    for stale in [ago(Span::from_micros(mins(10).micros() + 1)), by_credential] {
        let turned = turn(&stale).await;
        assert!(matches!(&turned, Err(AppError::Invalid { field, .. }) if field == "proof"), "{stale:?} {turned:?}");
    }
    assert_eq!(turn(&root).await.unwrap(), shown(1));
    assert_eq!(turn(&ago(mins(10))).await.unwrap(), shown(2));
    let one = ("tokens".to_owned(), change, Actor::Person(root.person));
    assert_eq!(*keeps.0.lock().unwrap(), [one.clone(), one]);
}
