//! Providers of sign-ins: what is read of them, what is refused, and that none is looser for what it leaves out.

use wane_config::{Provision, SecretRef, Strength};

use crate::load;

const LEAST: &str = "[[login.oidc]]\nname = 'corp'\nissuer = 'https://login.example.org'\nclient_id = 'wane'\n";

#[test]
fn what_is_left_out_of_a_provider_is_the_strict_thing() {
    let loaded = load(LEAST, &[], &[]).expect("good");
    let [one] = loaded.settings.login.providers.as_slice() else { panic!("one provider") };
    assert_eq!((one.name.as_str(), one.display.as_str()), ("corp", "corp"));
    assert_eq!((one.provision, &one.client_secret, one.userinfo), (Provision::None, &None, false));
    assert!(one.groups.is_empty() && one.attributes.is_empty() && one.scopes.is_empty() && one.ca.is_none());
    let nothing = Strength::default();
    assert_eq!((&one.mfa, &one.phishing_resistant), (&nothing, &nothing), "nothing is vouched for unasked");
    assert!(loaded.render().contains("[[login.oidc]] corp = https://login.example.org"));
}

#[test]
fn all_of_a_provider_is_read() {
    let toml = format!(
        "{LEAST}display = 'Corp ID'\nclient_secret = {{ env = 'S' }}\nscopes = ['profile', 'groups']\nuserinfo = true\n\
         provision = 'create'\nperson_claim = 'login'\ngroups_claim = 'realm.roles'\ngroups = {{ 'Eng Team' = 'engineers' }}\n\
         attributes = {{ team = 'dept' }}\nphishing_resistant_amr = ['hwk']\nmfa_acr = ['urn:mfa']\nca = '/ca.pem'\n\
         [[login.oidc]]\nname = 'other'\nissuer = 'http://127.0.0.1:1'\nclient_id = 'w'\nclient_secret = {{ file = '/s' }}\n"
    );
    let loaded = load(&toml, &[], &[]).expect("good");
    let [one, other] = loaded.settings.login.providers.as_slice() else { panic!("two providers") };
    assert_eq!((one.provision, &one.client_secret), (Provision::Create, &Some(SecretRef::Env("S".to_owned()))));
    assert_eq!(one.groups["Eng Team"], "engineers");
    assert_eq!((one.person_claim.as_str(), one.attributes["team"].as_str()), ("login", "dept"));
    assert_eq!(
        (&one.phishing_resistant.amr[..], &one.mfa.acr[..]),
        (&["hwk".to_owned()][..], &["urn:mfa".to_owned()][..])
    );
    assert_eq!(other.client_secret, Some(SecretRef::File("/s".into())));
}

#[test]
fn what_is_wrong_about_a_provider_is_told() {
    for (more, want) in [
        ("client_secret = 'hunter2'", "`login.oidc.client_secret` is a secret and is never written in settings"),
        ("client_secret = { file = 'a', env = 'b' }", "`login.oidc.client_secret` is a secret"),
        ("provison = 'create'", "has no setting `provison`; did you mean `provision`?"),
        ("provision = 'yes'", "`login.oidc.provision` is to be `none` or `create`"),
        ("scopes = 'profile'", "`login.oidc.scopes` is to be a list of words"),
        ("scopes = ['a b']", "`login.oidc.scopes` is to be a list of words"),
        ("groups = { a = 'Not A Name' }", "`login.oidc.groups` is to be a table"),
        ("attributes = { 'Not A Name' = 'a' }", "`login.oidc.attributes` is to be a table"),
        ("userinfo = 'yes'", "`login.oidc.userinfo` is to be `true` or `false`"),
        (LEAST, "another `[[login.oidc]]` has the same `name`"),
        ("[[login.oidc]]\nname = 'a'\nissuer = 'https://login.example.org'\nclient_id = 'x'", "has the same `issuer`"),
        (
            "[[login.oidc]]\nname = 'A'\nissuer = 'https://b.example'\nclient_id = 'x'",
            "`login.oidc.name` is to be 1 to 32",
        ),
        (
            "[[login.oidc]]\nname = 'a'\nissuer = 'http://b.example'\nclient_id = 'x'",
            "`login.oidc.issuer` is to be the",
        ),
        ("[[login.oidc]]\nname = 'a'\nissuer = 'https://b.example'", "`login.oidc.client_id` is to be set"),
    ] {
        let told = load(&format!("{LEAST}{more}\n"), &[], &[]).expect_err(more);
        assert!(told.contains(want), "{more}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    for (toml, env) in [
        ("login.oidc = 'x'\n", None),
        ("", Some(("WANE__login__oidc", "x"))),
        ("", Some(("WANE__login__oidc__name", "x"))),
    ] {
        let env: Vec<_> = env.into_iter().collect();
        let told = load(toml, &env, &[]).expect_err("refused");
        assert!(told.contains("[[login.oidc]]"), "{told}");
    }
}
