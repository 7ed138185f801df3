//! Logins by a link and a code, with a kill at every step: what was spent stays spent, what waited is over.

use std::process::Command;

use wane_testkit::{Interactive, wait_until};

use super::points;
use super::sessions::Bench;
use crate::gateway::browser::Browser;
use crate::people::SOON;

/// Somebody with nothing but `ssh` and a terminal.
struct Bare(Interactive);

impl Bare {
    fn comes(bench: &Bench) -> Self {
        let ssh = format!(
            "ssh -F /dev/null -o IdentityFile=none -o IdentityAgent=none -o UserKnownHostsFile={} \
             -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -o ControlPath=none -p {} -l {}%web 127.0.0.1 \
             'echo arrived; read line'",
            bench.known.display(),
            bench.port,
            bench.sshd.user().name()
        );
        let mut command = Command::new("script");
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").env("TERM", "dumb");
        Self(Interactive::spawn(command.args(["-qefc", &ssh, "/dev/null"])).unwrap())
    }

    /// The path of the link, and the code.
    fn invited(&self, bench: &Bench) -> (String, String) {
        self.0.wait_for("Nobody but you needs this code.", SOON).unwrap();
        let said = self.0.stdout();
        let mut words = said.split_whitespace();
        let path = words.find_map(|word| word.strip_prefix(&bench.lab.wane.server.url())).unwrap().to_owned();
        let code = words.find(|word| word.len() == 9 && word.as_bytes()[4] == b'-').unwrap().to_owned();
        (path, code)
    }
}

/// Somebody logs in until the server dies over it, with the answer of the browser lost or not.
fn dies_over(bench: &mut Bench, place: &str) {
    let plan = format!("{place}=kill");
    let browser = Browser::of(&bench.lab.wane.maya);
    let mut bare = Bare::comes(bench);
    let (path, code) = bare.invited(bench);
    let token = browser.token(&path);
    bench.lab.wane.server.plan(&plan).unwrap();
    let form = format!("token={token}&code={code}&answer=yes");
    let answered = browser.try_post(&path, &form);
    // The last of it comes when the person goes.
    if place.starts_with("app.brokered.closed") {
        bare.0.wait_for("arrived", SOON).unwrap();
        bare.0.send_line("enough").unwrap();
        bench.assert_dead(place);
    } else {
        bench.assert_dead(place);
        assert!(!bare.0.wait_exit(SOON).unwrap().success(), "{place}");
    }
    bench.assert_settled(place);
    // What stood in the link and the code is worth nothing any more, answered or not.
    assert_eq!(browser.open(&path).status, 404, "{place}: {answered:?}");
    let again = browser.post(&path, &form);
    assert_eq!(again.status, 404, "{place}: {again:?}");
    assert_eq!(bench.lab.wane.ada.json(&["sessions"]).unwrap()["items"], serde_json::json!([]), "{place}");
}

/// BUG-20, BUG-84, INV-7, INV-16, FLT-1.
#[test]
fn killed_over_a_login_by_link_and_code_nothing_is_good_twice() {
    let mut bench = Bench::new(|_| {});
    // Whoever is invited at all.
    for place in ["app.arrival.commit:before", "app.arrival.commit:after"] {
        bench.lab.wane.server.plan(&format!("{place}=kill")).unwrap();
        let bare = Bare::comes(&bench);
        bench.assert_dead(place);
        let outcome = bare.0.wait_exit(SOON).unwrap();
        assert!(!outcome.success() && !outcome.stdout.contains("/login/"), "{place}: {outcome:?}");
        bench.assert_settled(place);
    }
    for point in points::LOGINS {
        for side in ["before", "after"] {
            dies_over(&mut bench, &format!("{point}:{side}"));
        }
    }
    let bare = Bare::comes(&bench);
    let (path, code) = bare.invited(&bench);
    assert_eq!(Browser::of(&bench.lab.wane.maya).answer(&path, &code, "yes").status, 200);
    bare.0.wait_for("arrived", SOON).unwrap_or_else(|e| panic!("{e}\n{}", bench.lab.wane.server.log()));
    drop(bare);
    wait_until("it to be closed", SOON, || bench.book().is_settled()).unwrap();
    points::assert_killed(&bench.lab.reached, points::LOGINS);
}
