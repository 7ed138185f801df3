//! Notices: mail as a whole or not at all, webhooks one by one.

use std::time::Duration;

use wane_config::{EmailSecurity, SecretRef};

use super::load;

const HOOK: &str =
    "[[notices.webhook]]\nname = \"ops\"\nurl = \"https://hooks.example.org/x\"\nsecret = { file = \"s\" }\n";

#[test]
fn nobody_is_told_unless_it_is_set() {
    let notices = load("", &[], &[]).expect("it is good").settings.notices;
    assert_eq!((notices.email, notices.webhooks), (None, Vec::new()));
    assert_eq!((notices.try_for, notices.keep), (Duration::from_secs(3 * 86_400), Duration::from_secs(14 * 86_400)));
}

#[test]
fn mail_is_starttls_unless_it_is_said_otherwise() {
    let of = |more: &str| {
        let text = format!("[notices.email]\nhost = \"mail.example.org\"\nfrom = \"wane@example.org\"\n{more}");
        load(&text, &[], &[]).map(|loaded| loaded.settings.notices.email.expect("there is mail"))
    };
    let email = of("").expect("it is good");
    assert_eq!((email.security, email.port, email.login, email.ca), (EmailSecurity::StartTls, 587, None, None));
    assert_eq!(of("security = \"tls\"\n").expect("it is good").port, 465);
    assert_eq!(of("security = \"none\"\nport = 2525\n").expect("it is good").port, 2525);
    let login = of("user = \"wane\"\npassword = { env = \"P\" }\n").expect("it is good").login;
    assert_eq!(login, Some(("wane".to_owned(), SecretRef::Env("P".to_owned()))));
}

#[test]
fn what_does_not_go_together_is_told() {
    for (text, said) in [
        ("[notices.email]\nport = 25\n", "`notices.email.port` needs `notices.email.host`"),
        ("[notices.email]\nhost = \"m\"\n", "`notices.email.host` needs `notices.email.from`"),
        ("[notices.email]\nhost = \"m\"\nfrom = \"a@b\"\nuser = \"u\"\n", "needs `notices.email.password`"),
        ("[notices.email]\nhost = \"m\"\nfrom = \"a@b\"\npassword = { file = \"p\" }\n", "needs `notices.email.user`"),
        (
            "[notices.email]\nhost = \"m\"\nfrom = \"a@b\"\nuser = \"u\"\npassword = \"secret\"\n",
            "is a secret and is never written",
        ),
        ("[[notices.webhook]]\nname = \"ops\"\n", "`notices.webhook.url` is to be set"),
        ("[[notices.webhook]]\nname = \"OPS\"\n", "`notices.webhook.name` is to be 1 to 32"),
        (&HOOK.replace("{ file = \"s\" }", "\"whsec_x\""), "`notices.webhook.secret` is a secret and is never written"),
        (&format!("{HOOK}evnets = []\n"), "did you mean `events`?"),
        (&format!("{HOOK}private = \"yes\"\n"), "`notices.webhook.private` is to be `true` or `false`"),
        (&format!("{HOOK}{HOOK}"), "another `[[notices.webhook]]` has the same `name`"),
    ] {
        let refused = load(text, &[], &[]).expect_err(text);
        assert!(refused.contains(said), "{text}: {refused}");
        assert!(!refused.contains("whsec_x"), "{refused}");
    }
    let refused = load("", &[("WANE__notices__webhook__url", "https://x")], &[]).expect_err("not in the environment");
    assert!(refused.contains("webhooks are written in the file"), "{refused}");
}

#[test]
fn all_of_a_webhook_is_read() {
    let text =
        format!("{HOOK}other_secret = {{ env = \"O\" }}\nevents = [\"grant.ended\"]\nprivate = true\nca = \"c.pem\"\n");
    let mut notices = load(&text, &[], &[]).expect("it is good").settings.notices;
    let hook = notices.webhooks.remove(0);
    assert_eq!((hook.name.as_str(), hook.url.as_str()), ("ops", "https://hooks.example.org/x"));
    assert_eq!((hook.secret, hook.other_secret), (SecretRef::File("s".into()), Some(SecretRef::Env("O".to_owned()))));
    assert_eq!((hook.events, hook.private, hook.ca), (vec!["grant.ended".to_owned()], true, Some("c.pem".into())));
}
