//! A deployment whose disk fills up, or goes read-only, under it: everything still ends, nothing begins,
//! and all of it is in the log afterwards.
//!
//! The data folder is on a small file system of its own, which takes root to mount.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use wane_testkit::{PersonSession, WaneServer, wait_until};

use crate::database::Shop;
use crate::people::{SOON, granted, items, refused, text};

/// A file system of its own under the data folder of a server; it goes with this value.
struct Disk {
    at: PathBuf,
    device: String,
}

impl Disk {
    /// In memory, so small that it can be filled.
    fn small(server: &WaneServer) -> Self {
        Self::mounted(server.data(), "tmpfs".to_owned(), &["-t", "tmpfs", "-o", "size=24m,mode=0700"])
    }

    /// A real ext4 in a file, which can be made to fail like a broken disk does.
    fn ext4(server: &WaneServer) -> Self {
        let image = server.folder().join("disk");
        File::create(&image).unwrap().set_len(48 << 20).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        Self::mounted(server.data(), image.display().to_string(), &["-t", "ext4", "-o", "loop"])
    }

    fn mounted(at: PathBuf, device: String, options: &[&str]) -> Self {
        fs::create_dir_all(&at).unwrap();
        let disk = Self { at, device };
        run(Command::new("mount").args(options).arg(&disk.device).arg(&disk.at));
        let _ = fs::remove_dir(disk.at.join("lost+found"));
        disk
    }

    /// Takes every last byte.
    fn fill(&self) -> PathBuf {
        let ballast = self.at.join("ballast");
        let mut file = File::create(&ballast).unwrap();
        for part in [64 * 1024, 1024, 1] {
            while file.write_all(&vec![7; part]).is_ok() {}
        }
        ballast
    }

    /// Every write fails from now on, until it is mounted anew.
    fn break_down(&self) {
        run(Command::new("mount").args(["-o", "remount,abort"]).arg(&self.at));
    }

    fn mount_anew(&self) {
        run(Command::new("umount").arg(&self.at));
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(&self.device).arg(&self.at));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l"]).arg(&self.at).status();
    }
}

fn run(command: &mut Command) {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?} (is this root?): {done:?}");
}

/// What the server says of itself.
fn checks(person: &PersonSession) -> String {
    person.run(&["doctor"]).unwrap().stdout
}

fn size(path: &Path) -> u64 {
    path.metadata().unwrap().len()
}

#[test]
fn a_full_disk_ends_everything_and_books_it_after_a_kill() {
    let server = WaneServer::builder().set("engine.retry_cap", "2s").prepare().unwrap();
    let disk = Disk::small(&server);
    let mut shop = Shop::on(server, "open");
    let omar = shop.wane.server.newcomer(&shop.wane.ada, "omar", &["engineers"]).unwrap();
    let lena = shop.wane.server.newcomer(&shop.wane.ada, "lena", &["engineers"]).unwrap();
    let returned = granted(&omar, "readonly@shop", "30m");
    let revoked = granted(&lena, "readonly@shop", "30m");
    let accounts = [shop.account(&omar, &returned), shop.account(&lena, &revoked)];
    let mut open: Vec<_> = accounts.iter().map(|account| shop.open(account)).collect();
    // Last, so that it is still there when the disk is full.
    let over = granted(&shop.wane.maya, "readonly@shop", "30s");
    open.push(shop.open(&shop.account(&shop.wane.maya, &over)));
    let (ada, maya) = (&shop.wane.ada, &shop.wane.maya);
    let ballast = disk.fill();

    // Nothing begins, and what people end is ended and said to be unbooked.
    let said = refused(maya, &["request", "readonly@shop", "--for", "31m"], 7);
    assert!(said.contains("the store cannot be read or written"), "{said}");
    let given_back = items(&omar.json(&["done", &returned]).unwrap())[0].clone();
    assert_eq!(given_back["state"], "ending", "{given_back:#}");
    let note = text(&given_back["unbooked"]);
    assert!(note.contains("not in the log yet") && note.contains("kept in the journal"), "{note}");
    let ended = ada.json(&["revoke", &revoked, "-m", "stop"]).unwrap();
    assert!(text(&ended["unbooked"]).contains("kept in the journal"), "{ended:#}");
    shop.wait_no_accounts();
    for mut session in open {
        let _ = session.send_line("SELECT 1;");
        assert!(!session.wait_exit(SOON).unwrap().success(), "a session was not cut");
    }
    assert!(checks(ada).contains("cannot be used"), "{}", checks(ada));
    assert!(shop.wane.server.log().contains("THE STORE CANNOT BE USED"));
    assert_eq!(size(&disk.at.join("ends.journal")), 4 << 20);

    // Killed before anything could be booked.
    shop.wane.server.kill_9().unwrap();
    fs::remove_file(ballast).unwrap();
    shop.wane.server.start().unwrap();
    for (grant, cause) in [(&over, "expired"), (&returned, "returned"), (&revoked, "revoked")] {
        let closed = shop.wane.wait_closed(grant);
        assert_eq!((&closed["closure"]["cause"], &closed["closure"]["word"]), (&cause.into(), &"gone".into()));
        let events = shop.wane.events(grant);
        let count = |event: &str| events.iter().filter(|e| *e == event).count();
        assert_eq!((count("storeless.said"), count("storeless.ended")), (1, 1), "{cause}: {events:?}");
    }
    let unbooked = || checks(&shop.wane.ada).contains("every end is in the log");
    wait_until("everything to be booked", SOON, unbooked).unwrap();
    // Before and after, nothing that was answered is lost.
    let log = shop.wane.ada.json(&["log", "--event", "storeless.said", "--all"]).unwrap();
    let who: Vec<_> = items(&log).iter().map(|r| r["actor"].clone()).collect();
    assert_eq!(who.len(), 3, "{who:?}");
    let again = granted(&shop.wane.maya, "readonly@shop", "5m");
    shop.account(&shop.wane.maya, &again);
}

#[test]
fn a_disk_that_is_slow_delays_answers_and_no_end() {
    let server = WaneServer::builder().failpoints().set("engine.retry_cap", "2s").prepare().unwrap();
    let shop = Shop::on(server, "open");
    let maya = &shop.wane.maya;
    let held = granted(maya, "readonly@shop", "30m");
    let account = shop.account(maya, &held);
    let open = shop.open(&account);

    // No commit gets to the disk: nobody is told that anything began, and what has to end ends.
    let go_on = shop.wane.server.folder().join("go-on");
    shop.wane.server.trace().unwrap();
    shop.wane.server.plan(&format!("store.commit:before=hold:{}", go_on.display())).unwrap();
    let asking = maya.interactive(&["request", "readonly@shop", "--for", "31m"]).unwrap();
    let given_back = items(&maya.json(&["done", &held]).unwrap())[0].clone();
    assert!(text(&given_back["unbooked"]).contains("not in the log yet"), "{given_back:#}");
    shop.wait_no_accounts();
    shop.assert_over(&account, Some(open));
    let hit = shop.wane.server.trace().unwrap();
    let written = hit.iter().filter(|place| *place == "store.commit:after").count();
    assert!(hit.iter().any(|place| place == "store.commit:before") && written == 0, "{hit:?}");

    // Each one takes five seconds: answers wait for it, and come.
    shop.wane.server.plan("store.commit:before=delay:5000").unwrap();
    fs::write(&go_on, "").unwrap();
    asking.wait_exit(SOON).unwrap();
    shop.wane.server.trace().unwrap();
    let again = granted(maya, "readonly@shop", "20m");
    let hit = shop.wane.server.trace().unwrap();
    assert!(
        hit.iter().any(|place| place == "store.commit:after"),
        "`{again}` was answered before it was written: {hit:?}"
    );

    shop.wane.server.plan("").unwrap();
    let closed = shop.wane.wait_closed(&held);
    assert_eq!((&closed["closure"]["cause"], &closed["closure"]["word"]), (&"returned".into(), &"gone".into()));
    let events = shop.wane.events(&held);
    assert_eq!(events.iter().filter(|event| *event == "storeless.said").count(), 1, "{events:?}");
}

#[test]
fn a_disk_that_breaks_keeps_nothing_alive() {
    let server = WaneServer::builder().set("engine.retry_cap", "2s").prepare().unwrap();
    let disk = Disk::ext4(&server);
    let mut shop = Shop::on(server, "open");
    let omar = shop.wane.server.newcomer(&shop.wane.ada, "omar", &["engineers"]).unwrap();
    let returned = granted(&omar, "readonly@shop", "30m");
    shop.account(&omar, &returned);
    let over = granted(&shop.wane.maya, "readonly@shop", "20s");
    shop.account(&shop.wane.maya, &over);
    disk.break_down();

    refused(&shop.wane.maya, &["request", "readonly@shop", "--for", "31m"], 7);
    let given_back = items(&omar.json(&["done", &returned]).unwrap())[0].clone();
    let note: &Value = &given_back["unbooked"];
    assert!(text(note).contains("only this process knows"), "the journal cannot have kept it: {note}");
    shop.wait_no_accounts();
    assert!(shop.wane.server.log().contains("THE JOURNAL OF ENDS CANNOT BE WRITTEN"));

    // What was answered before is all there; what ran out is found to have run out.
    shop.wane.server.kill_9().unwrap();
    disk.mount_anew();
    shop.wane.server.start().unwrap();
    assert_eq!(shop.wane.wait_closed(&over)["closure"]["cause"], "expired");
    // As the answer said, this one has to be said again: its account is gone, its grant is not.
    assert_eq!(shop.wane.grant(&returned)["state"], "active");
    omar.json(&["done", &returned]).unwrap();
    assert_eq!(shop.wane.wait_closed(&returned)["closure"]["word"], "gone");
    assert_eq!(shop.accounts(), Vec::<String>::new());
    shop.wane.server.stop().unwrap();
}
