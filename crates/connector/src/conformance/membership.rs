//! The claims about a kind that gives places in groups: a membership carries no mark, so what is shown is
//! that exactly the value of the lease comes and goes, and that who else holds it is left to the caller.

use wane_domain::lease::LeaseData;

use super::account::{accepted, cut, refused, within};
use super::subject::{Given, Subject};
use super::{Report, must};
use crate::contract::{Artifact, ConnectError, Describe, EndOutcome, Prepared, Presence};

/// An end that meets contention may need another try or two.
const TRIES: u32 = 5;

pub(super) async fn run(subject: &dyn Subject, report: &mut Report) -> Result<(), String> {
    let declared = subject.kind().describe(&subject.target().resource.settings);
    half_made(subject, report).await?;
    whole_life(subject, &declared, report).await?;
    made_twice(subject, report).await?;
    was_there(subject, report).await?;
    taken(subject, report).await?;
    mistaken(subject, report).await
}

async fn prepare(subject: &dyn Subject) -> Result<Prepared, String> {
    let effects = subject.kind().effects();
    effects.prepare(&subject.target(), subject.role(), subject.holder()?).await.map_err(|e| e.to_string())
}

/// A lease as it is written down before anything is made.
async fn intended(subject: &dyn Subject) -> Result<LeaseData, String> {
    let prepared = prepare(subject).await?;
    let mut lease = subject.lease()?;
    lease.object = Some(prepared.object);
    lease.notes = prepared.notes;
    lease.standing = prepared.there;
    Ok(lease)
}

async fn make(subject: &dyn Subject, mut lease: LeaseData) -> Result<(LeaseData, Given), String> {
    let permit = subject.permit(&lease)?;
    let given = subject.give(&lease, permit).await.map_err(|e| format!("it could not be made: {e}"))?;
    must(given.object == lease.object, || format!("looked up was {:?}, made {:?}", lease.object, given.object))?;
    lease.notes = given.notes.clone();
    Ok((lease, given))
}

async fn end(subject: &dyn Subject, lease: &LeaseData) -> Result<(), String> {
    let mut last = EndOutcome::Done;
    for _ in 0..TRIES {
        last = subject.kind().effects().end(&subject.target(), lease).await.map_err(|e| e.to_string())?;
        match last {
            EndOutcome::Done => return Ok(()),
            EndOutcome::Retry { .. } => subject.pause().await,
            EndOutcome::Quarantined { .. } | EndOutcome::Unrecallable { .. } => break,
        }
    }
    Err(format!("`{}` did not end: {last:?}", lease.artifact))
}

async fn presence(subject: &dyn Subject, lease: &LeaseData) -> Result<Presence, String> {
    subject.kind().effects().read_back(&subject.target(), lease).await.map_err(|e| e.to_string())
}

async fn absent(subject: &dyn Subject, lease: &LeaseData, when: &str) -> Result<(), String> {
    let seen = presence(subject, lease).await?;
    must(matches!(&seen, Presence::Absent { proof } if !proof.is_empty()), || format!("{when}, read back: {seen:?}"))
}

async fn present(subject: &dyn Subject, lease: &LeaseData, when: &str) -> Result<(), String> {
    let seen = presence(subject, lease).await?;
    must(matches!(seen, Presence::Present { .. }), || format!("{when}, read back: {seen:?}"))
}

async fn half_made(subject: &dyn Subject, report: &mut Report) -> Result<(), String> {
    let lease = intended(subject).await?;
    must(lease.standing.is_none(), || format!("it was there before anything was made: {:?}", lease.standing))?;
    absent(subject, &lease, "before anything was made").await?;
    end(subject, &lease).await?;
    absent(subject, &lease, "after the end of what was never made").await?;
    report.show("what was only intended ends, and is read back absent");
    Ok(())
}

async fn whole_life(subject: &dyn Subject, declared: &Describe, report: &mut Report) -> Result<(), String> {
    let before = traces(subject).await?;
    let (lease, given) = make(subject, intended(subject).await?).await?;
    must(given.secret.is_empty(), || "a membership is no secret, yet one was handed out".to_owned())?;
    must(given.not_after.is_none_or(|at| at <= lease.end), || "it works longer than its lease".to_owned())?;
    accepted(subject, &given, "after it was made").await?;
    present(subject, &lease, "after it was made").await?;
    report.show("made, used, read back present");
    if let Some(own) = subject.target().credential.and_then(wane_domain::secret::Secret::expose_str) {
        let shown = format!("{} {} {} {:?}", given.debug, given.notes, given.public, subject.target());
        super::hides(&shown, own, "what was handed out")?;
        report.show("the connector's own secret shows nowhere");
    }
    let mut session = subject.open(&given).await?;
    must(session.works().await?, || "a session that was just opened does not work".to_owned())?;
    let asked = subject.now();
    end(subject, &lease).await?;
    if declared.revokes_logins {
        let took = refused(subject, &given).await?.since(asked).micros();
        within(took, declared.residual_logins_secs, "logins")?;
        report.logins_refused_after = Some(took);
        report.show("ended: what it let in is refused within the declared time");
    }
    if declared.kills_sessions {
        report.session_cut_after = Some(cut(subject, &mut session).await?.since(asked).micros());
        report.show("ended: the open session is cut");
    }
    absent(subject, &lease, "after its end").await?;
    end(subject, &lease).await?;
    absent(subject, &lease, "after its second end").await?;
    report.show("ended twice, read back absent both times");
    let left: Vec<String> = traces(subject).await?.into_iter().filter(|line| !before.contains(line)).collect();
    must(left.is_empty(), || format!("using the role as usual left behind: {}", left.join("; ")))?;
    report.show("nothing was left behind");
    Ok(())
}

async fn made_twice(subject: &dyn Subject, report: &mut Report) -> Result<(), String> {
    let lease = intended(subject).await?;
    // As after a crash: the first make is not remembered, only what was looked up before it.
    make(subject, lease.clone()).await?;
    let (lease, given) = make(subject, lease).await?;
    accepted(subject, &given, "after it was made twice").await?;
    let again = prepare(subject).await?;
    must(again.there.is_some() && Some(&again.object) == lease.object.as_ref(), || {
        format!("another look does not find what was made: {again:?}")
    })?;
    end(subject, &lease).await?;
    refused(subject, &given).await?;
    absent(subject, &lease, "after one end of what was made twice").await?;
    report.show("made twice is there once, and one end takes it");
    Ok(())
}

/// What was there before is found before anything is written down, and is not made a second time.
async fn was_there(subject: &dyn Subject, report: &mut Report) -> Result<(), String> {
    subject.give_past_wane().await?;
    let lease = intended(subject).await?;
    must(lease.standing.as_ref().is_some_and(|seen| !seen.is_empty()), || {
        "what was there before was not seen".to_owned()
    })?;
    let (lease, given) = make(subject, lease).await?;
    accepted(subject, &given, "beside what was there before").await?;
    present(subject, &lease, "beside what was there before").await?;
    let listed = subject.kind().effects().inventory_beside(&subject.target(), std::slice::from_ref(&lease)).await;
    let standing = listed.map_err(|e| e.to_string())?.standing;
    must(!standing.is_empty(), || "what was there before is not listed as standing".to_owned())?;
    subject.take_past_wane().await?;
    absent(subject, &lease, "after what was there before was taken").await?;
    // It would be made in the name of what was there before, and stay for ever.
    let permit = subject.permit(&lease)?;
    let again = subject.give(&lease, permit).await;
    must(matches!(again, Err(ConnectError::Refused { .. })), || {
        format!("what was there before is gone, and was made anew in its name: {again:?}")
    })?;
    absent(subject, &lease, "after it was not made anew").await?;
    report.show("what was there before is seen, listed as standing, and never made in its name");
    Ok(())
}

/// What is ours is not standing; what somebody takes is read back absent; what somebody gives back is found.
async fn taken(subject: &dyn Subject, report: &mut Report) -> Result<(), String> {
    let effects = subject.kind().effects();
    let (lease, given) = make(subject, intended(subject).await?).await?;
    let beside = |leases: Vec<LeaseData>| {
        let effects = std::sync::Arc::clone(&effects);
        async move { effects.inventory_beside(&subject.target(), &leases).await.map_err(|e| e.to_string()) }
    };
    let with = beside(vec![lease.clone()]).await?.standing.len();
    let without = beside(Vec::new()).await?.standing.len();
    must(without == with.saturating_add(1), || {
        format!("of {without} that stand, {with} do so for another reason than the lease")
    })?;
    subject.take_past_wane().await?;
    absent(subject, &lease, "after somebody took it").await?;
    refused(subject, &given).await?;
    end(subject, &lease).await?;
    subject.give_past_wane().await?;
    present(subject, &lease, "after somebody gave it back").await?;
    subject.take_past_wane().await?;
    report.show("what a lease accounts for is not standing; what somebody takes or gives back is seen");
    Ok(())
}

/// Nothing is ended by a name alone, nor what has other ids at the target.
async fn mistaken(subject: &dyn Subject, report: &mut Report) -> Result<(), String> {
    let (lease, given) = make(subject, intended(subject).await?).await?;
    for name in ["root", "wane_", "cn=admins", "*", ")(", "a\0b", &lease.artifact] {
        let artifact = Artifact { name: name.to_owned(), object: lease.object.clone(), detail: String::new() };
        let outcome = subject.kind().effects().remove_orphan(&subject.target(), &artifact).await;
        must(!matches!(outcome, Ok(EndOutcome::Done)), || format!("{name:?} was ended by its name"))?;
    }
    accepted(subject, &given, "after ends that meant something else").await?;
    end(subject, &lease).await?;
    absent(subject, &lease, "after its end").await?;
    report.show("nothing is ended by a name");
    Ok(())
}

async fn traces(subject: &dyn Subject) -> Result<Vec<String>, String> {
    subject.kind().effects().traces(&subject.target()).await.map_err(|e| e.to_string())
}
