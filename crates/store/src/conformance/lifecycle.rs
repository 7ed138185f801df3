//! Requests, grants, leases and what hangs on them.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::json;
use wane_domain::closure::{ClosureBasis, EndCause};
use wane_domain::grant::GrantEvent;
use wane_domain::id::{GrantId, LeaseId, PersonId, SessionId};
use wane_domain::lease::{Lease, LeaseEvent};
use wane_domain::proved::{ProvedBy, Strength};
use wane_domain::text::Name;
use wane_domain::time::Span;

use super::fixture::{Fixture, told};
use super::{holds, same};
use crate::commit::{Put, Seen, Write};
use crate::port::{Store, StoreError};
use crate::query::{Due, DueWhat};
use crate::rows::{
    Answer, EnteredBy, Issuance, Login, Sealed, Standing, TokenKind, TokenOwner, Use, Versioned, Way, WayIn,
    identity_key, provider_session,
};

pub(crate) async fn everything_comes_back<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let (request, grant, lease) = f.leased(person, resource, role)?;
    let issuance = f.issuance(7, &lease);
    let mut writes = Fixture::writes((&request, &grant, &lease));
    writes.push(Write::Issuance(issuance.clone()));
    // In whatever order they were put together.
    writes.reverse();
    s.commit(f.commit(writes)?).await.map_err(told)?;
    same("the request", &s.request(request.id).await, &Ok(Some(Versioned { value: request.clone(), generation: 1 })))?;
    same("the grant", &s.grant(grant.id).await, &Ok(Some(Versioned { value: grant.clone(), generation: 1 })))?;
    same("the lease", &s.lease(lease.id).await, &Ok(Some(Versioned { value: lease.clone(), generation: 1 })))?;
    same("the issuance by its number", &s.issuance(7).await, &Ok(Some(issuance.clone())))?;
    same("a number that was never given", &s.issuance(8).await, &Ok(None))?;
    same("the issuance", &s.issuances(lease.id).await, &Ok(vec![issuance]))?;

    let one = |value: Lease| Versioned { value, generation: 1 };
    let standing = Standing {
        grant: Versioned { value: grant.clone(), generation: 1 },
        request: Versioned { value: request.clone(), generation: 1 },
        open: vec![one(lease.clone())],
    };
    same("the grant as it stands", &s.standing(grant.id).await, &Ok(Some(standing)))?;
    same("a grant that was never given", &s.standing(f.id::<GrantId>()).await, &Ok(None))?;

    let seen = s.grant(grant.id).await.map_err(told)?.ok_or("the grant is gone")?;
    let (ending, _) = seen.value.clone().apply(GrantEvent::End(EndCause::Returned), f.now).map_err(told)?;
    s.commit(f.commit(vec![Write::Grant(Put::over(&seen, ending.clone()))])?).await.map_err(told)?;
    same("the grant after its end", &s.grant(grant.id).await, &Ok(Some(Versioned { value: ending, generation: 2 })))?;
    same("a lease that was never made", &s.lease(f.id::<LeaseId>()).await, &Ok(None))
}

pub(crate) async fn what_is_due_comes_in_order<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let waiting = f.request(person, resource, role, 1)?;
    let (granted, scheduled) = f.granted(person, resource, role)?;
    f.now = f.now.plus(Span::from_secs(1));
    let (request, active, lease) = f.leased(person, resource, role)?;
    let retry = f.now.plus(Span::from_secs(30));
    let revoking = end_of(&lease, f)?;
    let (revoking, _) = revoking
        .apply(
            LeaseEvent::Tried { next: retry, met: "down".to_owned(), quarantined: None, unrecallable_until: None },
            f.now,
        )
        .map_err(told)?;
    let mut writes = Fixture::writes((&request, &active, &revoking));
    writes.extend([
        Write::Request(Put::new(waiting.clone())),
        Write::Request(Put::new(granted)),
        Write::Grant(Put::new(scheduled.clone())),
    ]);
    s.commit(f.commit(writes)?).await.map_err(told)?;

    let at = |what: &str, time: Option<_>| time.ok_or_else(|| format!("{what} has no end"));
    let waits_until = at("the waiting request", waiting.due())?;
    let want = [
        Due { at: retry, what: DueWhat::Lease(revoking.id, revoking.resource) },
        Due { at: at("the scheduled grant", scheduled.due())?, what: DueWhat::Grant(scheduled.id) },
        Due { at: at("the active grant", active.due())?, what: DueWhat::Grant(active.id) },
        Due { at: waits_until, what: DueWhat::Request(waiting.id) },
    ];
    for n in 0..want.len() {
        let (past, rest) = want.split_at(n);
        let Some(next) = rest.first() else { continue };
        let just_before = next.at.minus(Span::from_micros(1));
        same("what is due just before the next", &s.due(just_before, None, 10).await, &Ok(past.to_vec()))?;
        same("when the next is due", &s.next_due(just_before).await, &Ok(Some(next.at)))?;
        let mut so_far = past.to_vec();
        so_far.push(*next);
        same("what is due at its moment", &s.due(next.at, None, 10).await, &Ok(so_far))?;
    }
    same(
        "the first two",
        &s.due(waits_until, None, 2).await.map(|d| d.iter().map(|d| d.at).collect::<Vec<_>>()),
        &Ok(want.iter().take(2).map(|d| d.at).collect()),
    )?;
    for (n, place) in want.iter().enumerate() {
        let rest = want.get(n.saturating_add(1)..).unwrap_or_default();
        same("what comes after", &s.due(waits_until, Some(*place), 10).await, &Ok(rest.to_vec()))?;
    }
    same("what is due after all", &s.next_due(waits_until).await, &Ok(None))?;

    let seen = s.lease(revoking.id).await.map_err(told)?.ok_or("the lease is gone")?;
    let (gone, _) = seen
        .value
        .clone()
        .apply(LeaseEvent::Proven { basis: ClosureBasis::AbsentReadBack { proof: "no such key".to_owned() } }, f.now)
        .map_err(told)?;
    s.commit(f.commit(vec![Write::Lease(Put::over(&seen, gone))])?).await.map_err(told)?;
    same("what is due once the lease is gone", &s.due(retry, None, 10).await, &Ok(Vec::new()))
}

/// A lease whose end has begun.
fn end_of(lease: &Lease, f: &Fixture) -> Result<Lease, String> {
    lease.clone().apply(LeaseEvent::End, f.now).map(|(l, _)| l).map_err(told)
}

pub(crate) async fn revoked_is_what_would_still_work<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let ssh: Name = "kind-a".parse().map_err(told)?;
    let (request, grant, lease) = f.leased(person, resource, role)?;
    let (live, _) = lease.apply(LeaseEvent::Made { object: None, notes: json!({}) }, f.now).map_err(told)?;
    let mut short = f.issuance(1, &live);
    short.not_after = f.now.plus(Span::from_mins(1));
    let long = f.issuance(2, &live);
    let mut writes = Fixture::writes((&request, &grant, &live));
    writes.extend([Write::Issuance(short.clone()), Write::Issuance(long.clone())]);
    s.commit(f.commit(writes)?).await.map_err(told)?;
    same("revoked while the lease lives", &s.revoked(&ssh, f.now).await, &Ok(Vec::new()))?;

    let seen = s.lease(live.id).await.map_err(told)?.ok_or("the lease is gone")?;
    let ending = end_of(&seen.value, f)?;
    s.commit(f.commit(vec![Write::Lease(Put::over(&seen, ending))])?).await.map_err(told)?;
    same("revoked while it ends", &s.revoked(&ssh, f.now).await, &Ok(vec![short.clone(), long.clone()]))?;
    same("revoked at the end of one", &s.revoked(&ssh, short.not_after).await, &Ok(vec![long.clone()]))?;
    same("revoked after the end of both", &s.revoked(&ssh, long.not_after).await, &Ok(Vec::new()))?;
    same("revoked of another kind", &s.revoked(&"kind-b".parse().map_err(told)?, f.now).await, &Ok(Vec::new()))?;
    match s.commit(f.commit(vec![Write::Issuance(long)])?).await {
        Err(StoreError::Conflict(_)) => Ok(()),
        other => Err(format!("a serial number that was used gave {other:?}")),
    }
}

/// One of several under a lease that goes on.
pub(crate) async fn one_issue_is_revoked_by_itself<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let kind: Name = "kind-a".parse().map_err(told)?;
    let (request, grant, lease) = f.leased(person, resource, role)?;
    let (live, _) = lease.apply(LeaseEvent::Made { object: None, notes: json!({}) }, f.now).map_err(told)?;
    let (one, other) = (f.issuance(1, &live), f.issuance(2, &live));
    let mut writes = Fixture::writes((&request, &grant, &live));
    writes.extend([Write::Issuance(one.clone()), Write::Issuance(other.clone())]);
    s.commit(f.commit(writes)?).await.map_err(told)?;
    s.commit(f.commit(vec![Write::RevokeIssuance(1, f.now)])?).await.map_err(told)?;
    let one = Issuance { revoked: Some(f.now), ..one };
    same("revoked by itself", &s.revoked(&kind, f.now).await, &Ok(vec![one.clone()]))?;
    same("as it stands", &s.issuances(live.id).await, &Ok(vec![one.clone(), other.clone()]))?;
    same("by its number", &s.issuance(1).await, &Ok(Some(one.clone())))?;
    same("the other by its number", &s.issuance(2).await, &Ok(Some(other.clone())))?;
    same("once it ran out", &s.revoked(&kind, one.not_after).await, &Ok(Vec::new()))?;
    for serial in [1, 3] {
        match s.commit(f.commit(vec![Write::RevokeIssuance(serial, f.now)])?).await {
            Err(StoreError::Conflict(_)) => {}
            done => return Err(format!("revoking number {serial} gave {done:?}")),
        }
    }
    let seen = s.lease(live.id).await.map_err(told)?.ok_or("the lease is gone")?;
    let ending = end_of(&seen.value, f)?;
    s.commit(f.commit(vec![Write::Lease(Put::over(&seen, ending))])?).await.map_err(told)?;
    same("with its lease", &s.revoked(&kind, f.now).await, &Ok(vec![one, other]))
}

pub(crate) async fn a_use_is_made_once<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let (request, grant, lease) = f.leased(person, resource, role)?;
    s.commit(f.commit(Fixture::writes((&request, &grant, &lease)))?).await.map_err(told)?;
    let session = SessionId::of(lease.id);
    let one = |of: &str, number| Write::Use(Use { grant: grant.id, of: of.to_owned(), number, session, at: f.now });
    let (first, again, second, other) = (one("", 1), one("", 1), one("", 2), one("key", 1));
    same("uses before any", &s.uses(grant.id, "").await, &Ok(0))?;
    s.commit(f.commit(vec![first])?).await.map_err(told)?;
    match s.commit(f.commit(vec![again])?).await {
        Err(StoreError::Conflict(_)) => {}
        made => return Err(format!("a use that was made gave {made:?}")),
    }
    s.commit(f.commit(vec![second])?).await.map_err(told)?;
    s.commit(f.commit(vec![other])?).await.map_err(told)?;
    same("uses", &s.uses(grant.id, "").await, &Ok(2))?;
    same("uses of something else", &s.uses(grant.id, "key").await, &Ok(1))?;
    same("uses of another grant", &s.uses(f.id(), "").await, &Ok(0))
}

pub(crate) async fn serials_never_repeat<S: Store>(s: &S, _: &mut Fixture) -> Result<(), String> {
    let got = join_all((0..2_500).map(|_| s.next_serial()))
        .await
        .into_iter()
        .collect::<Result<Vec<u64>, _>>()
        .map_err(told)?;
    let different: BTreeSet<u64> = got.iter().copied().collect();
    same("different serial numbers", &different.len(), &got.len())
}

pub(crate) async fn tokens_answers_and_secrets<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (person, resource) = (f.id::<PersonId>(), f.id());
    let login = Login {
        person,
        password: "$argon2id$kit".to_owned(),
        totp: Some(vec![1, 2]),
        totp_step: Some(9),
        failures: 1,
        closed_until: Some(f.now),
    };
    let session = f.token(TokenKind::Session, TokenOwner::Person(person));
    let host = f.token(TokenKind::Host, TokenOwner::Resource(resource));
    let answer = Answer {
        person,
        key: "k".to_owned(),
        fingerprint: "f".to_owned(),
        status: 201,
        body: json!({ "id": 1 }),
        at: f.now,
    };
    let sealed = |byte| Write::Sealed(Sealed { key: "signer/kit".to_owned(), sealed: vec![byte, 0, 255] });
    let writes = vec![
        Write::Login(Put::new(login.clone())),
        Write::Token(Put::new(session.clone())),
        Write::Token(Put::new(host.clone())),
        sealed(1),
        Write::Answer(answer.clone()),
    ];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    same("the login", &s.login(person).await, &Ok(Some(Versioned { value: login, generation: 1 })))?;
    match s.commit(f.commit(vec![Write::RemoveLogin(person, 2)])?).await {
        Err(StoreError::Conflict(_)) => {}
        stale => return Err(format!("removing a login that was never so gave {stale:?}")),
    }
    s.commit(f.commit(vec![Write::RemoveLogin(person, 1)])?).await.map_err(told)?;
    same("the removed login", &s.login(person).await, &Ok(None))?;
    same("the token", &s.token(session.id).await, &Ok(Some(Versioned { value: session.clone(), generation: 1 })))?;
    same(
        "the person's tokens",
        &s.tokens_of(person).await,
        &Ok(vec![Versioned { value: session.clone(), generation: 1 }]),
    )?;
    same(
        "the host's tokens",
        &s.tokens_of_resource(resource).await,
        &Ok(vec![Versioned { value: host.clone(), generation: 1 }]),
    )?;
    same("the secret", &s.sealed("signer/kit").await, &Ok(Some(vec![1, 0, 255])))?;
    same("the answer", &s.answer(person, "k").await, &Ok(Some(answer.clone())))?;
    same("an answer to somebody else", &s.answer(f.id(), "k").await, &Ok(None))?;

    ways_in(s, f, person).await?;

    match s.commit(f.commit(vec![Write::Answer(answer)])?).await {
        Err(StoreError::Conflict(_)) => {}
        other => return Err(format!("a second answer under one key gave {other:?}")),
    }
    let mut spent = session.clone();
    spent.spent = Some(f.now);
    let writes =
        vec![Write::Token(Put { value: spent, seen: Seen::Generation(1) }), sealed(2), Write::RemoveToken(host.id)];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    same("the tokens once one is spent", &s.tokens_of(person).await, &Ok(Vec::new()))?;
    holds("the spent token is gone", s.token(session.id).await.map_err(told)?.map(drop))?;
    same("the removed token", &s.token(host.id).await, &Ok(None))?;
    same("the secret put again", &s.sealed("signer/kit").await, &Ok(Some(vec![2, 0, 255])))?;
    s.commit(f.commit(vec![Write::RemoveSealed("signer/kit".to_owned())])?).await.map_err(told)?;
    same("the removed secret", &s.sealed("signer/kit").await, &Ok(None))
}

/// Ways in are found by their key, which is one person's; sessions by the provider's session they came out of.
async fn ways_in<S: Store>(s: &S, f: &mut Fixture, person: PersonId) -> Result<(), String> {
    let (issuer, subject) = ("https://login.example.org", "Subject-1");
    let way = WayIn {
        id: f.id(),
        key: identity_key(issuer, subject),
        person,
        name: "corp".parse().map_err(told)?,
        at: f.now,
        entered_by: EnteredBy::Settings,
        used: None,
        what: Way::Identity { issuer: issuer.to_owned(), subject: subject.to_owned() },
    };
    let of_session = |session: &str| ProvedBy::Provider {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        session: Some(session.to_owned()),
        strength: Strength::Plain,
    };
    let mut came = f.token(TokenKind::Session, TokenOwner::Person(person));
    came.by = of_session("s1");
    let mut other = f.token(TokenKind::Session, TokenOwner::Person(person));
    other.by = of_session("s2");
    let writes = vec![
        Write::WayIn(Put::new(way.clone())),
        Write::Token(Put::new(came.clone())),
        Write::Token(Put::new(other.clone())),
    ];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    let kept = Versioned { value: way.clone(), generation: 1 };
    same("the way in", &s.way_in(&way.key).await, &Ok(Some(kept.clone())))?;
    same("the person's ways in", &s.ways_in(person).await, &Ok(vec![kept]))?;
    same("identities there", &s.identities_at(issuer).await, &Ok(vec![way.clone()]))?;
    same("identities elsewhere", &s.identities_at("https://login.example.com").await, &Ok(Vec::new()))?;
    same("nobody's way in", &s.way_in(&identity_key(issuer, "subject-1")).await, &Ok(None))?;
    let via = |session: &str| provider_session(issuer, session);
    let found = s.tokens_via(&via("s1")).await.map_err(told)?;
    same("what came out of a session", &found.iter().map(|t| t.value.id).collect::<Vec<_>>(), &vec![came.id])?;
    same("what came out of none", &s.tokens_via(&via("s3")).await, &Ok(Vec::new()))?;

    let twin = WayIn { id: f.id(), person: f.id(), ..way.clone() };
    match s.commit(f.commit(vec![Write::WayIn(Put::new(twin))])?).await {
        Err(StoreError::Refused(_)) => {}
        refused => return Err(format!("one identity of two people gave {refused:?}")),
    }
    let used = WayIn { used: Some(f.now), ..way.clone() };
    let writes = vec![
        Write::WayIn(Put { value: used, seen: Seen::Generation(1) }),
        Write::RemoveToken(came.id),
        Write::RemoveToken(other.id),
    ];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    same("what came out of it once it is over", &s.tokens_via(&via("s1")).await, &Ok(Vec::new()))?;
    s.commit(f.commit(vec![Write::RemoveWayIn(way.id)])?).await.map_err(told)?;
    same("the removed way in", &s.way_in(&way.key).await, &Ok(None))?;
    match s.commit(f.commit(vec![Write::RemoveWayIn(way.id)])?).await {
        Err(StoreError::Conflict(_)) => Ok(()),
        twice => Err(format!("a way in that was removed twice gave {twice:?}")),
    }
}
