//! The claims about a kind that signs credentials and makes nothing at its target.

use wane_domain::lease::LeaseState;

use super::account::{accepted, cut, refused, within};
use super::subject::Subject;
use super::{Report, hides, must};
use crate::contract::{EndOutcome, Presence};

pub(super) async fn run(subject: &dyn Subject, report: &mut Report) -> Result<(), String> {
    let declared = subject.kind().describe(&subject.target().resource.settings);
    let issuer = subject.kind().issuer().ok_or("the kind gives credentials and has no issuer")?;
    let lease = subject.lease()?;
    let longest = subject.permit(&lease)?.not_after();
    let given =
        subject.give(&lease, subject.permit(&lease)?).await.map_err(|e| format!("it could not be issued: {e}"))?;
    let Some(not_after) = given.not_after else {
        return Err("a signed credential without an end of its own".to_owned());
    };
    must(not_after <= longest && not_after <= lease.end, || {
        "it is valid for longer than its permit or lease".to_owned()
    })?;
    must(not_after <= subject.now().plus(issuer.longest()), || {
        "it is valid for longer than one issue may be".to_owned()
    })?;
    report.show("issued within permit, lease and the kind's own cap");
    for (place, text) in [
        ("Debug", given.debug.clone()),
        ("the notes", given.notes.to_string()),
        ("the public part", given.public.to_string()),
    ] {
        hides(&text, &given.secret, place)?;
    }
    report.show("the secret shows in no Debug, note or public part");
    accepted(subject, &given, "after it was issued").await?;
    report.show("accepted by the real target");

    let mut live = lease.clone();
    live.notes = given.notes.clone();
    // As the engine has it by then: made, and from the end on owed.
    live.state = LeaseState::Live { since: subject.now() };
    let read_back = subject.kind().effects().read_back(&subject.target(), &live).await.map_err(|e| e.to_string())?;
    must(matches!(read_back, Presence::Present { .. }), || format!("it is accepted, yet read back: {read_back:?}"))?;
    let mut session = subject.open(&given).await?;
    must(session.works().await?, || "a session that was just opened does not work".to_owned())?;

    let asked = subject.now();
    live.state = LeaseState::Revoking { since: asked, was_live: true };
    if declared.revokes_logins {
        subject.revoke(&live).await?;
    }
    let ended = subject.kind().effects().end(&subject.target(), &live).await.map_err(|e| e.to_string())?;
    match (&ended, declared.revokes_logins) {
        (EndOutcome::Done, true) => {}
        (EndOutcome::Unrecallable { until, .. }, _) => {
            must(*until <= not_after.plus(wane_domain::time::Span::from_mins(1)), || {
                "nothing can call it back for longer than it is valid".to_owned()
            })?;
        }
        (EndOutcome::Retry { .. }, true) => {}
        (EndOutcome::Done | EndOutcome::Retry { .. } | EndOutcome::Quarantined { .. }, _) => {
            return Err(format!("ending it said {ended:?}"));
        }
    }
    if declared.revokes_logins {
        let took = refused(subject, &given).await?.since(asked).micros();
        within(took, declared.residual_logins_secs, "logins")?;
        report.logins_refused_after = Some(took);
        report.show("revoked: a new login is refused within the declared time");
        let read_back =
            subject.kind().effects().read_back(&subject.target(), &live).await.map_err(|e| e.to_string())?;
        must(!matches!(read_back, Presence::Present { .. }), || {
            format!("it is refused, yet read back: {read_back:?}")
        })?;
    }
    if declared.kills_sessions {
        report.session_cut_after = Some(cut(subject, &mut session).await?.since(asked).micros());
        report.show("revoked: the open session is cut");
    } else {
        must(declared.residual_sessions_secs.is_none(), || {
            "sessions are not cut, yet a time for it is declared".to_owned()
        })?;
        must(session.works().await?, || "sessions are declared to go on, and this one did not".to_owned())?;
        report.show("as declared, the open session goes on");
    }
    Ok(())
}
