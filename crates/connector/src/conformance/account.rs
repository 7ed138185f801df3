//! The claims about a kind that makes accounts at its target.

use wane_domain::lease::LeaseData;
use wane_domain::time::Time;

use super::subject::{Given, Live, Subject, Used};
use super::{Report, hides, must};
use crate::contract::{Artifact, Describe, EndOutcome, Presence};

/// A generous bound on anything that is not measured against a declaration, in seconds.
const PATIENCE_SECS: u64 = 30;
/// An end that meets contention may need another try or two.
const TRIES: u32 = 5;

pub(super) async fn run(subject: &dyn Subject, report: &mut Report) -> Result<(), String> {
    let declared = subject.kind().describe(&subject.target().resource.settings);
    half_made(subject, report).await?;
    whole_life(subject, &declared, report).await?;
    made_twice(subject, report).await?;
    orphan(subject, report).await?;
    together(subject, report).await?;
    mistaken(subject, report).await
}

/// What was only intended ends like everything else.
async fn half_made(subject: &dyn Subject, report: &mut Report) -> Result<(), String> {
    let lease = subject.lease()?;
    absent(subject, &lease, "before anything was made").await?;
    end(subject, &lease).await?;
    absent(subject, &lease, "after the end of what was never made").await?;
    report.show("what was only intended ends, and is read back absent");
    Ok(())
}

async fn whole_life(subject: &dyn Subject, declared: &Describe, report: &mut Report) -> Result<(), String> {
    let before = traces(subject).await?;
    let (lease, given) = make(subject, subject.lease()?).await?;
    must(given.not_after.is_none_or(|at| at <= lease.end), || {
        "it works by itself for longer than its lease".to_owned()
    })?;
    accepted(subject, &given, "after it was made").await?;
    present(subject, &lease).await?;
    report.show("made, used, read back present");
    secrets(subject, &lease, &given).await?;
    report.show("the secret shows in no Debug, note, public part or inventory");

    let mut session = subject.open(&given).await?;
    must(session.works().await?, || "a session that was just opened does not work".to_owned())?;
    let asked = subject.now();
    end(subject, &lease).await?;
    if declared.revokes_logins {
        let took = refused(subject, &given).await?.since(asked).micros();
        within(took, declared.residual_logins_secs, "logins")?;
        report.logins_refused_after = Some(took);
        report.show("ended: a new login is refused within the declared time");
    }
    if declared.kills_sessions {
        let took = cut(subject, &mut session).await?.since(asked).micros();
        if let Some(declared) = declared.residual_sessions_secs {
            within(took, declared, "open sessions")?;
        }
        report.session_cut_after = Some(took);
        report.show("ended: the open session is cut within the declared time");
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
    let intended = subject.lease()?;
    // As after a crash: the first make is not remembered, only the name is.
    let (_, first) = make(subject, intended.clone()).await?;
    let (lease, second) = make(subject, intended).await?;
    must(first.object == second.object, || format!("a second was made: {:?} and {:?}", first.object, second.object))?;
    let marked = inventory(subject).await?;
    let count = marked.iter().filter(|artifact| artifact.name == lease.artifact).count();
    must(count == 1, || format!("the inventory lists `{}` {count} times", lease.artifact))?;
    accepted(subject, &second, "with the second secret").await?;
    if !first.secret.is_empty() {
        must(*first.secret != *second.secret, || "the second make handed the first secret out again".to_owned())?;
        refused(subject, &first).await?;
    }
    end(subject, &lease).await?;
    refused(subject, &second).await?;
    absent(subject, &lease, "after its end").await?;
    report.show("made twice: one artifact, a new secret that works, the old one refused");
    Ok(())
}

/// What shares a round ends as it would alone, and nobody else does. A kind may leave any of it to be
/// ended alone.
async fn together(subject: &dyn Subject, report: &mut Report) -> Result<(), String> {
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(make(subject, subject.lease()?).await?);
    }
    let Some((bystander, theirs)) = made.pop() else { return Ok(()) };
    let (effects, target) = (subject.kind().effects(), subject.target());
    let round: Vec<&LeaseData> = made.iter().map(|(lease, _)| lease).collect();
    let ended = effects.end_together(&target, &round).await.map_err(|e| e.to_string())?;
    must(ended.len() == round.len(), || format!("a round of {} was answered {} times", round.len(), ended.len()))?;
    for (lease, outcome) in round.iter().zip(&ended) {
        // Whatever it said, the next try is the ordinary one.
        if *outcome != Some(EndOutcome::Done) {
            end(subject, lease).await?;
        }
    }
    let seen = effects.read_back_together(&target, &round).await.map_err(|e| e.to_string())?;
    must(seen.len() == round.len(), || format!("{} were read back, {} answered", round.len(), seen.len()))?;
    for ((lease, given), seen) in made.iter().zip(seen) {
        must(matches!(&seen, Presence::Absent { proof } if !proof.is_empty()), || {
            format!("after its round, read back: {seen:?}")
        })?;
        absent(subject, lease, "after its round").await?;
        refused(subject, given).await?;
        end(subject, lease).await?;
    }
    accepted(subject, &theirs, "after a round of others").await?;
    let all: Vec<&LeaseData> = round.iter().copied().chain([&bystander]).collect();
    let seen = effects.read_back_together(&target, &all).await.map_err(|e| e.to_string())?;
    must(matches!(seen.last(), Some(Presence::Present { .. })), || {
        format!("beside those of a round, read back: {:?}", seen.last())
    })?;
    end(subject, &bystander).await?;
    absent(subject, &bystander, "after its end").await?;
    report.show("those of one round end, each read back, and nobody else");
    Ok(())
}

async fn orphan(subject: &dyn Subject, report: &mut Report) -> Result<(), String> {
    let (lease, given) = make(subject, subject.lease()?).await?;
    let Some(planted) = inventory(subject).await?.into_iter().find(|artifact| artifact.name == lease.artifact) else {
        return Err(format!("the inventory does not list `{}`", lease.artifact));
    };
    must(planted.object == given.object, || {
        format!("the inventory names {:?}, made was {:?}", planted.object, given.object)
    })?;
    for _ in 0..TRIES {
        match subject.kind().effects().remove_orphan(&subject.target(), &planted).await.map_err(|e| e.to_string())? {
            EndOutcome::Done => break,
            EndOutcome::Retry { .. } => subject.pause().await,
            other @ (EndOutcome::Quarantined { .. } | EndOutcome::Unrecallable { .. }) => {
                return Err(format!("the orphan was not removed: {other:?}"));
            }
        }
    }
    refused(subject, &given).await?;
    absent(subject, &lease, "after it was removed as an orphan").await?;
    let again = inventory(subject).await?;
    must(again.iter().all(|artifact| artifact.name != lease.artifact), || {
        "the removed orphan is still listed".to_owned()
    })?;
    report.show("a planted orphan is found and removed");
    Ok(())
}

/// What is not ours, or not named like ours, is never removed.
async fn mistaken(subject: &dyn Subject, report: &mut Report) -> Result<(), String> {
    let (lease, given) = make(subject, subject.lease()?).await?;
    for name in ["root", "admin", "wane_", "x\"; drop role y; --", "a\0b", "$$", "../../etc/passwd", "wane_a b"] {
        let artifact = Artifact { name: name.to_owned(), object: None, detail: String::new() };
        let outcome = subject.kind().effects().remove_orphan(&subject.target(), &artifact).await;
        must(!matches!(outcome, Ok(EndOutcome::Unrecallable { .. })), || {
            format!("{name:?} was taken for a credential")
        })?;
    }
    // Another object under the recorded name is not the one that was made.
    let mut stale = lease.clone();
    stale.object = stale.object.map(|_| "4000000000".to_owned());
    if stale.object.is_some() {
        let outcome = subject.kind().effects().end(&subject.target(), &stale).await.map_err(|e| e.to_string())?;
        must(outcome != EndOutcome::Done, || "something with another id under our name was ended".to_owned())?;
    }
    accepted(subject, &given, "after ends that meant something else").await?;
    end(subject, &lease).await?;
    absent(subject, &lease, "after its end").await?;
    report.show("hostile names and foreign objects are left alone");
    Ok(())
}

async fn make(subject: &dyn Subject, mut lease: LeaseData) -> Result<(LeaseData, Given), String> {
    let permit = subject.permit(&lease)?;
    let given = subject.give(&lease, permit).await.map_err(|e| format!("it could not be made: {e}"))?;
    lease.object.clone_from(&given.object);
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

async fn present(subject: &dyn Subject, lease: &LeaseData) -> Result<(), String> {
    match presence(subject, lease).await? {
        Presence::Present { .. } => Ok(()),
        other @ (Presence::Absent { .. } | Presence::LoginRefused { .. }) => {
            Err(format!("it was made, yet read back: {other:?}"))
        }
    }
}

async fn absent(subject: &dyn Subject, lease: &LeaseData, when: &str) -> Result<(), String> {
    match presence(subject, lease).await? {
        Presence::Absent { proof } => must(!proof.is_empty(), || "absence was read back without a proof".to_owned()),
        other @ (Presence::Present { .. } | Presence::LoginRefused { .. }) => {
            Err(format!("{when}, read back: {other:?}"))
        }
    }
}

pub(super) async fn accepted(subject: &dyn Subject, given: &Given, when: &str) -> Result<(), String> {
    match subject.use_it(given).await? {
        Used::Accepted => Ok(()),
        Used::Refused { why } => Err(format!("{when} it was refused: {why}")),
    }
}

/// Fails if it still lets in; says when that was tried.
pub(super) async fn refused(subject: &dyn Subject, given: &Given) -> Result<Time, String> {
    let tried = subject.now();
    match subject.use_it(given).await? {
        Used::Refused { .. } => Ok(tried),
        Used::Accepted => Err("it was ended, and still accepted".to_owned()),
    }
}

/// Waits until the session is cut; says when that was looked for.
pub(super) async fn cut(subject: &dyn Subject, session: &mut Box<dyn Live>) -> Result<Time, String> {
    let begun = subject.now();
    loop {
        let looked = subject.now();
        if !session.works().await? {
            return Ok(looked);
        }
        must(looked.since(begun).secs() < PATIENCE_SECS, || "the open session goes on".to_owned())?;
        subject.pause().await;
    }
}

/// A declared residual is at least the observed one, up to a second between two looks.
pub(super) fn within(micros: u64, declared_secs: u64, what: &str) -> Result<(), String> {
    let most = declared_secs.saturating_add(1).saturating_mul(1_000_000);
    must(micros <= most, || format!("{what}: {declared_secs} s are declared, {micros} µs were seen"))
}

async fn inventory(subject: &dyn Subject) -> Result<Vec<Artifact>, String> {
    let inventory = subject.kind().effects().inventory(&subject.target()).await.map_err(|e| e.to_string())?;
    Ok(inventory.marked)
}

async fn traces(subject: &dyn Subject) -> Result<Vec<String>, String> {
    subject.kind().effects().traces(&subject.target()).await.map_err(|e| e.to_string())
}

async fn secrets(subject: &dyn Subject, lease: &LeaseData, given: &Given) -> Result<(), String> {
    let inventory = subject.kind().effects().inventory(&subject.target()).await.map_err(|e| e.to_string())?;
    for (place, text) in [
        ("Debug of what was handed out", given.debug.clone()),
        ("the notes", given.notes.to_string()),
        ("the public part", given.public.to_string()),
        ("Debug of the target", format!("{:?}", subject.target())),
        ("the inventory", format!("{inventory:?}")),
        ("the read-back", format!("{:?}", presence(subject, lease).await?)),
    ] {
        hides(&text, &given.secret, place)?;
        if let Some(own) = subject.target().credential.and_then(wane_domain::secret::Secret::expose_str) {
            hides(&text, own, place)?;
        }
    }
    Ok(())
}
