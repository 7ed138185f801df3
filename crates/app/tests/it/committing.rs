//! What a commit says besides what it writes: to the engine what is owed, to the signer what is over.

use std::sync::{Arc, Mutex};

use wane_connector::{PublicKey, PublishPermit, SignError, Signature, Signer};
use wane_domain::id::GrantId;
use wane_domain::issue::IssuePermit;
use wane_store::DueWhat;

use crate::gated::Does;
use crate::house::{House, granted};
use crate::signing::{enter, signs};

/// What is due at once is owed at once; what is to wait is left to wait.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_owed_in_the_moment_it_is_said() {
    let house = House::new().await;
    let grant = house.hold("ann", "attic", "read", 1).await;
    let lease = house.hand_out("ann", grant).await.unwrap().lease;
    assert!(house.app.take_owed().is_empty(), "nothing has ended");
    house.app.give_back(&house.caller("ann").await, grant).await.unwrap();
    let owed: Vec<DueWhat> = house.app.take_owed().into_iter().map(|due| due.what).collect();
    assert_eq!(owed, [DueWhat::Lease(lease, house.resource("attic").await)]);
    house.gate.end("attic", Does::Dead);
    house.try_ends(grant).await;
    assert!(house.app.take_owed().is_empty(), "a target that is not there is asked again later");
}

/// A signer that signs nothing and hears what is over.
#[derive(Default)]
struct Hears(Mutex<Vec<GrantId>>);

impl Hears {
    fn heard(&self) -> Vec<GrantId> {
        let mut heard = std::mem::take(&mut *self.0.lock().unwrap());
        heard.dedup();
        heard
    }
}

impl Signer for Hears {
    fn key(&self, purpose: &'static str) -> Result<PublicKey, SignError> {
        Err(SignError::NoKey(purpose.to_owned()))
    }

    fn issue(&self, purpose: &'static str, _: IssuePermit, _: &[u8]) -> Result<Signature, SignError> {
        Err(SignError::NoKey(purpose.to_owned()))
    }

    fn publish(&self, purpose: &'static str, _: PublishPermit, _: &[u8]) -> Result<Signature, SignError> {
        Err(SignError::NoKey(purpose.to_owned()))
    }

    fn away(&self) -> Option<String> {
        Some("it signs nothing".to_owned())
    }

    fn limited(&self) -> Vec<&'static str> {
        vec!["ssh-krl"]
    }

    fn ended(&self, grant: GrantId) {
        self.0.lock().unwrap().push(grant);
    }
}

/// The signer forgets approvals when what they were for is over: not before, and it is told of nothing that nobody signed for.
#[tokio::test(flavor = "multi_thread")]
async fn the_signer_hears_of_the_end_of_what_people_signed_for() {
    let house = House::new().await;
    house.change_policy("@approve(\"1 of group:dba\")", "@approve(\"1 of group:dba\") @signature(\"required\")").await;
    enter(&house, "dan", 1).await;
    let signer = Arc::new(Hears::default());
    let told: Arc<dyn Signer> = Arc::<Hears>::clone(&signer);
    house.app.tell_signer(told);
    let ann = house.caller("ann").await;
    let unsigned = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", unsigned).await.unwrap();
    house.app.give_back(&ann, unsigned).await.unwrap();
    house.try_ends(unsigned).await;
    let asked = house.ask("ann", &[("vault", "read")], 1).await.id;
    let signed = granted(&signs(&house, "dan", 1, asked).await.unwrap(), 0).unwrap();
    house.hand_out("ann", signed).await.unwrap();
    assert_eq!(signer.heard(), [], "it lives, and the other nobody signed for");
    house.app.give_back(&ann, signed).await.unwrap();
    house.try_ends(signed).await;
    assert_eq!(signer.heard(), [signed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_the_signer_fares_is_what_it_says() {
    let house = House::new().await;
    assert!(!house.app.signer_is_away() && house.app.signer_is_limited().is_empty(), "there is none to ask");
    house.app.tell_signer(Arc::new(Hears::default()));
    assert!(house.app.signer_is_away());
    assert_eq!(house.app.signer_is_limited(), ["ssh-krl"]);
}
