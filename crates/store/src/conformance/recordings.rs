//! What is known of recordings.

use wane_domain::time::Span;

use super::fixture::{Fixture, told};
use super::same;
use crate::commit::Write;
use crate::port::Store;
use crate::query::{RecordingFilter, Slice};
use crate::rows::{Recording, RecordingEnd, RecordingState};

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
    let page = s.recordings(any(), Slice::first(2)).await.map_err(told)?;
    let rest = Slice { after: page.next, limit: 2 };
    same("the second page", &s.recordings(any(), rest).await.map_err(told)?.items, &vec![first])
}
