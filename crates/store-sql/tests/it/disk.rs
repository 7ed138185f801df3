//! The file: who may open it, what survives, what it refuses.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use futures::future::join_all;
use sqlx::Executor as _;
use wane_domain::time::Span;
use wane_store::conformance::Fixture;
use wane_store::{Answer, Put, Seen, Slice, Store, StoreError, TokenKind, TokenOwner, Versioned, Write};

use crate::fixture::{Writers, data_file, intruder};

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let (_folder, path) = data_file();
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens");
    let ada = f.person("ada").expect("a person");
    let lock = f.lock(ada.id).expect("a lock");
    let (resource, role) = (f.id(), f.id());
    let (request, grant, lease) = f.leased(ada.id, resource, role).expect("a lease");
    let mut writes = Fixture::writes((&request, &grant, &lease));
    writes.extend([
        Write::Person(Put::new(ada.clone())),
        Write::Lock(Put::new(lock.clone())),
        Write::Policy(f.policy(2)),
    ]);
    let seq = store.commit(f.commit(writes).expect("a commit")).await.expect("it is written");
    let (world, serial) = (store.world().await.expect("a world"), store.next_serial().await.expect("a serial"));
    store.close().await;
    writers.ended().await;
    let closed = store.commit(f.commit(Vec::new()).expect("a commit")).await;
    assert_eq!(closed, Err(StoreError::Unavailable("it is closed".to_owned())));

    // Another organisation and policy are ignored: the store is what it is.
    let other = wane_store::conformance::Founded { org: f.id(), policy: f.policy(9), event: f.id() };
    let (store, _) = writers.open(&path, other).await.expect("it opens again");
    let again = store.world().await.expect("a world");
    assert_eq!((again.org, again.epoch, &again.policy), (world.org, world.epoch, &world.policy));
    assert_eq!((&again.people, &again.locks), (&world.people, &world.locks));
    assert_eq!(store.head().await, Ok(seq));
    assert_eq!(store.lease(lease.id).await, Ok(Some(Versioned { value: lease, generation: 1 })));
    assert_eq!(store.seen(&ada.id.to_string()).await, Ok(Seen::Generation(1)));
    assert!(store.next_serial().await.expect("a serial") > serial);
    let founded = store.records_after(0, 1).await.expect("records");
    assert_eq!(founded.first().map(|r| r.record.event.as_str()), Some("store.founded"));
}

/// What the killed process of the next test runs.
#[tokio::test]
#[ignore = "ends only by being killed; `what_was_answered_survives_a_kill` runs it"]
async fn writes_until_killed() {
    let path = std::env::var("WANE_STORE_OF_THE_KILLED").expect("the parent says where");
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (store, _) = writers.open(Path::new(&path), f.founded()).await.expect("it opens");
    let (resource, role) = (f.id(), f.id());
    for n in 0u32.. {
        let commits = (0..8).map(|i| {
            let person = f.person(&format!("p{n}-{i}")).expect("a person");
            let request = f.request(person.id, resource, role, 1).expect("a request");
            let id = request.id;
            (id, f.commit(vec![Write::Request(Put::new(request)), Write::Person(Put::new(person))]).expect("a commit"))
        });
        let (ids, commits): (Vec<_>, Vec<_>) = commits.unzip();
        for (id, answer) in ids.iter().zip(join_all(commits.into_iter().map(|c| store.commit(c))).await) {
            println!("\nanswered {id} {}", answer.expect("it is written"));
        }
    }
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let (_folder, path) = data_file();
    let mut child = tokio::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "disk::writes_until_killed", "--include-ignored", "--nocapture"])
        .env("WANE_STORE_OF_THE_KILLED", &path)
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut answered = Vec::new();
    let read = |line: &str| {
        let (id, seq) = line.strip_prefix("answered ")?.split_once(' ')?;
        Some((id.parse::<wane_domain::id::RequestId>().ok()?, seq.parse::<u64>().ok()?))
    };
    while answered.len() < 300 {
        answered.extend(read(&lines.next_line().await.expect("it is read").expect("it goes on")));
    }
    child.start_kill().expect("it is killed");
    // What it said before it died counts as well; its last line may be cut short.
    while let Ok(Some(line)) = lines.next_line().await {
        answered.extend(read(&line));
    }
    child.wait().await.expect("it is gone");

    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens after the kill");
    for (id, seq) in &answered {
        assert!(store.request(*id).await.expect("it is read").is_some(), "request `{id}` was answered and is gone");
        let record = store.records_after(seq - 1, 1).await.expect("it is read");
        assert_eq!(record.first().map(|r| r.seq), Some(*seq));
    }
    // Whatever else was under way is there whole or not at all: each commit is a request, a person and a record.
    let requests = usize::try_from(store.head().await.expect("a head")).expect("small") - 1;
    let world = store.world().await.expect("a world");
    assert_eq!(world.people.len(), requests);
    // Every person came in a commit of its own and raised the epoch by one.
    assert_eq!(usize::try_from(world.epoch.0).expect("small"), requests + 1);
    assert!(requests >= answered.len());
    f.now = f.now.plus(Span::from_hours(1));
    store.commit(f.commit(Vec::new()).expect("a commit")).await.expect("it goes on");
}

#[tokio::test]
async fn a_cut_off_writer_answers_nothing_it_did_not_write() {
    let (_folder, path) = data_file();
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (store, writer) = writers.open(&path, f.founded()).await.expect("it opens");
    let seq = store.commit(f.commit(Vec::new()).expect("a commit")).await.expect("it is written");
    writer.abort();
    writers.ended().await;
    let lost = store.commit(f.commit(Vec::new()).expect("a commit")).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    drop(store);
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens again");
    assert_eq!(store.head().await, Ok(seq));
}

#[tokio::test]
async fn one_store_has_one_writer() {
    let (_folder, path) = data_file();
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens");
    let second = writers.open(&path, f.founded()).await.expect_err("it is refused");
    assert_eq!(
        second.to_string(),
        format!(
            "the store is not available: `{}` is in use by another process; stop it first, one store has one writer",
            path.display()
        )
    );
    store.commit(f.commit(Vec::new()).expect("a commit")).await.expect("the first is not harmed");
    store.close().await;
    drop(store);
    writers.ended().await;
    writers.open(&path, f.founded()).await.expect("it opens once the first is gone");
}

#[tokio::test]
async fn nobody_else_may_read_it() {
    let (folder, path) = data_file();
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    // As a backup tool may have left it.
    std::fs::write(&path, "").expect("it is made");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("it is opened up");
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens");
    store.commit(f.commit(Vec::new()).expect("a commit")).await.expect("it is written");
    let mut names = Vec::new();
    for file in std::fs::read_dir(folder.path()).expect("the folder") {
        let file = file.expect("a file");
        let mode = file.metadata().expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?} has mode {mode:o}", file.file_name());
        names.push(file.file_name().into_string().expect("text"));
    }
    names.sort();
    assert_eq!(names, ["wane.db", "wane.db-shm", "wane.db-wal", "wane.db.lock"]);

    let nowhere =
        writers.open(Path::new("/nowhere/wane.db"), f.founded()).await.expect_err("there is no folder").to_string();
    assert!(nowhere.contains("cannot look at the folder `/nowhere`") && nowhere.contains("make it first"), "{nowhere}");
}

#[tokio::test]
async fn the_trail_refuses_to_change() {
    let (_folder, path) = data_file();
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens");
    let seq = store.commit(f.commit(Vec::new()).expect("a commit")).await.expect("it is written");
    let before = store.records_after(0, 10).await.expect("records");
    let mut other = intruder(&path).await;
    for sql in [
        "UPDATE trail SET body = '{}'",
        "UPDATE trail SET seq = seq + 10",
        "DELETE FROM trail",
        "DELETE FROM trail WHERE seq = (SELECT max(seq) FROM trail)",
        "INSERT OR REPLACE INTO trail (seq, id, at, event, leaf, body) SELECT seq, id, at, 'forged', leaf, '{}' FROM trail",
        "INSERT OR REPLACE INTO trail (id, at, event, leaf, body) SELECT id, at, 'forged', leaf, '{}' FROM trail",
        "REPLACE INTO trail (seq, id, at, event, leaf, body) SELECT seq, 'evt_new', at, 'forged', leaf, '{}' FROM trail",
    ] {
        let refused = other.execute(sql).await.expect_err(sql).to_string();
        assert!(refused.contains("the trail is append-only"), "{sql}: {refused}");
    }
    assert_eq!(store.records_after(0, 10).await, Ok(before));
    assert_eq!(store.head().await, Ok(seq));
}

#[tokio::test]
async fn a_failed_disk_moves_nothing() {
    let (_folder, path) = data_file();
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens");
    // SQLite gives up the whole transaction on a full disk or an I/O fault, as this trigger makes it do:
    // in the middle of a batch, and where the batch as a whole is brought to its end.
    let faults = [
        "CREATE TRIGGER fault BEFORE INSERT ON people WHEN NEW.name LIKE 'ben%' BEGIN SELECT RAISE(ROLLBACK, 'disk I/O error'); END",
        "CREATE TRIGGER fault BEFORE UPDATE ON counters BEGIN SELECT RAISE(ROLLBACK, 'disk I/O error'); END",
    ];
    for (fault, trigger) in faults.into_iter().enumerate() {
        let mut other = intruder(&path).await;
        other.execute(trigger).await.expect("it is set up");
        // Until all three were taken together; whoever was taken before the fault is done.
        let mut together = false;
        for round in 0..500 {
            let (world, head) = (store.world().await.expect("a world"), store.head().await.expect("a head"));
            let mut commits = Vec::new();
            for name in ["ada", "ben", "eve"] {
                let person = f.person(&format!("{name}-{fault}-{round}")).expect("a person");
                commits.push(f.commit(vec![Write::Person(Put::new(person))]).expect("a commit"));
            }
            let answers = join_all(commits.into_iter().map(|c| store.commit(c))).await;
            for answer in answers.iter().filter_map(|a| a.as_ref().err()) {
                assert!(matches!(answer, StoreError::Unavailable(why) if why.contains("disk I/O error")), "{answer:?}");
            }
            assert!(answers[1].is_err());
            let done = answers.iter().filter(|a| a.is_ok()).count();
            let now = store.world().await.expect("a world");
            assert_eq!(now.people.len(), world.people.len() + done);
            assert_eq!(now.epoch.0, world.epoch.0 + done as u64);
            assert_eq!(store.head().await, Ok(head + done as u64));
            assert_eq!(store.records_after(head, 10).await.map(|r| r.len()), Ok(done));
            together = done == 0;
            if together {
                break;
            }
        }
        assert!(together, "the three were never taken together");
        other.execute("DROP TRIGGER fault").await.expect("it is mended");
    }
    let before = store.world().await.expect("a world").people.len();
    let person = f.person("ada").expect("a person");
    store
        .commit(f.commit(vec![Write::Person(Put::new(person))]).expect("a commit"))
        .await
        .expect("it goes on by itself");
    assert_eq!(store.world().await.expect("a world").people.len(), before + 1);
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let (_folder, path) = data_file();
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens");
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let request = f.request(person, resource, role, 1).expect("a request");
    let write = Write::Request(Put::new(request.clone()));
    store.commit(f.commit(vec![write]).expect("a commit")).await.expect("it is written");
    let mut other = intruder(&path).await;
    other.execute("UPDATE requests SET doc = '{\"id\": 7}'").await.expect("it is spoilt");
    let named = |e: StoreError| matches!(&e, StoreError::Corrupt(why) if why.contains(&request.id.to_string()));
    assert!(store.request(request.id).await.is_err_and(named));
    assert!(store.requests(wane_store::RequestFilter::default(), Slice::first(5)).await.is_err_and(named));

    other
        .execute("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', TRUE, x'00', 0)")
        .await
        .expect("a newer version was here");
    store.close().await;
    drop((store, other));
    writers.ended().await;
    let newer = writers.open(&path, f.founded()).await.expect_err("it is refused").to_string();
    assert!(newer.contains("schema step 99") && newer.contains("run that version"), "{newer}");
}

#[tokio::test]
async fn a_token_that_does_not_say_whether_it_is_spent_is_none() {
    let (_folder, path) = data_file();
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens");
    let ada = f.person("ada").expect("a person");
    let token = f.token(TokenKind::Session, TokenOwner::Person(ada.id));
    store
        .commit(f.commit(vec![Write::Token(Put::new(token.clone()))]).expect("a commit"))
        .await
        .expect("it is written");
    let whole = serde_json::to_value(&token).expect("JSON");
    let members = whole.as_object().expect("an object");
    assert!(members.contains_key("spent") && members.len() >= 8);
    let mut other = intruder(&path).await;
    for member in members.keys() {
        let mut less = whole.clone();
        less.as_object_mut().expect("an object").remove(member);
        let spoilt = sqlx::query("UPDATE tokens SET doc = $1").bind(less.to_string());
        spoilt.execute(&mut other).await.expect("it is spoilt");
        let found = store.token(token.id).await;
        assert!(matches!(found, Err(StoreError::Corrupt(_))), "without `{member}`: {found:?}");
        let all = store.tokens_of(ada.id).await;
        assert!(matches!(all, Err(StoreError::Corrupt(_))), "without `{member}`: {all:?}");
    }
}

#[tokio::test]
async fn what_is_long_over_is_forgotten() {
    let (_folder, path) = data_file();
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens");
    let person = f.id();
    let answer = |key: &str, at| Answer {
        person,
        key: key.to_owned(),
        fingerprint: String::new(),
        status: 200,
        body: serde_json::Value::Null,
        at,
    };
    let mut spent = f.token(TokenKind::Session, TokenOwner::Person(person));
    spent.spent = Some(f.now);
    let start = f.now;
    let writes = vec![Write::Answer(answer("old", f.now)), Write::Token(Put::new(spent.clone()))];
    store.commit(f.commit(writes).expect("a commit")).await.expect("it is written");
    for (hours, old_answer, old_token) in
        [(23, true, true), (25, false, true), (29 * 24, false, true), (31 * 24, false, false)]
    {
        f.now = start.plus(Span::from_hours(hours));
        let write = Write::Answer(answer(&format!("at {hours}"), f.now));
        store.commit(f.commit(vec![write]).expect("a commit")).await.expect("it is written");
        // The clean-up comes after the answer, and before the next commit is taken.
        store.commit(f.commit(Vec::new()).expect("a commit")).await.expect("it is written");
        assert_eq!(store.answer(person, "old").await.expect("it is read").is_some(), old_answer, "after {hours} h");
        assert!(store.answer(person, &format!("at {hours}")).await.expect("it is read").is_some());
        assert_eq!(store.token(spent.id).await.expect("it is read").is_some(), old_token, "after {hours} h");
    }
}
