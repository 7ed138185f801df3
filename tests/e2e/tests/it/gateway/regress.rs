//! What OpenSSH's own regression tests look at (exit-status, stderr-after-eof, rekey, keepalive, envpass, broken-pipe,
//! connect-uri, dynamic-forward, scp3, sftp quoting, multiplex), asked of the plain server and of the gateway: both
//! have to answer alike.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};

use wane_testkit::{Interactive, free_port, wait_until};

use super::lab::{ALL, Lab, NOTHING, TERMINAL, Visitor};
use super::programs::{answer, good};
use crate::people::SOON;

/// Both ways to one host.
struct Both<'a> {
    lab: &'a Lab,
    maya: &'a Visitor,
    /// What leads straight to it, and stands before what leads through the gateway: the first word counts.
    straight: Vec<String>,
}

impl<'a> Both<'a> {
    fn of(lab: &'a Lab, maya: &'a Visitor) -> Self {
        let known = maya.key.parent().unwrap().join("host-known");
        fs::write(&known, lab.sshd.setup().known_hosts_line().unwrap() + "\n").unwrap();
        let straight = [format!("UserKnownHostsFile={}", known.display()), format!("Port={}", lab.sshd.port())];
        Self { lab, maya, straight: straight.into_iter().flat_map(|option| ["-o".to_owned(), option]).collect() }
    }

    /// A program each way, with the user's name there.
    fn ways(&self, program: &str, options: &[&str]) -> [(Command, String); 2] {
        let user = self.lab.sshd.user().name().to_owned();
        [(&self.straight[..], user), (&[], self.maya.name.clone())].map(|(first, user)| {
            let mut command = Command::new("timeout");
            command.arg(SOON.as_secs().to_string()).arg(program).env_clear();
            command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C");
            command.args(first).args(self.maya.options()).args(options);
            (command, user)
        })
    }

    /// What comes of a command each way: straight, and through the gateway.
    fn answers(&self, options: &[&str], remote: &str, input: &[u8]) -> [Output; 2] {
        self.ways("ssh", options).map(|(mut ssh, user)| {
            ssh.args(["-l", &user, "127.0.0.1"]);
            if !remote.is_empty() {
                ssh.arg(remote);
            }
            answer(&mut ssh, input)
        })
    }

    fn alike(&self, what: &str, options: &[&str], remote: &str, input: &[u8]) {
        let [straight, carried] = self.answers(options, remote, input);
        assert_eq!(carried.status, straight.status, "{what}: {carried:?}\n{straight:?}");
        assert!(carried.stdout == straight.stdout, "{what}: {carried:?}\n{straight:?}");
        // The farewell of a terminal names the address.
        let words = |said: &[u8]| {
            let said = String::from_utf8_lossy(said).into_owned();
            said.lines().filter(|line| !line.starts_with("Connection to ")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(words(&carried.stderr), words(&straight.stderr), "{what}");
    }
}

#[test]
fn what_openssh_asks_of_itself_comes_out_alike() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "20m");
    let both = Both::of(&lab, &maya);
    let much = vec![b'x'; 1_500_000];
    let long = format!("printf %s '{}' | wc -c", "y".repeat(120_000));
    let many = (0..100).map(|n| format!("LC_WANE_{n}=value-{n}")).collect::<Vec<_>>().join(" ");
    let many = format!("SetEnv={many}");
    let sum = "cksum";
    let cases: &[(&str, &[&str], &str, &[u8])] = &[
        ("status 1", &["-T"], "exit 1", b""),
        ("status 44", &["-T"], "exit 44", b""),
        ("status 255", &["-T"], "exit 255", b""),
        ("a status after the output is closed", &["-T"], "exec >&- 2>&-; exit 8", b""),
        ("a status long after the output is closed", &["-T"], "exec <&- >&- 2>&-; sleep 2; exit 9", b""),
        ("a signal of the user's own", &["-T"], "kill -USR1 $$", b""),
        ("a pipe that breaks there", &["-T"], "kill -PIPE $$", b""),
        (
            "complaints after the end of the output",
            &["-T"],
            "exec >&-; head -c 100000 /dev/zero | tr '\\0' e >&2; exit 3",
            b"",
        ),
        ("complaints without input", &["-T", "-n"], "echo out; echo err >&2", b""),
        ("yes, and no more of it", &["-T"], "yes | head -n 1000", b""),
        ("input that ends at once", &["-T"], "wc -c; exit 2", b""),
        ("a long command", &["-T"], &long, b""),
        ("an empty command", &["-T"], "", b""),
        ("only spaces", &["-T"], "   ", b""),
        ("a hundred variables", &["-T", "-o", &many], "env | grep ^LC_WANE | sort | cksum", b""),
        ("new keys while much goes up", &["-T", "-o", "RekeyLimit=256k"], sum, &much),
        (
            "new keys while much comes down",
            &["-T", "-o", "RekeyLimit=256k"],
            "head -c 2000000 /dev/zero | tr '\\0' z",
            b"",
        ),
        ("new keys both ways", &["-T", "-o", "RekeyLimit=128k"], "cat", &much),
        (
            "signs of life",
            &["-T", "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2"],
            "sleep 3; echo alive",
            b"",
        ),
        ("in the background", &["-T", "-f"], "echo behind", b""),
        ("the other cipher", &["-T", "-c", "chacha20-poly1305@openssh.com"], sum, &much),
        ("the smaller cipher", &["-T", "-c", "aes128-gcm@openssh.com"], sum, &much),
        ("a terminal that is closed", &["-tt"], "exit 7", b""),
    ];
    for (what, options, remote, input) in cases {
        both.alike(what, options, remote, input);
    }

    // Somebody who takes a little of much, and leaves.
    for (mut ssh, user) in both.ways("ssh", &["-T", "-n"]) {
        let ssh = ssh.args(["-l", &user, "127.0.0.1", "yes wane"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = ssh.spawn().unwrap();
        let mut some = [0; 4096];
        child.stdout.take().unwrap().read_exact(&mut some).unwrap();
        assert!(some.starts_with(b"wane\n") && !child.wait().unwrap().success(), "{user}");
    }
    let user = lab.sshd.user().uid();
    let port = lab.sshd.port();
    wait_until("nothing to run there any more", SOON, || {
        crate::crash::book::Alive::at(port, user) == crate::crash::book::Alive::NOTHING
    })
    .unwrap();

    // As an address.
    for (mut ssh, user) in both.ways("ssh", &["-T", "-n"]) {
        let user = user.replace('%', "%25");
        let port = if user.contains('%') { lab.port } else { lab.sshd.port() };
        assert_eq!(good(ssh.args([&format!("ssh://{user}@127.0.0.1:{port}"), "echo there"])).trim(), "there");
    }
}

#[test]
fn names_that_mean_something_to_a_shell_are_only_names() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "20m");
    let both = Both::of(&lab, &maya);
    let there = tempfile::Builder::new().prefix("wane-there-").tempdir_in("/tmp").unwrap();
    fs::set_permissions(there.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let here = tempfile::tempdir().unwrap();
    let odd = ["a b", "c'd", "e\"f", "$(touch g)", "h;i", "-m", "ünï"];
    for name in odd {
        fs::write(here.path().join(name), format!("in {name}")).unwrap();
    }
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    for (n, (mut sftp, user)) in (0..).zip(both.ways("sftp", &["-q", "-b", "-"])) {
        let folder = there.path().join(n.to_string());
        let mut batch = format!("mkdir {0}\ncd {0}\nlcd {1}\n", folder.display(), here.path().display());
        for name in odd {
            let local = format!("./{name}");
            batch.push_str(&format!("put {} {}\n", quoted(&local), quoted(&format!("./{name}"))));
        }
        batch.push_str("rename \"a b\" \"a  b\"\nchmod 600 \"h;i\"\nsymlink \"a  b\" linked\nls -1\n");
        let output = answer(sftp.arg(format!("{user}@127.0.0.1")), batch.as_bytes());
        assert!(output.status.success(), "{user}: {output:?}");
    }
    // Alike, to the byte and to the mode.
    let list = |n: usize| {
        good(
            Command::new("find").args([".", "-printf", "%P %m %s %l\\n"]).current_dir(there.path().join(n.to_string())),
        )
    };
    let sorted = |text: String| {
        let mut lines: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(list(1)), sorted(list(0)));
    assert_eq!(sorted(list(0)).len(), odd.len() + 1, "{:?}", list(0));
    assert!(!here.path().join("g").exists() && !there.path().join("g").exists());

    // From there to there by way of here, by either protocol.
    for old in [&["-3", "-q"][..], &["-3", "-q", "-O"]] {
        for (mut scp, user) in both.ways("scp", old) {
            let at = |name: &str| format!("{user}@127.0.0.1:{}", there.path().join("1").join(name).display());
            good(scp.args(
                [at("h;i"), at("copied")].map(|path| if old.len() == 3 { path.replace("h;i", "h\\;i") } else { path }),
            ));
            assert_eq!(fs::read_to_string(there.path().join("1/copied")).unwrap(), "in h;i");
            let gone = maya.run(&format!("rm {}", there.path().join("1/copied").display()));
            assert!(gone.success(), "{gone:?}");
        }
    }
}

/// Asks for an address over SOCKS5 (RFC 1928), and says what is heard there.
fn over_socks(proxy: u16, port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", proxy))?;
    stream.set_read_timeout(Some(SOON))?;
    stream.write_all(&[5, 1, 0])?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen)?;
    let [high, low] = port.to_be_bytes();
    stream.write_all(&[5, 1, 0, 1, 127, 0, 0, 1, high, low])?;
    let mut answer = [0; 10];
    stream.read_exact(&mut answer)?;
    let mut heard = String::new();
    stream.read_to_string(&mut heard)?;
    Ok(heard)
}

#[test]
fn one_connection_is_told_to_forward_and_to_stop() {
    let lab = Lab::new(ALL);
    let maya = lab.comes(&lab.wane.maya, "20m");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let behind = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(200) {
            let _ = stream.and_then(|mut stream| stream.write_all(&[b'w'; 100_000]));
        }
    });
    let heard = |port: u16| {
        let mut heard = Vec::new();
        TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| stream.read_to_end(&mut heard)).ok();
        heard.len()
    };
    let socket = maya.key.parent().unwrap().join("shared");
    let path = format!("ControlPath={}", socket.display());
    let socks = free_port().unwrap();
    let dynamic = socks.to_string();
    let first = |command: &mut Command| {
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C");
        command.args(["-o", &path]);
    };
    let mut master = Command::new("ssh");
    first(&mut master);
    master
        .args(["-N", "-o", "ControlMaster=yes", "-o", "ExitOnForwardFailure=yes", "-D", &dynamic])
        .args(maya.options());
    let master = Interactive::spawn(master.args(["-l", &maya.name, "127.0.0.1"])).unwrap();
    wait_until("the shared connection", SOON, || socket.exists()).unwrap();
    let told = |words: &[&str]| {
        let mut ssh = Command::new("ssh");
        first(&mut ssh);
        good(ssh.args(words).args(maya.options()).args(["-l", &maya.name, "127.0.0.1"]))
    };
    told(&["-O", "check"]);
    wait_until("the proxy to answer", SOON, || over_socks(socks, behind).is_ok_and(|heard| heard.len() == 100_000))
        .unwrap_or_else(|e| panic!("{e}: {:?}\n{}", over_socks(socks, behind), master.stderr()));
    let (near, far) = (free_port().unwrap(), free_port().unwrap());
    let (local, remote) = (format!("{near}:127.0.0.1:{behind}"), format!("{far}:127.0.0.1:{behind}"));
    told(&["-O", "forward", "-L", &local]);
    told(&["-O", "forward", "-R", &remote]);
    wait_until("both to answer", SOON, || heard(near) == 100_000 && heard(far) == 100_000).unwrap();
    told(&["-O", "cancel", "-R", &remote]);
    wait_until("it to be let go of at the host", SOON, || heard(far) == 0).unwrap();
    told(&["-O", "cancel", "-L", &local]);
    assert_eq!(heard(near), 0);
    // Standard error, a status and much of either come over it as well.
    let mut ssh = Command::new("ssh");
    first(&mut ssh);
    ssh.args(["-T", "-o", "ControlMaster=no"]).args(maya.options()).args(["-l", &maya.name, "127.0.0.1"]);
    let output = answer(ssh.arg("cat; echo err >&2; exit 9"), &vec![b'x'; 1_000_000]);
    assert_eq!((output.status.code(), output.stdout.len(), &output.stderr[..]), (Some(9), 1_000_000, &b"err\n"[..]));
    told(&["-O", "exit"]);
    drop(master);
    let tally = lab.tally(&maya.grant);
    assert!(tally["channels"]["direct-tcpip"].as_u64() > Some(1), "{tally:#}");
    assert!(tally["channels"]["forwarded-tcpip"].as_u64() > Some(0), "{tally:#}");
}
