//! Records: their order, their numbers, who is told.

use futures::future::{join, join_all};
use wane_audit::{Actor, Record};
use wane_domain::time::Span;

use super::fixture::{Fixture, told};
use super::{holds, same};
use crate::commit::Commit;
use crate::port::{Store, StoreError};
use crate::query::{RecordFilter, Slice};

pub(crate) async fn records_keep_their_order<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let start = s.head().await.map_err(told)?;
    let mut commits = Vec::new();
    let mut written = Vec::new();
    for _ in 0..30 {
        let records = vec![f.record("kit.first"), f.record("kit.second"), f.record("kit.third")];
        written.push(records.clone());
        commits.push(Commit::new(Vec::new(), records).map_err(told)?);
    }
    let seqs = join_all(commits.into_iter().map(|c| s.commit(c))).await;
    let got = s.records_after(start, 1_000).await.map_err(told)?;
    same("records", &got.len(), &90)?;
    holds("the numbers do not rise", got.is_sorted_by(|a, b| a.seq < b.seq).then_some(()))?;
    same("the head", &s.head().await, &Ok(got.last().map_or(start, |r| r.seq)))?;
    for (seq, records) in seqs.into_iter().zip(&written) {
        let last = seq.map_err(told)?;
        let end = got.iter().position(|r| r.seq == last).ok_or("the number that was answered is no record's")?;
        let mine: Vec<Record> =
            got.iter().take(end + 1).skip((end + 1).saturating_sub(records.len())).map(|r| r.record.clone()).collect();
        same("the records of one commit, together and in order", &mine, records)?;
    }
    // Whoever does not know whether a record was taken offers it again, and is told.
    let again = Commit::new(Vec::new(), written.into_iter().next().unwrap_or_default()).map_err(told)?;
    let again = s.commit(again).await;
    holds("a record was taken twice", matches!(again, Err(StoreError::Refused(_))).then_some(()))?;
    same("the head after that", &s.head().await, &Ok(got.last().map_or(start, |r| r.seq)))?;
    let first_two = s.records_after(start, 2).await.map_err(told)?;
    same(
        "the first two",
        &first_two.iter().map(|r| r.seq).collect::<Vec<_>>(),
        &got.iter().take(2).map(|r| r.seq).collect(),
    )
}

pub(crate) async fn filters_mean_what_they_say<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (ada, ben, resource, grant, request) = (f.id(), f.id(), f.id(), f.id(), f.id());
    let mut records =
        vec![f.record("grant.minted"), f.record("grant.closed"), f.record("grants.odd"), f.record("lease.gone")];
    for (n, record) in records.iter_mut().enumerate() {
        record.at = f.now.plus(Span::from_secs(n.try_into().map_err(told)?));
        match n {
            0 => {
                (record.actor, record.about.person, record.about.request) =
                    (Actor::Person(ada), Some(ben), Some(request))
            }
            1 => (record.actor, record.about.person) = (Actor::Person(ben), Some(ben)),
            2 => record.about.resource = Some(resource),
            _ => (record.about.grant, record.about.person) = (Some(grant), Some(ada)),
        }
    }
    s.commit(Commit::new(Vec::new(), records.clone()).map_err(told)?).await.map_err(told)?;
    let all = RecordFilter { from: Some(f.now), event: Some("gr".to_owned()), ..RecordFilter::default() };
    let blank = RecordFilter::default();
    for (filter, want) in [
        (RecordFilter { person: Some(ada), ..blank.clone() }, vec![3, 0]),
        (RecordFilter { person: Some(ben), ..blank.clone() }, vec![1, 0]),
        (RecordFilter { resource: Some(resource), ..blank.clone() }, vec![2]),
        (RecordFilter { grant: Some(grant), ..blank.clone() }, vec![3]),
        (RecordFilter { request: Some(request), ..blank.clone() }, vec![0]),
        (RecordFilter { event: Some("grant.".to_owned()), ..blank.clone() }, vec![1, 0]),
        (RecordFilter { event: Some("gran%".to_owned()), ..blank.clone() }, vec![]),
        (RecordFilter { without: vec!["grant.minted".to_owned(), "grants.odd".to_owned()], ..all.clone() }, vec![1]),
        (all, vec![2, 1, 0]),
        (
            RecordFilter {
                from: Some(f.now.plus(Span::from_secs(1))),
                until: Some(f.now.plus(Span::from_secs(3))),
                ..blank.clone()
            },
            vec![2, 1],
        ),
        (RecordFilter { person: Some(ada), event: Some("lease".to_owned()), ..blank }, vec![3]),
    ] {
        let page = s.records(filter.clone(), Slice::first(10)).await.map_err(told)?;
        let want: Vec<_> = want.iter().filter_map(|n| records.get(*n)).collect();
        same(&format!("{filter:?}"), &page.items.iter().map(|r| &r.record).collect::<Vec<_>>(), &want)?;
    }
    let two = s
        .records(RecordFilter { person: Some(ada), ..RecordFilter::default() }, Slice::first(1))
        .await
        .map_err(told)?;
    let rest = Slice { after: two.next, limit: 10 };
    let rest = s.records(RecordFilter { person: Some(ada), ..RecordFilter::default() }, rest).await.map_err(told)?;
    same(
        "the second page",
        &rest.items.iter().map(|r| &r.record).collect::<Vec<_>>(),
        &records.first().into_iter().collect(),
    )
}

pub(crate) async fn a_waiter_wakes<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let head = s.head().await.map_err(told)?;
    let commit = f.commit(Vec::new())?;
    let (woken, seq) = join(s.changed(head), s.commit(commit)).await;
    same("what the waiter was told", &Ok(woken), &seq)?;
    same("what comes at once to who is behind", &s.changed(head).await, &woken)
}
