//! Where access to some commands, or to one, is good, and what its host is shown.

use std::net::IpAddr;

use russh::keys::Certificate;
use serde_json::json;
use wane_connector::Kind as _;
use wane_connector::broker::{By, Claim};
use wane_domain::lease::LeaseKind;
use wane_domain::request::AskItem;
use wane_domain::time::Span;
use wane_testkit::plain_ask;

use crate::world::World;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ holder";

#[test]
fn a_role_with_commands_is_certified_for_the_gateway_only() {
    let world = World::new(21);
    let resource = world.resource(&json!({ "address": "web1:2222" }));
    for (definition, gateway_only) in [
        (json!({ "principals": ["deploy", "backup"] }), false),
        (json!({ "principals": ["deploy", "backup"], "commands": [["id"]] }), true),
    ] {
        let role = world.role(&definition);
        assert_eq!(world.kind.needs_gateway(&role.definition), gateway_only);
        let held = world.hold(&resource, &role, Span::from_hours(1));
        let issued = world.issue(&held, &resource, &role, KEY, 1).unwrap();
        assert_eq!(issued.handed.public["gateway_only"], gateway_only);
        let cert = Certificate::from_openssh(issued.handed.public["certificate"].as_str().unwrap()).unwrap();
        for name in cert.valid_principals() {
            assert_eq!(name.starts_with("gateway:"), gateway_only, "{name}");
        }
    }
}

#[test]
fn a_task_is_forced_on_its_host_as_well() {
    let world = World::new(22);
    let resource = world.resource(&json!({ "address": "web1:2222" }));
    let listed = json!([["echo", "*"]]);
    for (task, commands, forced) in [
        (None, None, None),
        (Some("echo $HOME; id"), None, Some("echo $HOME; id")),
        (Some("echo \"a b\""), Some(&listed), Some("echo 'a b'")),
    ] {
        let mut definition =
            json!({ "principals": ["deploy"], "extensions": ["permit-pty", "permit-port-forwarding"] });
        if let Some(commands) = commands {
            definition["commands"] = commands.clone();
        }
        let role = world.role(&definition);
        let task = task.map(|task| task.parse().unwrap());
        let item = AskItem { resource: resource.id, role: role.id, role_digest: role.digest().unwrap(), task };
        let asked = plain_ask(&world.ambient, item, Span::from_hours(1));
        let held = wane_testkit::hold(&world.ambient, asked, "ssh", LeaseKind::Session, world.now());
        let right = held.session_permit(world.now()).into_issue();
        let claim = Claim {
            grant: held.grant.id,
            by: By::Confirmed(world.ambient.id()),
            resource: "web1".to_owned(),
            login: "deploy".to_owned(),
            public_key: KEY.to_owned(),
            peer: IpAddr::from([192, 0, 2, 7]),
            client: "SSH-2.0-test".to_owned(),
        };
        let broker = world.kind.broker().unwrap();
        let pass = broker.pass(&world.target(&resource), &role, &held.lease, right, &claim, 1).unwrap();
        let cert = Certificate::from_openssh(pass.public["certificate"].as_str().unwrap()).unwrap();
        assert_eq!(cert.critical_options().get("force-command").map(String::as_str), forced);
        assert_eq!(cert.extensions().contains_key("permit-port-forwarding"), forced.is_none());
        assert!(cert.extensions().contains_key("permit-pty"));
    }
}

#[test]
fn only_a_task_that_the_role_can_run_is_taken() {
    let world = World::new(23);
    let check = |definition: serde_json::Value, task: &str| {
        let refused = world.kind.check_task(&definition, &task.parse().unwrap()).err();
        refused.map_or(String::new(), |e| e.to_string())
    };
    assert_eq!(check(json!({ "principals": ["a"] }), "a | b; c $d"), "");
    let listed = json!({ "principals": ["a"], "commands": [["echo", "*"]] });
    assert_eq!(check(listed.clone(), "echo a"), "");
    for (definition, task, why) in [
        (listed.clone(), "id", "it allows `echo *`"),
        (listed, "echo a; id", "means more than itself"),
        (json!({ "principals": ["a"], "force_command": "id" }), "id", "force_command"),
    ] {
        let said = check(definition, task);
        assert!(said.starts_with("task: ") && said.contains(why), "{said}");
    }
}
