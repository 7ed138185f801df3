//! What is known of recordings.

use wane_domain::time::Span;

use super::fixture::{Fixture, told};
use super::same;
use crate::commit::Write;
use crate::port::Store;
use crate::query::{RecordingFilter, Slice};
use crate::rows::{Lies, Recording, RecordingEnd, RecordingState, StoredObject, Whereabouts};

pub(crate) async fn they_are_put_ended_and_found<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (holder, resource) = (f.id(), f.id());
    let mut all: Vec<Recording> = Vec::new();
    for n in 0..3 {
        f.now = f.now.plus(Span::from_secs(60));
        let recording = Recording {
            session: f.id(),
            grant: f.id(),
            holder: if n == 0 { holder } else { f.id() },
            resource: if n == 1 { resource } else { f.id() },
            role: f.id(),
            login: "deploy".to_owned(),
            began: f.now,
            end: None,
            deleted: None,
            lies: Lies::Local,
        };
        s.commit(f.commit(vec![Write::Recording(recording.clone())])?).await.map_err(told)?;
        all.push(recording);
    }
    let [first, second, third] = <[Recording; 3]>::try_from(all).map_err(|_| "three were made".to_owned())?;
    let end = RecordingEnd {
        at: f.now,
        state: RecordingState::Whole,
        chunks: 3,
        bytes: 4,
        root: None,
        why: None,
        facts: serde_json::Value::Null,
    };
    let facts = serde_json::json!({ "verdict": { "word": "outside" } });
    let first = Recording { end: Some(RecordingEnd { facts, ..end.clone() }), ..first };
    let third = Recording { end: Some(end), deleted: Some(f.now), ..third };
    let writes = vec![Write::Recording(first.clone()), Write::Recording(third.clone())];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    same("one by its session", &s.recording(first.session).await.map_err(told)?, &Some(first.clone()))?;
    same("one that is not there", &s.recording(f.id()).await.map_err(told)?, &None)?;
    let any = RecordingFilter::default;
    let (now, later) = (f.now, f.now.plus(Span::from_secs(1)));
    for (filter, want) in [
        (any(), vec![&third, &second, &first]),
        (RecordingFilter { holder: Some(holder), ..any() }, vec![&first]),
        (RecordingFilter { resource: Some(resource), ..any() }, vec![&second]),
        (RecordingFilter { from: Some(now), ..any() }, vec![&third]),
        (RecordingFilter { until: Some(now), ..any() }, vec![&second, &first]),
        (RecordingFilter { open: Some(true), ..any() }, vec![&second]),
        (RecordingFilter { ended: Some(now), ..any() }, vec![]),
        (RecordingFilter { ended: Some(later), ..any() }, vec![&third, &first]),
        (RecordingFilter { ended: Some(later), deleted: Some(false), ..any() }, vec![&first]),
        (RecordingFilter { verdict: Some("outside".to_owned()), ..any() }, vec![&first]),
        (RecordingFilter { verdict: Some("inside".to_owned()), ..any() }, vec![]),
    ] {
        let page = s.recordings(filter.clone(), Slice::first(10)).await.map_err(told)?;
        same(&format!("{filter:?}"), &page.items.iter().collect::<Vec<_>>(), &want)?;
    }
    they_lie_somewhere(s, f, [&first, &second, &third]).await?;
    let page = s.recordings(any(), Slice::first(2)).await.map_err(told)?;
    let rest = Slice { after: page.next, limit: 2 };
    same("the second page", &s.recordings(any(), rest).await.map_err(told)?.items, &vec![first])
}

/// A recording lies where it was last said to; one of which there is nothing lies nowhere, and one from before that
/// was said lies in the folder.
async fn they_lie_somewhere<S: Store>(
    s: &S,
    f: &mut Fixture,
    [first, second, third]: [&Recording; 3],
) -> Result<(), String> {
    let object = StoredObject { name: "wane/o/s".to_owned(), bytes: 4, sha256: [7; 32].into() };
    let end = |state| first.end.clone().map(|end| RecordingEnd { state, ..end });
    let both = Recording { lies: Lies::Both(object.clone()), ..second.clone() };
    let lost = Recording { end: end(RecordingState::Lost), ..third.clone() };
    let writes = vec![Write::Recording(both.clone()), Write::Recording(lost)];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    for (lies, want) in [
        (Whereabouts::Local, vec![first]),
        (Whereabouts::Both, vec![&both]),
        (Whereabouts::Store, vec![]),
        (Whereabouts::Gone, vec![]),
    ] {
        let filter = RecordingFilter { lies: Some(lies), ..RecordingFilter::default() };
        let page = s.recordings(filter, Slice::first(10)).await.map_err(told)?;
        same(lies.name(), &page.items.iter().collect::<Vec<_>>(), &want)?;
    }
    for lies in [Lies::Store(object), Lies::Gone] {
        let moved = Recording { lies, ..second.clone() };
        s.commit(f.commit(vec![Write::Recording(moved.clone())])?).await.map_err(told)?;
        same("where it was moved", &s.recording(second.session).await.map_err(told)?, &Some(moved))?;
    }
    let mut old = serde_json::to_value(first).map_err(|e| e.to_string())?;
    old.as_object_mut().map(|old| old.remove("lies"));
    same("one from before", &serde_json::from_value::<Recording>(old).map_err(|e| e.to_string())?, first)
}
