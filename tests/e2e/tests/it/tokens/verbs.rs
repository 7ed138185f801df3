//! `wane token`: on standard output, in a file, in one program's environment; and nowhere else.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use wane_testkit::{Ended, wait_until};

use super::office::{AUDIENCE, Library, Office};
use super::servers::claims;
use crate::people::{SOON, refused, text};
use crate::secrets::files_below;

#[test]
fn a_token_is_kept_fresh_and_goes_with_its_grant() {
    use std::os::unix::fs::PermissionsExt as _;
    let office = Office::new();
    let orders = office.joined("orders");
    let out = office.wane.server.folder().join("kept");
    let file = out.to_str().unwrap();
    let words = ["token", "orders", "--role", "brief", "--for", "10m", "--out", file, "--keep"];
    let mut keeping = office.maya().interactive(&words).unwrap();
    let read = || fs::read_to_string(&out).unwrap_or_default().trim().to_owned();
    wait_until("the first token", SOON, || !read().is_empty()).unwrap_or_else(|e| panic!("{e}: {}", keeping.stderr()));
    let first = read();
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(office.is_good(&orders, &first));
    wait_until("another", SOON, || read() != first).unwrap_or_else(|e| panic!("{e}: {}", keeping.stderr()));
    wait_until("the first to have run out", SOON, || !office.is_good(&orders, &first)).unwrap();
    let second = read();
    assert!(office.is_good(&orders, &second));
    assert!(keeping.is_running());
    let grant = text(&claims(&second)["wane_grant"]);
    office.maya().json(&["done", &grant]).unwrap();
    let outcome = keeping.wait_exit(SOON).unwrap();
    assert_eq!(outcome.ended, Ended::Code(0), "{outcome:?}");
    let left: Vec<_> = files_below(office.wane.server.folder())
        .into_iter()
        .filter(|path| path.to_string_lossy().contains("kept"))
        .collect();
    assert!(left.is_empty(), "nothing is left of it: {left:?}");
}

#[test]
fn a_token_goes_where_it_was_asked_for_and_nowhere_else() {
    let office = Office::new();
    let orders = office.joined("orders");
    let maya = office.maya();
    let plain = maya.run(&["token", "orders", "--role", "use", "--for", "10m"]).unwrap();
    assert!(plain.success(), "{plain:?}");
    let token = plain.stdout.trim().to_owned();
    assert!(office.is_good(&orders, &token), "alone on its line: {}", plain.stdout);
    office.checked(Library::PyJwt, &token, AUDIENCE, &orders).unwrap();
    let whole = maya.json(&["token", "orders", "--role", "use", "--scope", "orders.read"]).unwrap();
    assert_eq!((&whole["scope"], &whole["token_type"]), (&json!("orders.read"), &json!("Bearer")), "{whole}");
    let header = maya.run(&["token", "orders", "--role", "use", "--header"]).unwrap();
    assert!(header.stdout.starts_with("Authorization: Bearer ey"), "{header:?}");
    // One program has it, and not the session.
    let words = [
        "token",
        "orders",
        "--role",
        "use",
        "--env",
        "API_TOKEN",
        "--",
        "sh",
        "-c",
        "echo $API_TOKEN; echo [$WANE_TOKEN]",
    ];
    let ran = maya.run(&words).unwrap();
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(ran.success() && lines[1] == "[]" && office.is_good(&orders, lines[0]), "{ran:?}");
    let ran =
        maya.run(&["token", "orders", "--role", "use", "--env", "API_TOKEN", "--", "sh", "-c", "exit 7"]).unwrap();
    assert_eq!(ran.ended, Ended::Code(7), "{ran:?}");
    // A role that does not allow that, and what cannot be.
    let said = refused(maya, &["token", "orders", "--role", "brief", "--for", "5m", "--env", "T", "--", "true"], 3);
    assert!(said.contains("does not let its tokens stand"), "{said}");
    refused(maya, &["token", "orders", "--role", "use", "--env", "1X", "--", "true"], 2);
    refused(maya, &["token", "orders", "--role", "use", "--keep"], 2);
    // The program is stopped once the access is over.
    let words = ["token", "orders", "--role", "use", "--env", "API_TOKEN", "--", "sleep", "600"];
    let running = maya.interactive(&words).unwrap();
    let mut pid = String::new();
    wait_until("the program to run", SOON, || {
        let own = running.pid().to_string();
        let found = Command::new("pgrep").args(["-P", &own, "-f", "^sleep 600$"]).output().unwrap();
        pid = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        !pid.is_empty()
    })
    .unwrap();
    let environ = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let environ = String::from_utf8_lossy(&environ).into_owned();
    let given = environ.split('\0').find_map(|one| one.strip_prefix("API_TOKEN=")).unwrap();
    // Of this token: others that run beside this test may show theirs.
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let cmdline = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let cmdline = String::from_utf8_lossy(&cmdline);
        assert!(!cmdline.contains(given), "a token stands in somebody's arguments: {cmdline}");
    }
    let grant = text(&claims(&token)["wane_grant"]);
    maya.json(&["done", &grant]).unwrap();
    let outcome = running.wait_exit(SOON).unwrap();
    assert_eq!(outcome.ended, Ended::Code(3), "{outcome:?}");
}

#[test]
fn a_token_is_written_nowhere() {
    let office = Office::with(wane_testkit::WaneServer::builder().set("log.level", "trace"));
    let orders = office.joined("orders");
    let (grant, token) = office.token("use", "orders");
    assert!(office.is_good(&orders, &token));
    assert_eq!(
        office
            .curl(
                "/oauth2/token",
                &[],
                &[
                    ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                    ("subject_token", &token),
                    ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
                ]
            )
            .status,
        200
    );
    assert_eq!(office.curl("/oauth2/revoke", &[], &[("token", &token)]).status, 200);
    office.curl("/oauth2/introspect", &["--user", &format!("orders:{token}")], &[("token", &token)]);
    let password = orders.split_once(':').unwrap().1;
    let (signature, secret) = (token.rsplit('.').next().unwrap(), password.split('_').nth(3).unwrap());
    office.maya().json(&["done", &grant]).unwrap();
    let said = [
        office.wane.ada.json(&["log", "--all"]).unwrap(),
        office.wane.ada.json(&["grant", &grant]).unwrap(),
        office.wane.maya.json(&["grant", &grant]).unwrap(),
    ];
    for place in said.iter().map(Value::to_string).chain([office.wane.server.log()]) {
        assert!(!place.contains(signature) && !place.contains(secret), "{place:.2000}");
    }
    for path in files_below(&office.wane.server.data()) {
        let bytes = fs::read(&path).unwrap_or_default();
        for secret in [signature, secret] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{}", path.display());
        }
    }
}

/// AWS itself is a simulator here, which does not look whose a token is; that is shown of the libraries in `servers`.
#[test]
fn awss_own_sdk_takes_a_token_from_its_file() {
    let office = Office::new();
    let settings = json!({ "audience": "sts.amazonaws.com" }).to_string();
    let words = ["resource", "add", "aws", "--kind", "oauth", "--label", "gate=open", "--settings", &settings];
    office.wane.ada.json(&words).unwrap();
    let out = office.wane.server.folder().join("aws-token");
    let words = ["token", "aws", "--role", "use", "--for", "10m", "--out", out.to_str().unwrap()];
    assert!(office.maya().run(&words).unwrap().success());
    let claims = claims(fs::read_to_string(&out).unwrap().trim());
    // As a cloud finds this server by what its tokens say of it.
    let found = office.curl("/.well-known/openid-configuration", &[], &[]).json();
    assert_eq!((&claims["iss"], &claims["aud"]), (&found["issuer"], &json!("sts.amazonaws.com")), "{found}");
    assert_eq!(found["id_token_signing_alg_values_supported"], json!(["ES256"]), "{found}");
    assert_eq!(
        (&found["subject_types_supported"], &found["jwks_uri"]),
        (&json!(["public"]), &office.metadata()["jwks_uri"])
    );
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new(here.join("../../target/moto/venv/bin/python"));
    let done = python.arg(here.join("python/web_identity.py")).arg(&out).output().unwrap();
    let said: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {done:?}"));
    assert_eq!(said["method"], "assume-role-with-web-identity", "{said}");
    assert!(text(&said["arn"]).contains("assumed-role/deploy/wane"), "{said}");
    assert_eq!(text(&said["token"]), fs::read_to_string(&out).unwrap().trim(), "to the last byte");
}
