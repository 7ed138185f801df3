//! `wane host setup`: ties this host's sshd to Wane, saying every change it makes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use clap::Parser;
use russh::keys::Certificate;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::public::KeyData;
use serde_json::{Value, json};
use wane_connector::verb::{AccessPort, Verb, VerbError};
use wane_connector::words::parse;
use wane_domain::id::ResourceId;

use super::files::{Written, failed, put};
use super::sshd_config::{self, Effective};
use crate::{key, krl};

/// The names of what is kept in the host's folder.
pub(super) const KRL_FILE: &str = "krl";
pub(super) const SIGNER_FILE: &str = "krl_signer";
pub(super) const TOKEN_FILE: &str = "token";
const USER_CA_FILE: &str = "user_ca.pub";
/// Has sshd accept, for a login name, the principal that is that name at this host and no other.
const PRINCIPALS_COMMAND: &str = "/usr/bin/echo %u@";

/// `wane host setup`.
#[derive(Clone, Copy, Debug)]
pub struct HostSetup;

/// Ties this host's sshd to Wane: trusts its user certificates, refuses what it revokes, and shows a
/// host certificate. Says every change it makes.
#[derive(Debug, Parser)]
#[command(name = "wane host setup", disable_version_flag = true)]
struct Args {
    /// The code the server gave for this host; good once.
    #[arg(long, visible_alias = "server-code", value_name = "CODE", env = "WANE_JOIN_CODE", hide_env_values = true)]
    code: String,
    /// The configuration to change.
    #[arg(long, value_name = "FILE", default_value = "/etc/ssh/sshd_config")]
    sshd_config: PathBuf,
    /// Where to keep what the server gives.
    #[arg(long, value_name = "FOLDER", default_value = "/etc/ssh/wane")]
    dir: PathBuf,
    /// The sshd that is to judge the configuration.
    #[arg(long, value_name = "FILE", default_value = "/usr/sbin/sshd")]
    sshd: PathBuf,
    /// Say what would be done, and do nothing; the code stays good.
    #[arg(long)]
    dry_run: bool,
}

#[async_trait]
impl Verb for HostSetup {
    fn words(&self) -> &'static [&'static str] {
        &["host", "setup"]
    }

    fn about(&self) -> &'static str {
        "tie this host's sshd to Wane"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<Args>("wane host setup", args, port)? else { return Ok(0) };
        let plain = |path: &Path| {
            path.is_absolute()
                && path.to_str().is_some_and(|p| p.bytes().all(|c| c.is_ascii_graphic() && !b"\"'\\#%".contains(&c)))
        };
        if !plain(&args.dir) {
            return Err(VerbError::Usage(format!(
                "`{}` cannot stand in an sshd configuration; give `--dir` an absolute path of plain characters",
                args.dir.display()
            )));
        }
        // All that can go wrong without the server does so before the code is used up.
        let before = fs::read_to_string(&args.sshd_config).map_err(|e| failed("read", &args.sshd_config, &e))?;
        let effective = sshd_config::effective(&args.sshd, &args.sshd_config)?;
        refuse_others(&effective, &args.dir)?;
        let keys = host_keys(&effective, port)?;
        let _: String = sshd_config::with_block(&before, &[])?;
        if args.dry_run {
            let block = block(&args.dir, &keys, "RESOURCE-ID");
            let text = format!(
                "would write into `{}`, and put on top of `{}`:\n  {}",
                args.dir.display(),
                args.sshd_config.display(),
                block.join("\n  ")
            );
            port.put(
                &json!({ "dry_run": true, "dir": args.dir, "sshd_config": args.sshd_config, "block": block }),
                &text,
            );
            return Ok(0);
        }
        let lines: Vec<&str> = keys.iter().map(|key| key.line.as_str()).collect();
        let answer =
            port.call("POST", "/v1/hosts/join", None, Some(json!({ "code": args.code, "host_keys": lines }))).await?;
        let joined = Joined::read(&answer, &keys)?;
        let block = block(&args.dir, &keys, &joined.host.to_string());
        let after = sshd_config::with_block(&before, &block)?;
        let mut changes = Changes { port, made: Vec::new(), said: Vec::new() };
        let done = install(&args, &joined, &after, &mut changes);
        if let Err(e) = done {
            changes.undo();
            return Err(e);
        }
        report(&args, &joined, &block, &changes);
        Ok(0)
    }
}

/// Our block stands first and would silently switch off another authority, revocation list or way to map logins.
fn refuse_others(effective: &Effective, dir: &Path) -> Result<(), VerbError> {
    let in_dir = |path: &str| Path::new(path).starts_with(dir);
    let ours = |command: &str| command.starts_with(PRINCIPALS_COMMAND);
    for (keyword, value, is_ours) in [
        ("TrustedUserCAKeys", &effective.user_ca, &in_dir as &dyn Fn(&str) -> bool),
        ("RevokedKeys", &effective.revoked_keys, &in_dir),
        ("AuthorizedPrincipalsCommand", &effective.principals_command, &ours),
    ] {
        if let Some(value) = value.as_ref().filter(|value| !is_ours(value)) {
            let why = "which this would override; merge them by hand as the documentation of the kind says";
            return Err(VerbError::Failed(format!("sshd already has `{keyword} {value}`, {why}")));
        }
    }
    Ok(())
}

struct HostKey {
    line: String,
    data: KeyData,
    certificate_file: String,
}

fn host_keys(effective: &Effective, port: &dyn AccessPort) -> Result<Vec<HostKey>, VerbError> {
    let mut out = Vec::new();
    for path in &effective.host_keys {
        let public = PathBuf::from(format!("{path}.pub"));
        let read = fs::read_to_string(&public).map_err(|e| e.to_string()).and_then(|line| key::read(&line));
        let name = Path::new(path).file_name().and_then(|name| name.to_str()).map(str::to_owned);
        match (read.and_then(|data| Ok((key::line(&data)?, data))), name) {
            (Ok((line, data)), Some(name)) => {
                out.push(HostKey { line, data, certificate_file: format!("{name}-cert.pub") })
            }
            (Err(why), _) => port.say(&format!("left out host key `{}`: {why}", public.display())),
            (Ok(_), None) => port.say(&format!("left out host key `{}`: its name is not plain text", public.display())),
        }
    }
    if out.is_empty() {
        return Err(VerbError::Failed(
            "sshd has no host key that can be certified; make one with `ssh-keygen -A`".to_owned(),
        ));
    }
    Ok(out)
}

/// The lines for sshd. `host` is what principals in certificates for this host end in.
fn block(dir: &Path, keys: &[HostKey], host: &str) -> Vec<String> {
    let at = |name: &str| dir.join(name).display().to_string();
    let mut out = vec![
        format!("TrustedUserCAKeys {}", at(USER_CA_FILE)),
        format!("RevokedKeys {}", at(KRL_FILE)),
        format!("AuthorizedPrincipalsCommand {PRINCIPALS_COMMAND}{host}"),
        "AuthorizedPrincipalsCommandUser nobody".to_owned(),
    ];
    out.extend(keys.iter().map(|key| format!("HostCertificate {}", at(&key.certificate_file))));
    out
}

/// What the server answered, every part of it read and written anew: nothing gets into a file as it came.
struct Joined {
    token: String,
    resource: String,
    user_ca: String,
    signer: String,
    krl: Vec<u8>,
    certificates: Vec<(String, String)>,
    /// The resource, as the host certificates name it.
    host: ResourceId,
    names: Vec<String>,
    pull_secs: u64,
}

impl Joined {
    fn read(answer: &Value, keys: &[HostKey]) -> Result<Self, VerbError> {
        let wrong = |why: &str| VerbError::Failed(format!("the server's answer cannot be used: {why}"));
        let text = |key: &str| {
            answer
                .get(key)
                .and_then(Value::as_str)
                .filter(|t| !t.contains('\n'))
                .ok_or_else(|| wrong(&format!("`{key}` is missing")))
        };
        let own_line = |name: &str| {
            key::read(text(name)?).and_then(|data| Ok((key::line(&data)?, data))).map_err(|why| wrong(&why))
        };
        let (user_ca, _) = own_line("user_ca")?;
        let (signer, signer_key) = own_line("krl_signer")?;
        let list = answer.get("revocations").ok_or_else(|| wrong("`revocations` is missing"))?;
        let krl = super::pull::verified(list, &signer_key).map_err(|why| wrong(&why))?;
        let given = answer
            .get("host_certificates")
            .and_then(Value::as_array)
            .ok_or_else(|| wrong("`host_certificates` is missing"))?;
        let mut certificates = Vec::new();
        let mut host: Option<ResourceId> = None;
        for own in keys {
            let cert = given
                .iter()
                .filter_map(|text| Certificate::from_openssh(text.as_str()?).ok())
                .find(|cert| cert.cert_type() == CertType::Host && cert.public_key() == &own.data)
                .ok_or_else(|| wrong("a host key has no certificate"))?;
            let named = cert.key_id().parse().map_err(|_| wrong("a host certificate does not name the resource"))?;
            if *host.get_or_insert(named) != named {
                return Err(wrong("the host certificates are for different resources"));
            }
            let line = cert.to_openssh().map_err(|e| wrong(&e.to_string()))?;
            certificates.push((own.certificate_file.clone(), format!("{}\n", line.trim_end())));
        }
        let names = answer
            .get("names")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|n| n.as_str().map(str::to_owned))
            .collect();
        Ok(Self {
            token: text("host_token")?.to_owned(),
            resource: text("resource")?.to_owned(),
            user_ca,
            signer,
            krl,
            certificates,
            host: host.ok_or_else(|| wrong("there is no host certificate"))?,
            names,
            pull_secs: answer.get("pull_secs").and_then(Value::as_u64).unwrap_or(30),
        })
    }
}

/// What was done so far, to be said or undone.
struct Changes<'a> {
    port: &'a dyn AccessPort,
    made: Vec<PathBuf>,
    said: Vec<Value>,
}

impl Changes<'_> {
    fn put(&mut self, path: &Path, content: &[u8], mode: u32) -> Result<(), VerbError> {
        let written = put(path, content, mode)?;
        if written == Written::New {
            self.made.push(path.to_owned());
        }
        self.port.say(&format!("{} {}", written.word(), path.display()));
        self.said.push(json!({ "path": path, "change": written.word() }));
        Ok(())
    }

    fn undo(&mut self) {
        for path in self.made.drain(..).rev() {
            match fs::remove_file(&path) {
                Ok(()) => self.port.say(&format!("took back {}", path.display())),
                Err(e) => self.port.say(&format!("could not take back {}: {e}", path.display())),
            }
        }
    }
}

fn install(args: &Args, joined: &Joined, config: &str, changes: &mut Changes<'_>) -> Result<(), VerbError> {
    fs::create_dir_all(&args.dir).map_err(|e| failed("make the folder", &args.dir, &e))?;
    let at = |name: &str| args.dir.join(name);
    // The list first: a configuration that names a missing list locks everybody out.
    changes.put(&at(KRL_FILE), &joined.krl, 0o644)?;
    changes.put(&at(USER_CA_FILE), format!("{}\n", joined.user_ca).as_bytes(), 0o644)?;
    let signer = format!("wane namespaces=\"{}\" {}\n", krl::NAMESPACE, joined.signer);
    changes.put(&at(SIGNER_FILE), signer.as_bytes(), 0o644)?;
    for (name, line) in &joined.certificates {
        changes.put(&at(name), line.as_bytes(), 0o644)?;
    }
    changes.put(&at(TOKEN_FILE), format!("{}\n", joined.token).as_bytes(), 0o600)?;
    let mode = fs::metadata(&args.sshd_config).map_err(|e| failed("read", &args.sshd_config, &e))?.permissions().mode()
        & 0o7777;
    let before = fs::read(&args.sshd_config).map_err(|e| failed("read", &args.sshd_config, &e))?;
    if before == config.as_bytes() {
        return sshd_config::check(&args.sshd, &args.sshd_config);
    }
    // sshd judges the new configuration under another name before it takes the old one's place.
    let candidate = named(&args.sshd_config, ".wane-check");
    let _: Written = put(&candidate, config.as_bytes(), mode)?;
    let verdict = sshd_config::check(&args.sshd, &candidate);
    fs::remove_file(&candidate).map_err(|e| failed("remove", &candidate, &e))?;
    verdict?;
    let backup = named(&args.sshd_config, ".before-wane");
    if !backup.exists() {
        changes.put(&backup, &before, mode)?;
    }
    changes.put(&args.sshd_config, config.as_bytes(), mode)
}

fn named(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(ending);
    path.with_file_name(name)
}

fn report(args: &Args, joined: &Joined, block: &[String], changes: &Changes<'_>) {
    let program = std::env::current_exe().map_or_else(|_| "wane".to_owned(), |path| path.display().to_string());
    let pull = format!("{program} host pull --dir {} --every {}s", args.dir.display(), joined.pull_secs);
    let puller = format!(
        "printf '[Service]\\nExecStart={pull}\\nRestart=always\\n[Install]\\nWantedBy=multi-user.target\\n' > /etc/systemd/system/wane-pull.service && systemctl enable --now wane-pull"
    );
    let text = format!(
        "this host is `{}`, known as {}\non top of {}:\n  {}\nnow make sshd read it:   systemctl reload ssh\nand have it pull the list of what is revoked:\n  {puller}\nor without systemd:   {pull} &",
        joined.resource,
        joined.names.join(", "),
        args.sshd_config.display(),
        block.join("\n  "),
    );
    let json = json!({
        "resource": joined.resource, "names": joined.names, "sshd_config": args.sshd_config, "block": block,
        "changes": changes.said, "puller": puller, "pull": pull,
    });
    changes.port.put(&json, &text);
}
