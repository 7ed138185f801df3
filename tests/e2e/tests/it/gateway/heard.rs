//! A directory tells that somebody is gone: what they have open is cut, whatever its interval is.

use wane_testkit::{Slapd, WaneServer, free_port};

use super::ending::now;
use super::lab::{Lab, TERMINAL};
use crate::directory::corp::{arrives, policy};
use crate::kept::{Corp, GROUP, PEOPLE};
use crate::people::SOON;

#[test]
fn who_is_gone_from_a_directory_that_tells_is_cut_off() {
    let port = free_port().unwrap();
    let builder = WaneServer::builder().set("gateway.ssh.listen", &format!("127.0.0.1:{port}"));
    let Corp { wane, slapd } = Corp::over(Slapd::builder().line("overlay syncprov"), builder, "every = \"1h\"");
    let lab = Lab::on(wane, port, TERMINAL, &[]);
    lab.wane.load(&policy("staff"));
    slapd.modify(&format!("dn: {GROUP}\nchangetype: modify\nadd: member\nmember: uid=bert,{PEOPLE}\n")).unwrap();
    let opened = |name: &str| {
        let shown = || lab.wane.ada.run(&["group", "show", "staff"]).unwrap().stdout.contains(name);
        wane_testkit::wait_until("them in the group", SOON, shown).unwrap();
        let visitor = lab.comes(&arrives(&lab.wane.server, &lab.wane.ada, name), "30m");
        let mut shell = visitor.open(&["-T"], &["cat"]);
        shell.send_line("fed").unwrap();
        shell.wait_for("fed", SOON).unwrap();
        (visitor, shell)
    };
    let ((anna, shell), (_, mut other)) = (opened("anna"), opened("bert"));
    let began = now();
    slapd.modify(&format!("dn: uid=anna,{PEOPLE}\nchangetype: delete\n")).unwrap();
    assert!(!shell.wait_exit(SOON).unwrap().success());
    let cut = now() - began;
    assert!(cut < 10.0, "cut after {cut} s\n{}", lab.wane.server.log());
    let leases = || lab.leases(&anna.grant);
    wane_testkit::wait_until("the session to be written down as gone", SOON, || {
        !leases().is_empty() && leases().iter().all(|lease| lease["state"] == "gone")
    })
    .unwrap();
    assert_eq!(lab.wane.grant(&anna.grant)["ending"]["reason"], "the holder is disabled");
    // Nobody else noticed.
    other.send_line("still").unwrap();
    other.wait_for("still", SOON).unwrap();
}
