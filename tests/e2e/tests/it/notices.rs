//! Notices, with a real mail server and a real receiver of webhooks: the whole walk, and everything that goes wrong.

use serde_json::Value;
use wane_testkit::{
    MailWay, PersonSession, PostServer, ServerCertificate, SshKey, WaneServer, WaneServerBuilder, wait_until,
};

use crate::people::{Deployment, SOON, approve, ask_and_wait, granted, items, refused, text};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_2rS0MpMBVMk6zN3mNCSzMAf1TmGGcWJY0xGT1QGx7K4=";

/// Settings of a webhook, as they stand in the file.
pub(crate) fn webhook(name: &str, url: &str, secrets: &[&str], folder: &std::path::Path) -> String {
    let mut lines = format!("[[notices.webhook]]\nname = \"{name}\"\nurl = \"{url}\"\n");
    for (key, secret) in ["secret", "other_secret"].iter().zip(secrets) {
        let file = folder.join(format!("{name}-{key}"));
        std::fs::write(&file, format!("{secret}\n")).unwrap();
        lines.push_str(&format!("{key} = {{ file = \"{}\" }}\n", file.display()));
    }
    lines
}

pub(crate) fn with_mail(builder: WaneServerBuilder, mail: &PostServer) -> WaneServerBuilder {
    builder
        .set("notices.email.host", "127.0.0.1")
        .set("notices.email.port", &mail.port().to_string())
        .set("notices.email.security", "none")
        .set("notices.email.from", "Wane <wane@example.org>")
}

pub(crate) fn gets_mail(here: &Deployment, name: &str) {
    here.ada.json(&["person", "change", name, "--attribute", &format!("email={name}@example.org")]).unwrap();
}

/// A deployment with a host that has to be approved, and mail for everybody.
fn told(server: WaneServer) -> (Deployment, PersonSession) {
    let here = Deployment::on(server);
    here.deploy_role();
    here.paper_host("web", "gate=one");
    let omar = here.approver("omar");
    for name in ["maya", "omar", "ada"] {
        gets_mail(&here, name);
    }
    (here, omar)
}

fn head(mail: &Value, name: &str) -> String {
    let heads = mail["heads"].as_array().unwrap();
    let found = heads.iter().find(|head| head[0].as_str().unwrap().eq_ignore_ascii_case(name));
    found.map(|head| text(&head[1])).unwrap_or_default()
}

/// Mails whose subject holds this text, to this person.
fn mails(post: &PostServer, to: &str, subject: &str) -> Vec<Value> {
    let all = post.got().unwrap();
    all.into_iter()
        .filter(|mail| mail["to"][0] == format!("{to}@example.org") && head(mail, "subject").contains(subject))
        .collect()
}

pub(crate) fn wait_for_mail(here: &Deployment, post: &PostServer, to: &str, subject: &str) -> Value {
    wait_until("a mail", SOON, || !mails(post, to, subject).is_empty()).unwrap_or_else(|e| {
        panic!("{e}: {subject} to {to}\n{:#?}\n{}\n{}", post.got().unwrap(), notices(here), here.server.log())
    });
    mails(post, to, subject).remove(0)
}

fn calls(post: &PostServer, kind: &str) -> Vec<Value> {
    post.got().unwrap().into_iter().filter(|call| call["body"]["type"] == kind).collect()
}

fn wait_for_call(here: &Deployment, post: &PostServer, kind: &str) -> Value {
    wait_until("a webhook to be called", SOON, || !calls(post, kind).is_empty()).unwrap_or_else(|e| {
        panic!("{e}: {kind}\n{:#?}\n{}\n{}", post.got().unwrap(), notices(here), here.server.log())
    });
    calls(post, kind).remove(0)
}

fn notices(here: &Deployment) -> Value {
    here.ada.json(&["notices", "--all"]).unwrap()
}

fn in_state(here: &Deployment, state: &str) -> Vec<Value> {
    items(&here.ada.json(&["notices", "--all", "--state", state]).unwrap()).clone()
}

#[test]
fn the_whole_walk_is_told_by_mail_and_by_webhook() {
    let (mail, hook) = (PostServer::mailbox(&MailWay::Plain).unwrap(), PostServer::receiver(&[SECRET, OTHER]).unwrap());
    let server = with_mail(WaneServer::builder(), &mail).with_clock().prepare().unwrap();
    let url = format!("http://127.0.0.1:{}/wane", hook.port());
    server.configure(&webhook("ops", &url, &[SECRET, OTHER], server.folder())).unwrap();
    let (here, omar) = told(server);

    // Ask: the approver is told, with the command that approves.
    let words =
        ["request", "deploy@web", "--for", "12m", "-m", "disk full, see https://evil.example/x", "--ticket", "OPS-7"];
    let request = text(&here.maya.json_with_code(&words, 6).unwrap()["id"]);
    let asked = wait_for_mail(&here, &mail, "omar", "maya asks for 12m of deploy on web");
    assert!(text(&asked["plain"]).contains(&format!("wane approve {request}")), "{asked:#}");
    assert!(text(&asked["plain"]).contains("see https[:]/ /evil[.]example/x"), "{asked:#}");
    assert!(!text(&asked["html"]).contains("<a") && !text(&asked["plain"]).contains("://evil"), "{asked:#}");
    assert_eq!(head(&asked, "auto-submitted"), "auto-generated");
    assert!(mails(&mail, "maya", "asks for").is_empty(), "who asked is told that they asked");

    // Approve: whoever asked is told.
    approve(&omar, &request);
    let approved = wait_for_mail(&here, &mail, "maya", "approved deploy on web");
    assert!(head(&approved, "references").contains(&request), "{approved:#}");
    assert!(mails(&mail, "omar", "approved").is_empty(), "who approved is told that they approved");

    // It runs, its end comes near: told two minutes before, with the command that asks for more.
    let grant = text(&here.maya.json(&["requests", &request]).unwrap()["items"][0]["grant"]);
    let key = SshKey::generate(here.server.folder(), "key").unwrap();
    let input = serde_json::json!({ "public_key": key.public_line().unwrap() }).to_string();
    here.maya.json(&["credential", &grant, "--input", &input]).unwrap();
    wait_until("the grant to be active", SOON, || here.grant(&grant)["state"] == "active").unwrap();
    wait_until("the warning to wait", SOON, || {
        in_state(&here, "waiting").iter().any(|n| n["kind"] == "grant.ending_soon" && n["channel"] == "mail")
    })
    .unwrap_or_else(|e| panic!("{e}\n{:#}", notices(&here)));
    assert!(mails(&mail, "maya", "ends in").is_empty(), "the warning came at once");
    here.server.set_clock(10 * 60 + 30).unwrap();
    let soon = wait_for_mail(&here, &mail, "maya", "ends in 2m");
    assert!(text(&soon["plain"]).contains(&format!("wane extend {grant} --for 12m")), "{soon:#}");

    // The end: told why, with the one command that asks again.
    here.server.set_clock(13 * 60).unwrap();
    let ended = wait_for_mail(&here, &mail, "maya", "has ended: its time is up");
    assert!(text(&ended["plain"]).contains("    wane request deploy@web --for 12m\r\n"), "{ended:#}");
    assert_eq!(head(&ended, "references"), head(&soon, "references"), "mails about one grant are one thread");
    assert_eq!(mails(&mail, "maya", "ends in 2m").len(), 1, "warned twice");

    // The webhook heard all of it, each under both secrets, and each once.
    for kind in ["request.waiting", "request.approved", "grant.activated", "grant.ending_soon", "grant.ended"] {
        let call = wait_for_call(&here, &hook, kind);
        assert_eq!(call["good"], serde_json::json!([0, 1]), "{kind}: {call:#}");
        assert_eq!(calls(&hook, kind).len(), 1, "{kind}");
        let data = &call["body"]["data"];
        assert_eq!((&data["schema"], &data["id"]), (&1.into(), &call["id"]), "{call:#}");
        assert_eq!((data["person"].as_str(), data["ticket"].as_str()), (Some("maya"), Some("OPS-7")), "{call:#}");
    }
    // Every delivery is a record, and in the story of its grant.
    let events = here.events(&grant);
    assert!(events.iter().any(|event| event == "notice.delivered"), "{events:?}");
}

#[test]
fn mail_goes_over_tls_that_fits_and_over_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let right = ServerCertificate::generate(folder.path()).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let wrong = ServerCertificate::generate(elsewhere.path()).unwrap();
    let mail = PostServer::mailbox(&MailWay::StartTls(&right)).unwrap();
    std::fs::write(folder.path().join("password"), "open sesame\n").unwrap();
    let file = |path: &std::path::Path| path.display().to_string();
    let server = with_mail(WaneServer::builder(), &mail)
        .set("notices.email.security", "starttls")
        .set("notices.email.user", "wane")
        .set("notices.email.password.file", &file(&folder.path().join("password")))
        .set("notices.email.ca", &file(wrong.ca_path()))
        .prepare()
        .unwrap();
    let (mut here, _) = told(server);
    // The authority is another: nothing is said, and nothing is lost.
    let why = refused(&here.ada, &["notices", "test", "mail"], 5);
    assert!(why.contains("did not take it"), "{why}");
    ask_and_wait(&here.maya, "deploy@web", "10m");
    wait_until("a try", SOON, || in_state(&here, "waiting").iter().any(|n| n["tries"] != 0)).unwrap();
    assert!(mail.got().unwrap().is_empty(), "mail went to a server whose certificate does not fit");
    // The right one: it arrives, over TLS, from who is signed in.
    here.server.set("notices.email.ca", &file(right.ca_path()));
    here.server.restart().unwrap();
    let asked = wait_for_mail(&here, &mail, "omar", "maya asks for");
    assert_eq!((&asked["tls"], &asked["user"]), (&true.into(), &"wane".into()), "{asked:#}");
    here.ada.json(&["notices", "test", "mail"]).unwrap();
    assert_eq!(mails(&mail, "ada", "tries whether notices arrive").len(), 1);
    // Implicit TLS is another port's way; a server that speaks plain there is not spoken to.
    drop(here);
}

#[test]
fn a_mail_server_that_is_busy_silent_or_down_loses_nothing() {
    let mut mail = PostServer::mailbox(&MailWay::Plain).unwrap();
    let server = with_mail(WaneServer::builder(), &mail).set("notices.email.timeout", "1s").prepare().unwrap();
    let (here, omar) = told(server);
    let tried = |what: &str| {
        wait_until(what, SOON, || in_state(&here, "waiting").iter().any(|n| n["tries"].as_u64() > Some(0)))
            .unwrap_or_else(|e| panic!("{e}\n{:#}\n{}", notices(&here), here.server.log()));
        for waits in in_state(&here, "waiting") {
            here.ada.json(&["notices", "retry", &text(&waits["id"])]).unwrap();
        }
    };
    let moods = ["busy", "silent", "down"];
    for mood in moods {
        match mood {
            "down" => mail.stop().unwrap(),
            mood => mail.mood(mood).unwrap(),
        }
        let host = format!("web-{mood}");
        here.paper_host(&host, "gate=one");
        let request = ask_and_wait(&here.maya, &format!("deploy@{host}"), "10m");
        tried(mood);
        // The reply did not wait, and neither does a decision.
        approve(&omar, &request);
    }
    mail.mood("well").unwrap();
    mail.resume().unwrap();
    // At least once each: what was taken too late to be booked comes again.
    wait_until("all to arrive", SOON, || {
        moods.iter().all(|mood| {
            let about = format!("deploy on web-{mood}");
            !mails(&mail, "omar", &format!("maya asks for 10m of {about}")).is_empty()
                && !mails(&mail, "maya", &format!("approved {about}")).is_empty()
        })
    })
    .unwrap_or_else(|e| panic!("{e}\n{:#?}\n{:#}\n{}", mail.got().unwrap(), notices(&here), here.server.log()));

    // What will never be taken is given up at once, said so, and visible.
    mail.mood("refuse").unwrap();
    ask_and_wait(&here.maya, "deploy@web", "11m");
    wait_until("it to be given up", SOON, || !in_state(&here, "given_up").is_empty()).unwrap();
    let gone = in_state(&here, "given_up").remove(0);
    assert!(text(&gone["why"]).contains("550"), "{gone:#}");
    let doctor = here.ada.run(&["--json", "doctor"]).unwrap().stdout;
    assert!(doctor.contains("were given up"), "{doctor}");
    mail.mood("well").unwrap();
    here.ada.json(&["notices", "retry", &text(&gone["id"])]).unwrap();
    wait_until("the one that was given up to arrive", SOON, || !mails(&mail, "omar", "maya asks for 11m").is_empty())
        .unwrap();
    // Who may not read the log sees their own, and does nothing about them.
    let own = here.maya.json(&["notices", "--all"]).unwrap();
    assert!(items(&own).iter().all(|n| n["to"] == "maya") && !items(&own).is_empty(), "{own:#}");
    refused(&here.maya, &["notices", "retry", &text(&gone["id"])], 3);
    refused(&here.maya, &["notices", "test", "mail"], 3);
    refused(&here.maya, &["notices", "channels"], 3);
}

#[test]
fn a_receiver_that_never_finishes_delays_nothing_else() {
    let (mail, slow, quick) = (
        PostServer::mailbox(&MailWay::Plain).unwrap(),
        PostServer::receiver(&[SECRET]).unwrap(),
        PostServer::receiver(&[SECRET]).unwrap(),
    );
    slow.mood("slow").unwrap();
    let server = with_mail(WaneServer::builder(), &mail).prepare().unwrap();
    let url = |hook: &PostServer| format!("http://127.0.0.1:{}/", hook.port());
    let both = webhook("slow", &url(&slow), &[SECRET], server.folder())
        + &webhook("quick", &url(&quick), &[SECRET], server.folder());
    server.configure(&both).unwrap();
    let (here, _) = told(server);
    here.paper_host("free", "gate=open");
    // More notices than go over one channel at once, all held by the slow one.
    for _ in 0..6 {
        let request = ask_and_wait(&here.maya, "deploy@web", "10m");
        here.maya.json(&["withdraw", &request]).unwrap();
    }
    wait_until("the slow one to hold four", SOON, || slow.got().unwrap().len() >= 4).unwrap();
    // An end, its close and its notices over every other channel come while it still holds them.
    let grant = granted(&here.maya, "deploy@free", "1h");
    here.ada.json(&["revoke", &grant, "-m", "enough"]).unwrap();
    here.wait_closed(&grant);
    wait_for_mail(&here, &mail, "maya", "has ended");
    wait_for_call(&here, &quick, "grant.taken_away");
    let waits = here.ada.json(&["notices", "--all", "--channel", "webhook.slow", "--state", "delivered"]).unwrap();
    assert!(items(&waits).is_empty(), "what never finished its answer took something: {waits:#}");
}

#[test]
fn a_webhook_is_led_nowhere_and_closes_when_it_is_told_so() {
    let (hook, inner) = (PostServer::receiver(&[SECRET]).unwrap(), PostServer::receiver(&[SECRET]).unwrap());
    let server = WaneServer::builder().prepare().unwrap();
    let url = format!("http://127.0.0.1:{}/", hook.port());
    server.configure(&webhook("ops", &url, &[SECRET], server.folder())).unwrap();
    hook.mood(&format!("307 http://127.0.0.1:{}/latest/meta-data", inner.port())).unwrap();
    let (here, _) = told(server);
    ask_and_wait(&here.maya, "deploy@web", "10m");
    wait_until("a try", SOON, || in_state(&here, "waiting").iter().any(|n| n["why"].is_string())).unwrap();
    let waits = in_state(&here, "waiting").remove(0);
    assert!(text(&waits["why"]).contains("redirects are not followed"), "{waits:#}");
    assert!(inner.got().unwrap().is_empty(), "a redirect was followed");

    hook.mood("410").unwrap();
    here.ada.json(&["notices", "retry", &text(&waits["id"])]).unwrap();
    let closed = || text(&here.ada.json(&["notices", "channels"]).unwrap()["items"][0]["closed"]);
    wait_until("it to be closed", SOON, || {
        here.ada.json(&["notices", "channels"]).unwrap()["items"][0]["closed"].is_string()
    })
    .unwrap_or_else(|e| panic!("{e}\n{:#}", notices(&here)));
    assert!(closed().contains("410"));
    let doctor = here.ada.run(&["--json", "doctor"]).unwrap().stdout;
    assert!(doctor.contains("closed"), "{doctor}");
    // What was under way when it closed has come to its end.
    let mut before = 0;
    wait_until("it to be quiet", SOON, || {
        let (last, now) = (before, hook.got().unwrap().len());
        before = now;
        notices(&here);
        last == now
    })
    .unwrap();
    ask_and_wait(&here.maya, "deploy@web", "11m");
    wait_until("it to wait", SOON, || in_state(&here, "waiting").iter().any(|n| text(&n["text"]).contains("11m")))
        .unwrap();
    assert_eq!(hook.got().unwrap().len(), before, "a closed webhook was called");
    // A test that arrives opens it, and what waited arrives.
    hook.mood("204").unwrap();
    here.ada.json(&["notices", "test", "webhook.ops"]).unwrap();
    wait_until("what waited to arrive", SOON, || {
        calls(&hook, "request.waiting").iter().any(|call| text(&call["body"]["data"]["text"]).contains("11m"))
    })
    .unwrap_or_else(|e| panic!("{e}\n{:#}\n{}", notices(&here), here.server.log()));
}

#[test]
fn what_was_sent_and_not_booked_comes_again_under_the_same_id() {
    let hook = PostServer::receiver(&[SECRET]).unwrap();
    let server = WaneServer::builder().failpoints().prepare().unwrap();
    let url = format!("http://127.0.0.1:{}/", hook.port());
    server.configure(&webhook("ops", &url, &[SECRET], server.folder())).unwrap();
    let (mut here, _) = told(server);
    let mut asked = 10;
    // What happened before is told before anything is killed.
    ask_and_wait(&here.maya, "deploy@web", "10m");
    wait_for_call(&here, &hook, "request.waiting");
    wait_until("all to be told", SOON, || in_state(&here, "waiting").is_empty()).unwrap();
    for (point, times) in [
        ("app.notices.made.commit:before", 1),
        ("app.notices.made.commit:after", 1),
        ("app.notices.carry:before", 1),
        ("app.notices.carry:after", 2),
        ("app.notices.book.commit:before", 2),
        ("app.notices.book.commit:after", 1),
    ] {
        asked += 1;
        here.server.plan(&format!("{point}=kill")).unwrap();
        let spoken = here.maya.run(&["request", "deploy@web", "--for", &format!("{asked}m")]).unwrap();
        wait_until("the server to die", SOON, || here.server.died().is_some())
            .unwrap_or_else(|e| panic!("{e} at {point}: {spoken:?}"));
        here.server.plan("").unwrap();
        here.server.start().unwrap();
        let mine = || -> Vec<Value> {
            let about = format!("{asked}m of deploy");
            let all = calls(&hook, "request.waiting");
            all.into_iter().filter(|call| text(&call["body"]["data"]["text"]).contains(&about)).collect()
        };
        wait_until("it to be booked", SOON, || !mine().is_empty() && in_state(&here, "waiting").is_empty())
            .unwrap_or_else(|e| panic!("{e} at {point}: {:#}\n{}", notices(&here), here.server.log()));
        let came = mine();
        assert_eq!(came.len(), times, "{point}: {came:#?}");
        assert!(came.iter().all(|call| call["id"] == came[0]["id"]), "{point}: not the same id: {came:#?}");
    }
}
