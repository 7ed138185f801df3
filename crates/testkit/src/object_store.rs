//! A real object store with the S3 API on loopback: SeaweedFS, which checks signatures and conditions as Amazon's does.
//!
//! What lies in it can be looked at, changed and taken away past its S3 side, as somebody could who runs the store.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::ServerProcess;
use crate::wait::wait_until;
use crate::{folder, port, program};

/// The variable that names another program.
const NAMED: &str = "WANE_WEED";
const PATIENCE: Duration = Duration::from_secs(120);
const ANSWER: Duration = Duration::from_secs(20);
/// Asked politely it takes half a minute; what it has answered outlives the process.
const ENDED_BY: Signal = Signal::SIGKILL;
/// Only this key may read and write in the bucket; it may make none.
const KEY: &str = "WANETEST";
const SECRET: &str = "not-a-secret-of-anybody";
const BUCKET: &str = "recordings";

/// A store with one empty bucket, that ends with this value.
#[derive(Debug)]
pub struct ObjectStore {
    // First, so that the process ends before its folder goes.
    process: Option<ServerProcess>,
    program: PathBuf,
    folder: TempDir,
    /// Master, volumes, files, S3; each with a second for its own kind.
    ports: [[u16; 2]; 4],
}

impl ObjectStore {
    /// A running store.
    pub fn start() -> Result<Self> {
        let pair = || Ok::<_, anyhow::Error>([port::free_port()?, port::free_port()?]);
        let ports = [pair()?, pair()?, pair()?, pair()?];
        let mut store = Self { process: None, program: find()?, folder: folder::throw_away("wane-objects-")?, ports };
        let actions: Vec<String> = ["Read", "Write", "List"].iter().map(|may| format!("{may}:{BUCKET}")).collect();
        let identity =
            json!({ "name": "wane", "actions": actions, "credentials": [{ "accessKey": KEY, "secretKey": SECRET }] });
        fs::write(store.folder.path().join("s3.json"), json!({ "identities": [identity] }).to_string())?;
        for (name, value) in [("key", KEY), ("secret", SECRET)] {
            fs::write(store.folder.path().join(name), value)?;
        }
        store.run()?;
        store.make_bucket()?;
        store.takes_objects()?;
        Ok(store)
    }

    /// Settings of Wane for it.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        vec![
            ("recording.store.bucket", BUCKET.to_owned()),
            ("recording.store.endpoint", format!("http://127.0.0.1:{}", self.port())),
            ("recording.store.access_key_id.file", file("key")),
            ("recording.store.secret_access_key.file", file("secret")),
        ]
    }

    /// The port of its S3 side.
    #[must_use]
    pub fn port(&self) -> u16 {
        let [_, _, _, [s3, _]] = self.ports;
        s3
    }

    /// Changes the secret that Wane is told, to a wrong one or back.
    pub fn tell_secret(&self, secret: Option<&str>) -> Result<()> {
        Ok(fs::write(self.folder.path().join("secret"), secret.unwrap_or(SECRET))?)
    }

    /// Ends it; what lies in it stays.
    pub fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.end(ENDED_BY),
            None => Ok(()),
        }
    }

    /// Starts it again: same ports, same objects.
    pub fn resume(&mut self) -> Result<()> {
        self.run()?;
        self.takes_objects()
    }

    fn run(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the object store is running already");
        let data = self.folder.path().join("data");
        fs::create_dir_all(&data)?;
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.folder.path())
            .args(["-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"])
            .args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", "-s3.autoCreateBucket=false"])
            .args(["-master.volumeSizeLimitMB=128", "-volume.max=16"])
            .arg(format!("-dir={}", data.display()))
            .arg(format!("-s3.config={}", self.folder.path().join("s3.json").display()));
        for (part, [own, other]) in ["master", "volume", "filer", "s3"].iter().zip(self.ports) {
            command.arg(format!("-{part}.port={own}")).arg(format!("-{part}.port.grpc={other}"));
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = self.process.insert(ServerProcess::spawn("SeaweedFS", &mut command, ENDED_BY)?);
        let [_, _, [files, _], [s3, _]] = self.ports;
        let mut died = None;
        let waited = wait_until("the object store to answer", PATIENCE, || {
            died = process.exited();
            let answers =
                |port, path| call(port, "GET", path, b"").is_ok_and(|(status, _)| (200..500).contains(&status));
            died.is_some() || (answers(files, "/") && answers(s3, "/status"))
        });
        if let Some(status) = died {
            self.process = None;
            bail!("SeaweedFS ended with {status}: {}", self.log());
        }
        waited.with_context(|| self.log())
    }

    /// The names of all objects, in order.
    pub fn objects(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            for (path, is_folder) in self.list(&folder)? {
                // Uploads that are not complete are kept beside the objects.
                match (is_folder, path.starts_with(".uploads")) {
                    (_, true) => {}
                    (true, false) => folders.push(path),
                    (false, false) => found.push(path),
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// How many uploads are not complete.
    pub fn uploads(&self) -> Result<usize> {
        Ok(self.list(".uploads")?.len())
    }

    /// What is in an object.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let (status, body) = self.files("GET", name, b"")?;
        ensure!(status == 200, "`{name}` cannot be read: {status}");
        Ok(body)
    }

    /// Puts something else there, behind the back of whoever goes by the S3 API.
    pub fn overwrite(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let (status, _) = self.files("PUT", name, bytes)?;
        ensure!((200..300).contains(&status), "`{name}` cannot be written: {status}");
        Ok(())
    }

    /// Takes an object away, in the same manner.
    pub fn take_away(&self, name: &str) -> Result<()> {
        let (status, _) = self.files("DELETE", name, b"")?;
        ensure!((200..300).contains(&status), "`{name}` cannot be removed: {status}");
        Ok(())
    }

    /// Everything it has written.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn make_bucket(&self) -> Result<()> {
        let [master, _, files, _] = self.ports;
        let at = |name: &str, [own, other]: [u16; 2]| format!("-{name}=127.0.0.1:{own}.{other}");
        let mut said = String::new();
        wait_until("the bucket to be made", PATIENCE, || {
            let mut command = Command::new(&self.program);
            command.env_clear().env("HOME", self.folder.path()).args([
                "shell",
                &at("master", master),
                &at("filer", files),
            ]);
            let input = format!("s3.bucket.create -name {BUCKET}\ns3.bucket.list\nexit\n");
            said = program::run(&mut command, &input, ANSWER).map_or_else(|e| e.to_string(), |made| made.stdout);
            said.lines().any(|line| line.split_whitespace().next() == Some(BUCKET))
        })
        .with_context(|| said.clone())
    }

    /// Waits until it takes an object, which is a moment after it answers: its parts have to find each other first.
    fn takes_objects(&self) -> Result<()> {
        let bytes = vec![b'x'; 64 << 10];
        let ready = || self.overwrite("ready", &bytes).is_ok() && self.take_away("ready").is_ok();
        wait_until("the object store to take an object", PATIENCE, ready).with_context(|| self.log())
    }

    fn list(&self, folder: &str) -> Result<Vec<(String, bool)>> {
        let [_, _, [port, _], _] = self.ports;
        let path = format!("/buckets/{BUCKET}/{folder}/?limit=10000").replace("//", "/");
        let (status, body) = call(port, "GET", &path, b"")?;
        if status == 404 {
            return Ok(Vec::new());
        }
        ensure!(status == 200, "the objects cannot be listed: {status}");
        let listing: Value = serde_json::from_slice(&body).context("the listing is no JSON")?;
        let entries = listing.get("Entries").and_then(Value::as_array).cloned().unwrap_or_default();
        let top = format!("/buckets/{BUCKET}/");
        let of = |entry: &Value| {
            let path = entry.get("FullPath")?.as_str()?.strip_prefix(&top)?.to_owned();
            let is_folder = entry.get("Mode")?.as_u64()? & (1 << 31) != 0;
            Some((path, is_folder))
        };
        Ok(entries.iter().filter_map(of).collect())
    }

    fn files(&self, method: &str, name: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
        let [_, _, [port, _], _] = self.ports;
        call(port, method, &format!("/buckets/{BUCKET}/{name}"), body)
    }
}

/// `$WANE_WEED`, or what `cargo xtask deps` put under `target/`.
fn find() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(NAMED) {
        return Ok(PathBuf::from(named));
    }
    let own = std::env::current_exe()?;
    let found = own.ancestors().map(|folder| folder.join("seaweedfs/venv/bin/weed")).find(|path| path.is_file());
    found.with_context(|| format!("there is no SeaweedFS under `target/`; run `cargo xtask deps`, or set {NAMED}"))
}

/// One request to the side that is not S3.
fn call(port: u16, method: &str, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(ANSWER))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nAccept: application/json\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("an answer without an end of its head")?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8_lossy(&answer).into_owned();
    let status =
        head.split_whitespace().nth(1).and_then(|word| word.parse().ok()).context("an answer without a status")?;
    Ok((status, body))
}
