//! Real logins: what a certificate opens, and what it does not.

use serde_json::json;
use wane_connector::Issued;
use wane_domain::time::Span;
use wane_testkit::{Ended, Outcome};

use crate::world::{Holder, Host, World};

fn issue(world: &World, host: &Host, holder: &Holder, definition: &serde_json::Value) -> Issued {
    let role = world.role(definition);
    let held = world.hold(&host.resource, &role, Span::from_hours(1));
    world.issue(&held, &host.resource, &role, &holder.public_line(), 1).unwrap()
}

fn login(world: &World, host: &Host, definition: &serde_json::Value, remote: &str) -> Outcome {
    let holder = Holder::new();
    let issued = issue(world, host, &holder, definition);
    host.client(&holder, &issued).run(remote).unwrap()
}

#[test]
fn a_certificate_logs_in_and_the_host_proves_itself() {
    let world = World::new(11);
    let host = Host::start(&world, &[]);
    let said = login(&world, &host, &json!({ "principals": [host.user()] }), "id -un");
    assert_eq!(said.into_stdout().unwrap(), host.user());
}

#[test]
fn other_principals_authorities_and_hosts_are_refused() {
    let world = World::new(12);
    let host = Host::start(&world, &[]);
    let refused = |said: Outcome| {
        assert!(said.ended == Ended::Code(255) && said.stderr.contains("Permission denied"), "{said:?}");
    };
    refused(login(&world, &host, &json!({ "principals": ["somebody"] }), "true"));
    // Another deployment's certificate, over this host's own host authority.
    let other = World::new(13);
    let holder = Holder::new();
    let (ours, theirs) = (
        issue(&world, &host, &holder, &json!({ "principals": [host.user()] })),
        issue(&other, &host, &holder, &json!({ "principals": [host.user()] })),
    );
    let client = host.client(&holder, &ours);
    holder.keep(&theirs);
    refused(client.run("true").unwrap());
    // And the other way round: a host that another deployment set up is not believed.
    let said = host.client(&holder, &theirs).run("true").unwrap();
    assert!(said.stderr.contains("Host key verification failed"), "{said:?}");
}

/// Both hosts trust the same authority and have an account of the same name.
#[test]
fn a_certificate_for_one_host_opens_no_other() {
    let world = World::new(18);
    let host = Host::start(&world, &[]);
    let holder = Holder::new();
    let role = world.role(&json!({ "principals": [host.user()] }));
    let elsewhere = world.resource(&host.resource.settings);
    let held = world.hold(&elsewhere, &role, Span::from_hours(1));
    let issued = world.issue(&held, &elsewhere, &role, &holder.public_line(), 1).unwrap();
    let said = host.client(&holder, &issued).run("true").unwrap();
    assert!(said.stderr.contains("Permission denied"), "{said:?}");
}

#[test]
fn force_command_is_all_that_runs() {
    let world = World::new(14);
    let host = Host::start(&world, &[]);
    let said =
        login(&world, &host, &json!({ "principals": [host.user()], "force_command": "echo forced" }), "echo mine");
    assert_eq!(said.into_stdout().unwrap(), "forced");
}

#[test]
fn source_address_is_enforced() {
    let world = World::new(15);
    let host = Host::start(&world, &[]);
    let from =
        |range: &str| login(&world, &host, &json!({ "principals": [host.user()], "source_address": [range] }), "true");
    assert!(from("127.0.0.0/8").success());
    assert!(from("192.0.2.0/24").stderr.contains("Permission denied"));
}

/// Without extensions nothing but a command runs, whatever the client asks for and the server would allow.
#[test]
fn forwards_agent_x11_and_terminal_need_the_role() {
    let world = World::new(16);
    let host = Host::start(
        &world,
        &["AllowTcpForwarding yes", "AllowAgentForwarding yes", "X11Forwarding yes", "PermitTTY yes"],
    );
    let user = host.user();
    let port = wane_testkit::free_port().unwrap();
    let holder = Holder::new();
    let bare = issue(&world, &host, &holder, &json!({ "principals": [user] }));
    let ask = |issued: &Issued, options: &[&str], remote: &str| {
        let client = options.iter().fold(host.client(&holder, issued), |client, option| client.option(option));
        client.run(remote).unwrap()
    };
    let remote_forward = format!("RemoteForward 127.0.0.1:{port} 127.0.0.1:9");
    let socket_forward = format!("RemoteForward {}/s 127.0.0.1:9", host.sshd.user().home().display());
    for forward in [&remote_forward, &socket_forward] {
        let said = ask(&bare, &["ExitOnForwardFailure=yes", forward], "true");
        assert!(!said.success() && said.stderr.contains("forwarding failed"), "{forward}: {said:?}");
    }
    let terminal = host.with_terminal(&holder, &bare, "tty");
    assert!(terminal.contains("PTY allocation request failed"), "{terminal}");
    let agent = ask(&bare, &["ForwardAgent=yes"], "echo agent=$SSH_AUTH_SOCK");
    assert_eq!(agent.into_stdout().unwrap(), "agent=");
    let display = ask(&bare, &["ForwardX11=yes"], "echo display=$DISPLAY");
    assert_eq!(display.into_stdout().unwrap(), "display=");
    // -W, -L and -D all open this kind of channel.
    let direct = ask(&bare, &[], "true");
    assert!(direct.success());
    let jump =
        host.client(&holder, &bare).option(&format!("LocalForward 127.0.0.1:{port} 127.0.0.1:{}", host.sshd.port()));
    let open = jump.open("echo ready; cat").unwrap();
    open.wait_for("ready", std::time::Duration::from_secs(60)).unwrap();
    let mut heard = Vec::new();
    if let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) {
        use std::io::Read as _;
        let _ = stream.read_to_end(&mut heard);
    }
    assert!(heard.is_empty(), "a forward was open: {heard:?}");
    open.wait_for("administratively prohibited", std::time::Duration::from_secs(60)).unwrap();
    drop(open);
    // With the extensions in the role, the same requests go through: the refusals above were the certificate's.
    let full = issue(
        &world,
        &host,
        &holder,
        &json!({ "principals": [user], "extensions": ["permit-port-forwarding", "permit-pty"] }),
    );
    assert!(ask(&full, &["ExitOnForwardFailure=yes", &remote_forward], "true").success());
    let terminal = host.with_terminal(&holder, &full, "tty");
    assert!(terminal.contains("/dev/"), "{terminal}");
}

/// No extension stands for file transfer, so a role that is to keep it out forces a command.
#[test]
fn a_forced_command_keeps_sftp_out() {
    let world = World::new(17);
    let host = Host::start(&world, &[]);
    let holder = Holder::new();
    let issued = issue(&world, &host, &holder, &json!({ "principals": [host.user()], "force_command": "echo forced" }));
    let said =
        host.client(&holder, &issued).option("RequestTTY=no").option("SessionType=subsystem").run("sftp").unwrap();
    assert_eq!(said.stdout.trim(), "forced", "{said:?}");
}
