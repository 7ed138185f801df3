//! Targets whose kind gives places in groups: what several grants give at once, what was there before, what somebody took.
//! And of any target: with which credential it is reached, and what it is believed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use serde_json::{Value, json};
use wane_app::{NewResource, NewRole, RevokeWhat, TryEnd};
use wane_connector::{
    Artifact, ConnectError, Created, Describe, Effects, EndOutcome, Handed, Inventory, Kind, KindError, Prepared,
    Presence, RoleProbe, StandingRight, Target,
};
use wane_domain::catalogue::Role;
use wane_domain::closure::EndCause;
use wane_domain::directory::Person;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{LeaseData, LeaseKind};
use wane_domain::secret::Secret;
use wane_domain::time::Span;

use crate::faulty::{Faulty, Goes};
use crate::house::{House, cause, limits, name, reason};
use crate::storeless::end_at_targets;

/// What there is at all targets.
#[derive(Debug, Default)]
struct State {
    /// Places and accounts, by target.
    there: BTreeSet<(String, String)>,
    /// What an end leaves where it is, though it says that it did not.
    sticks: BTreeSet<String>,
    /// The credential by which each was reached last.
    reached: BTreeMap<String, String>,
    rounds: usize,
    /// Whether what is read back together is told of one less than was asked.
    short: bool,
    /// What is there and not told of when several are read back together.
    missed: BTreeSet<String>,
}

/// Gives places in groups, as `club`, or accounts, as `hall`.
#[derive(Clone, Debug)]
struct Club {
    gives: LeaseKind,
    state: Arc<Mutex<State>>,
}

fn thing(lease: &LeaseData) -> &str {
    lease.object.as_deref().unwrap_or(&lease.artifact)
}

impl Club {
    fn reach(&self, target: &Target<'_>) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap();
        if let Some(shown) = target.credential {
            let shown = String::from_utf8(shown.expose().to_vec()).unwrap();
            state.reached.insert(target.resource.name.to_string(), shown);
        }
        state
    }

    fn places(&self, target: &Target<'_>) -> Vec<String> {
        let state = self.reach(target);
        let here = target.resource.name.to_string();
        state.there.iter().filter(|(at, _)| *at == here).map(|(_, what)| what.clone()).collect()
    }
}

fn standing(places: impl IntoIterator<Item = String>) -> Inventory {
    let right = |principal| StandingRight { principal, right: "member".to_owned() };
    Inventory { standing: places.into_iter().map(right).collect(), ..Inventory::default() }
}

#[async_trait]
impl Effects for Club {
    async fn prepare(&self, target: &Target<'_>, role: &Role, holder: &Person) -> Result<Prepared, ConnectError> {
        let object = format!("{}/{}", role.definition["group"].as_str().unwrap(), holder.name);
        let there = self.places(target).contains(&object).then(|| "one member".to_owned());
        Ok(Prepared { object, notes: json!({}), there })
    }

    async fn create(
        &self,
        target: &Target<'_>,
        _role: &Role,
        lease: &LeaseData,
        _permit: IssuePermit,
    ) -> Result<Created, ConnectError> {
        let object = thing(lease).to_owned();
        self.reach(target).there.insert((target.resource.name.to_string(), object.clone()));
        let handed = Handed { public: json!({}), secret: None, not_after: None };
        Ok(Created { object: Some(object), notes: json!({}), handed })
    }

    async fn extend(&self, _target: &Target<'_>, _lease: &LeaseData) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn end(&self, target: &Target<'_>, lease: &LeaseData) -> Result<EndOutcome, ConnectError> {
        let mut state = self.reach(target);
        if !state.sticks.contains(thing(lease)) {
            state.there.remove(&(target.resource.name.to_string(), thing(lease).to_owned()));
        }
        Ok(EndOutcome::Done)
    }

    async fn read_back(&self, target: &Target<'_>, lease: &LeaseData) -> Result<Presence, ConnectError> {
        Ok(if self.places(target).iter().any(|place| place == thing(lease)) {
            Presence::Present { seen: "it is there".to_owned() }
        } else {
            Presence::Absent { proof: "it is not there".to_owned() }
        })
    }

    fn in_one_round(&self) -> usize {
        8
    }

    async fn end_together(
        &self,
        target: &Target<'_>,
        leases: &[&LeaseData],
    ) -> Result<Vec<Option<EndOutcome>>, ConnectError> {
        self.reach(target).rounds += 1;
        let mut out = Vec::new();
        for lease in leases {
            out.push(Some(self.end(target, lease).await?));
        }
        Ok(out)
    }

    async fn read_back_together(
        &self,
        target: &Target<'_>,
        leases: &[&LeaseData],
    ) -> Result<Vec<Presence>, ConnectError> {
        let (mut out, short) = (Vec::new(), self.reach(target).short);
        for lease in leases.iter().skip(usize::from(short)) {
            let missed = self.reach(target).missed.contains(thing(lease));
            let absent = || Presence::Absent { proof: "nobody told of it".to_owned() };
            out.push(if missed { absent() } else { self.read_back(target, lease).await? });
        }
        Ok(out)
    }

    async fn inventory(&self, target: &Target<'_>) -> Result<Inventory, ConnectError> {
        Ok(standing(self.places(target)))
    }

    async fn inventory_beside(&self, target: &Target<'_>, leases: &[LeaseData]) -> Result<Inventory, ConnectError> {
        let places = self.places(target).into_iter();
        Ok(standing(places.filter(|place| leases.iter().all(|lease| place != thing(lease)))))
    }

    async fn remove_orphan(&self, _target: &Target<'_>, _artifact: &Artifact) -> Result<EndOutcome, ConnectError> {
        Ok(EndOutcome::Done)
    }

    async fn traces(&self, target: &Target<'_>) -> Result<Vec<String>, ConnectError> {
        Ok(self.places(target))
    }

    async fn clock_skew(&self, _target: &Target<'_>) -> Result<Option<i64>, ConnectError> {
        Ok(None)
    }
}

#[async_trait]
impl Kind for Club {
    fn name(&self) -> &'static str {
        if self.gives == LeaseKind::Membership { "club" } else { "hall" }
    }

    fn entity(&self) -> &'static str {
        if self.gives == LeaseKind::Membership { "Club" } else { "Hall" }
    }

    fn settings(&self, given: &Value) -> Result<Value, KindError> {
        Ok(given.clone())
    }

    fn definition(&self, given: &Value) -> Result<Value, KindError> {
        Ok(given.clone())
    }

    fn is_narrower(&self, _narrow: &Value, _wide: &Value) -> bool {
        false
    }

    fn describe(&self, _settings: &Value) -> Describe {
        Describe {
            hands_out: "a place".to_owned(),
            revokes_logins: true,
            kills_sessions: true,
            residual_logins_secs: 1,
            residual_sessions_secs: Some(1),
            survives: String::new(),
        }
    }

    fn gives(&self) -> LeaseKind {
        self.gives
    }

    fn needs_credential(&self) -> bool {
        true
    }

    async fn probe(&self, _target: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError> {
        Ok(roles.iter().map(|role| RoleProbe { role: role.name.to_string(), problem: None }).collect())
    }

    fn effects(&self) -> Arc<dyn Effects> {
        Arc::new(self.clone())
    }
}

/// A company with two clubs and a hall.
struct Town {
    house: House,
    state: Arc<Mutex<State>>,
}

impl Town {
    async fn new() -> Self {
        let mut house = House::new().await;
        let state = Arc::<Mutex<State>>::default();
        let club = |gives| -> Arc<dyn Kind> { Arc::new(Club { gives, state: Arc::clone(&state) }) };
        let kinds = vec![club(LeaseKind::Membership), club(LeaseKind::Account)];
        let store = Faulty { store: house.store.clone(), door: Arc::clone(&house.door) };
        house.reopen_over(Arc::new(store), kinds, limits());
        let more = "@id(\"clubs\") @max_ttl(\"8h\")
permit (principal in Group::\"engineers\", action == Action::\"access\", resource is Club);
@id(\"halls\") @max_ttl(\"8h\")
permit (principal in Group::\"engineers\", action == Action::\"access\", resource is Hall);
@id(\"whoever-is-asked\")";
        house.change_policy("@id(\"whoever-is-asked\")", more).await;
        let root = house.caller("root").await;
        for (resource, kind) in [("west", "club"), ("east", "club"), ("hall", "hall")] {
            let credential = Some(Secret::new(format!("the key of {resource}").into_bytes()));
            let (settings, labels) = (json!({}), BTreeMap::new());
            let new = NewResource { name: name(resource), kind: name(kind), labels, owner: None, settings, credential };
            house.app.add_resource(&root, new).await.unwrap();
        }
        // Two roles, one group: whoever has both has one place.
        for (role, kind) in [("member", "club"), ("guest", "club"), ("member", "hall")] {
            let (description, definition) = (String::new().try_into().unwrap(), json!({ "group": "ops" }));
            let new = NewRole { name: name(role), kind: name(kind), description, definition };
            house.app.add_role(&root, &new).await.unwrap();
        }
        state.lock().unwrap().reached.clear();
        Self { house, state }
    }

    /// Somebody does something at a target that Wane has no part in.
    fn put(&self, target: &str, place: &str) {
        self.state.lock().unwrap().there.insert((target.to_owned(), place.to_owned()));
    }

    fn take(&self, target: &str, place: &str) {
        self.state.lock().unwrap().there.remove(&(target.to_owned(), place.to_owned()));
    }

    fn places(&self, target: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.there.iter().filter(|(at, _)| at == target).map(|(_, what)| what.clone()).collect()
    }

    async fn gives(&self, who: &str, target: &str, role: &str) -> wane_domain::id::GrantId {
        let id = self.house.hold(who, target, role, 1).await;
        self.house.hand_out(who, id).await.unwrap();
        id
    }

    async fn ends(&self, who: &str, id: wane_domain::id::GrantId) {
        self.house.app.give_back(&self.house.caller(who).await, id).await.unwrap();
        assert_eq!(self.house.try_ends(id).await, [TryEnd::Gone]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_two_grants_give_goes_with_the_second() {
    let town = Town::new().await;
    let (one, two) = (town.gives("ann", "west", "member").await, town.gives("ann", "west", "guest").await);
    assert_eq!(town.places("west"), ["ops/ann"]);
    town.ends("ann", one).await;
    assert_eq!(town.places("west"), ["ops/ann"], "taken, though another grant gives it");
    town.ends("ann", two).await;
    assert!(town.places("west").is_empty(), "it outlived the last grant that gave it");
}

/// Nobody can be asked then what else gives it, and what is remembered is of all targets.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_a_place_is_kept_by_what_gives_it_at_its_own_target_alone() {
    let town = Town::new().await;
    for target in ["west", "east"] {
        town.gives("ann", target, "member").await;
    }
    town.house.app.read_agenda().await.unwrap();
    let (root, west) = (town.house.caller("root").await, town.house.resource("west").await);
    town.house.door.all(Goes::Failing);
    town.house.app.revoke(&root, RevokeWhat::Resource(west), &reason("stop")).await.unwrap();
    assert_eq!(end_at_targets(&town.house).await, [TryEnd::Gone]);
    assert!(town.places("west").is_empty(), "the same place at another target was taken for its reason");
    assert_eq!(town.places("east"), ["ops/ann"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_goes_though_another_has_theirs_in_the_same_group() {
    let town = Town::new().await;
    let (ben, ann) = (town.gives("ben", "west", "member").await, town.gives("ann", "west", "member").await);
    town.ends("ann", ann).await;
    assert_eq!(town.places("west"), ["ops/ben"]);
    town.ends("ben", ben).await;
    assert!(town.places("west").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_there_still_though_it_was_taken_is_owed() {
    let town = Town::new().await;
    let id = town.gives("ann", "west", "member").await;
    town.state.lock().unwrap().sticks.insert("ops/ann".to_owned());
    town.house.app.give_back(&town.house.caller("ann").await, id).await.unwrap();
    assert_eq!(town.house.try_ends(id).await, [TryEnd::Open], "nothing accounts for it, and it was booked as gone");
    town.state.lock().unwrap().sticks.clear();
    assert_eq!(town.house.try_ends(id).await, [TryEnd::Gone]);
    assert!(town.places("west").is_empty());
}

/// Only what gives it at this target and now accounts for a place that is there before it is given.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_somebody_had_before_is_theirs_still() {
    let town = Town::new().await;
    let elsewhere = town.gives("ann", "east", "member").await;
    town.put("west", "ops/ann");
    let here = town.gives("ann", "west", "member").await;
    town.ends("ann", here).await;
    assert_eq!(town.places("west"), ["ops/ann"], "a grant at another target was taken for its reason");
    town.ends("ann", elsewhere).await;
    assert!(town.places("east").is_empty());
    town.put("east", "ops/ann");
    let again = town.gives("ann", "east", "member").await;
    town.ends("ann", again).await;
    assert_eq!(town.places("east"), ["ops/ann"], "a grant that is over was taken for its reason");
}

/// What is given to another accounts for it as little as what was given to them over it.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_somebody_had_before_outlives_all_that_give_it_besides() {
    let town = Town::new().await;
    town.put("west", "ops/ann");
    town.gives("ben", "west", "member").await;
    let (one, two) = (town.gives("ann", "west", "member").await, town.gives("ann", "west", "guest").await);
    for id in [two, one] {
        town.ends("ann", id).await;
        assert_eq!(town.places("west"), ["ops/ann", "ops/ben"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_place_somebody_took_has_their_grant_ended_once() {
    let town = Town::new().await;
    let (kept, lost) = (town.gives("ann", "west", "member").await, town.gives("ben", "west", "member").await);
    let west = town.house.resource("west").await;
    assert_eq!(town.house.app.confirm_memberships(west).await.unwrap(), 0);
    town.take("west", "ops/ben");
    assert_eq!(town.house.app.confirm_memberships(west).await.unwrap(), 1);
    let seen = "it is not there".to_owned();
    assert_eq!(cause(&town.house.grant(lost).await), Some(EndCause::TakenAway { seen }));
    assert!(town.house.grant(kept).await.is_live());
    assert_eq!(town.house.app.confirm_memberships(west).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_there_when_it_is_looked_at_alone_was_not_taken() {
    let town = Town::new().await;
    let held = town.gives("ann", "west", "member").await;
    town.state.lock().unwrap().missed.insert("ops/ann".to_owned());
    assert_eq!(town.house.app.confirm_memberships(town.house.resource("west").await).await.unwrap(), 0);
    assert!(town.house.grant(held).await.is_live());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inventory_of_places_leaves_out_what_grants_give() {
    let town = Town::new().await;
    town.gives("ann", "west", "member").await;
    town.put("west", "ops/zoe");
    let found = town.house.app.inventory(&town.house.caller("root").await, "west").await.unwrap();
    let principals: Vec<_> = found.inventory.standing.into_iter().map(|right| right.principal).collect();
    assert_eq!(principals, ["ops/zoe"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_target_is_reached_with_its_own_credential() {
    let town = Town::new().await;
    town.put("west", "ops/ann");
    for (target, there) in [("west", vec!["ops/ann"]), ("east", Vec::new())] {
        assert_eq!(town.house.app.traces(town.house.resource(target).await).await.unwrap(), there, "{target}");
    }
    let reached: Vec<_> = town.state.lock().unwrap().reached.clone().into_iter().collect();
    let own = |target: &str| (target.to_owned(), format!("the key of {target}"));
    assert_eq!(reached, [own("east"), own("west")]);
}

/// An answer is one of this account only while there is one for each.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_back_of_too_few_proves_nothing_of_any() {
    let town = Town::new().await;
    let mut leases = Vec::new();
    for who in ["ann", "ben"] {
        let id = town.gives(who, "hall", "member").await;
        town.house.app.give_back(&town.house.caller(who).await, id).await.unwrap();
        leases.push(town.house.leases(id).await[0].clone());
    }
    leases.sort_by_key(|lease| lease.id);
    let ids: Vec<_> = leases.iter().map(|lease| lease.id).collect();
    {
        let mut state = town.state.lock().unwrap();
        state.sticks.insert(leases[0].artifact.clone());
        state.short = true;
    }
    let tried = town.house.app.try_end_together(town.house.resource("hall").await, &ids).await;
    let how: BTreeMap<_, _> = tried.into_iter().map(|(id, how)| (id, how.unwrap())).collect();
    assert_eq!((how[&ids[0]], how[&ids[1]]), (TryEnd::Open, TryEnd::Gone));
    assert_eq!(town.places("hall"), [leases[0].artifact.clone()]);
    assert_eq!(town.state.lock().unwrap().rounds, 1, "two are no round");
}

/// What carries the name of a lease that was open after the first look is nobody's residue.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_open_since_a_moment_until_it_was_gone_before_it() {
    let house = House::new().await;
    let grant = house.hold("ann", "attic", "read", 1).await;
    let lease = house.hand_out("ann", grant).await.unwrap().lease;
    let open = async |at| house.app.open_since(&[lease], at).await.unwrap();
    assert_eq!(open(house.app.now().plus(Span::from_hours(1))).await, HashSet::from([lease]));
    house.app.give_back(&house.caller("ann").await, grant).await.unwrap();
    house.try_ends(grant).await;
    let gone = house.app.now();
    assert_eq!(open(gone).await, HashSet::from([lease]));
    assert!(open(gone.plus(Span::from_micros(1))).await.is_empty());
}

/// Its account is gone already, and nothing else of it is to be waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_of_which_nothing_is_left_is_closed_as_soon_as_it_ends() {
    let house = House::new().await;
    let grant = house.hold("ann", "attic", "read", 1).await;
    let (ann, lease) = (house.caller("ann").await, house.hand_out("ann", grant).await.unwrap().lease);
    house.app.end_handed_out(&ann, lease).await.unwrap();
    assert_eq!(house.try_ends(grant).await, [TryEnd::Gone]);
    assert!(house.app.live(&ann).await.unwrap()[0].leases.is_empty());
    house.app.give_back(&ann, grant).await.unwrap();
    assert_eq!(house.grant(grant).await.state.name(), "closed");
}
