//! `wane hook try`: a declaration read, the calls it would make shown with secrets masked, and if asked for, the target asked.
//!
//! Runs on the machine of whoever writes the declaration; no server is needed, and nothing is registered.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use async_trait::async_trait;
use clap::Parser;
use serde_json::{Map, Value, json};
use wane_connector::verb::{AccessPort, Verb, VerbError};
use wane_connector::words::parse;
use wane_connector::{Kind as _, Target};
use wane_domain::ambient::{Ambient, Clock, Entropy};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};

use crate::auth::Auth;
use crate::call::{Call, Filled};
use crate::confine;
use crate::fail::Fail;
use crate::kind::HookKind;
use crate::program::{ProgramSettings, allowed_folder, digest};
use crate::role::Definition;
use crate::settings::{Settings, Way};
use crate::telling::Own;
use crate::text::{Piece, Values};

/// What stands where a secret would.
const SECRET: &str = "SECRET";
const ID: &str = "ID";
const CREDENTIAL: &str = "CREDENTIAL";
/// How long what a rehearsal makes would live.
const REHEARSAL: Span = Span::from_mins(5);

/// `wane hook try`.
#[derive(Debug, Clone, Copy, Default)]
pub struct HookTry;

/// Reads a declaration, and shows the calls it would make and what approvers are told. Secrets are masked. Nothing is
/// registered, and without `--probe` or `--rehearse` nothing is called.
#[derive(Debug, Parser)]
#[command(name = "wane hook try", disable_version_flag = true)]
struct Args {
    /// File with the settings as JSON, or `-` for standard input.
    #[arg(value_name = "FILE")]
    settings: PathBuf,
    /// A role's definition as JSON: `{"of": "gitea-token", "values": {"scopes": ["read:user"]}}`.
    #[arg(long, value_name = "JSON")]
    role: Option<String>,
    /// File with the target's credential, or `-` for standard input.
    #[arg(long, value_name = "FILE")]
    credential_file: Option<PathBuf>,
    /// Ask the target: whether it answers, lets us in, lists, and says of what nobody made that it is not there.
    #[arg(long)]
    probe: bool,
    /// Make something there, read it back, revoke it, read back that it is gone. Needs `--role`.
    #[arg(long, requires = "role")]
    rehearse: bool,
    /// The folder that the server's `hooks.programs` will name, for a declaration of a program.
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
}

#[async_trait]
impl Verb for HookTry {
    fn words(&self) -> &'static [&'static str] {
        &["hook", "try"]
    }

    fn about(&self) -> &'static str {
        "read a declaration, show what it would call, ask its target"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<Args>("wane hook try", args, port)? else { return Ok(0) };
        let usage = |e: &dyn std::fmt::Display| VerbError::Usage(e.to_string());
        let given: Value = serde_json::from_str(&read(&args.settings)?)
            .map_err(|e| VerbError::Usage(format!("`{}` is no JSON: {e}", args.settings.display())))?;
        let settings = Settings::read(&given).map_err(|e| usage(&e))?;
        let role = match &args.role {
            None => None,
            Some(text) => {
                let role: Value = serde_json::from_str(text).map_err(|e| usage(&e))?;
                let role = Definition::read(&role).map_err(|e| usage(&e))?;
                if let Some(problem) = role.problem(&settings) {
                    return Err(VerbError::Usage(format!("the role: {problem}")));
                }
                Some(role)
            }
        };
        let credential = match &args.credential_file {
            None => None,
            Some(file) => Some(Secret::new(read(file)?.trim_end_matches(['\r', '\n']).as_bytes().to_vec())),
        };
        let mut out = Shown::of(&settings, role.as_ref(), port.now(), args.programs.as_deref());
        if args.probe || args.rehearse {
            if let Some(why) = settings.unusable_with(credential.as_ref()) {
                return Err(VerbError::Usage(why));
            }
            let asked = ask(&args, &settings, role.as_ref(), credential.as_ref(), port).await;
            match asked {
                Ok(steps) => out.steps(&steps),
                Err((steps, fail)) => {
                    out.steps(&steps);
                    port.put(&out.json(), &out.text());
                    return Err(VerbError::Failed(fail));
                }
            }
        }
        port.put(&out.json(), &out.text());
        Ok(0)
    }
}

/// The machine, as the command line lends it.
struct Lent {
    now: Time,
    seed: std::sync::Mutex<Vec<u8>>,
}

impl Clock for Lent {
    fn now(&self) -> Time {
        self.now
    }
}

impl Entropy for Lent {
    /// Of what was drawn beforehand: a trial needs little, and each byte is given once.
    fn fill(&self, buf: &mut [u8]) {
        let mut seed = self.seed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let from = seed.len().saturating_sub(buf.len());
        for (to, byte) in buf.iter_mut().zip(seed.drain(from..)) {
            *to = byte;
        }
    }
}

/// Probes, and rehearses if that is wanted.
async fn ask(
    args: &Args,
    settings: &Settings,
    role: Option<&Definition>,
    credential: Option<&Secret>,
    port: &dyn AccessPort,
) -> Result<Vec<String>, (Vec<String>, String)> {
    let plain = |why: String| (Vec::new(), why);
    let mut seed = vec![0_u8; 16 * 1024];
    port.entropy(&mut seed);
    let lent = Arc::new(Lent { now: port.now(), seed: std::sync::Mutex::new(seed) });
    let ambient = Ambient::new(Arc::clone(&lent) as Arc<dyn Clock>, lent);
    let programs = ProgramSettings {
        folder: args.programs.clone(),
        launcher: ("/proc/self/exe".into(), vec![confine::WORD.to_owned()]),
        without_landlock: false,
    };
    let kind = HookKind::new(ambient.clone(), programs);
    let name = |text: &str| text.parse().map_err(|e: wane_domain::text::TextError| plain(e.to_string()));
    let resource = Resource {
        id: ambient.id(),
        name: name("try")?,
        kind: name(kind.name())?,
        labels: std::collections::BTreeMap::new(),
        owner: None,
        settings: settings.json(),
        since: port.now(),
    };
    let target = Target { resource: &resource, credential, now: port.now() };
    let none: &[Role] = &[];
    kind.probe(&target, none).await.map_err(|e| plain(e.to_string()))?;
    let mut steps =
        vec!["the target answers, lets us in, and says of what nobody made that it is not there".to_owned()];
    if let (true, Some(role)) = (args.rehearse, role) {
        let rehearsed = kind.own_effects().rehearse(&target, role, port.now().plus(REHEARSAL)).await;
        match rehearsed {
            Ok(rehearsed) => steps.extend(rehearsed.steps),
            Err((rehearsed, fail)) => {
                steps.extend(rehearsed.steps);
                return Err((steps, fail.to_string()));
            }
        }
    }
    Ok(steps)
}

/// What is shown.
struct Shown {
    settings: Value,
    describe: wane_connector::Describe,
    calls: Vec<(String, Value, Vec<String>)>,
    steps: Vec<String>,
}

impl Shown {
    fn of(settings: &Settings, role: Option<&Definition>, now: Time, programs: Option<&Path>) -> Self {
        let normal = settings.json();
        let calls = match &settings.way {
            Way::Calls { place, auth, calls } => {
                let sample = Sample::new(settings, role, now);
                let mut out = Vec::new();
                let mut put = |what: &str, call: &Call| {
                    let filled = call.fill(&place.url, &sample.values());
                    out.push(shown_call(what, call, filled, auth.as_ref()));
                };
                put("create", &calls.create.step.call);
                calls.create.then.iter().for_each(|step| put("create, then", &step.call));
                if let Some(verify) = &calls.verify_absent {
                    put("verify_absent", &verify.call);
                }
                if let Some(find) = &calls.find {
                    put("find", &find.call);
                }
                if let Some(inventory) = &calls.inventory {
                    put("inventory", &inventory.call);
                }
                if let Some(extend) = &calls.extend {
                    put("extend", &extend.call);
                }
                calls.revoke.before.iter().for_each(|step| put("revoke, before", &step.call));
                put("revoke", &calls.revoke.step.call);
                out
            }
            Way::Receiver { place, own } => vec![shown_own(
                own,
                format!("POST {} with the headers webhook-id, webhook-timestamp, webhook-signature", place.url),
            )],
            Way::Program { file, own, .. } => vec![shown_own(own, told_of_program(file, programs))],
        };
        Self { describe: crate::describe::it(&normal), settings: normal, calls, steps: Vec::new() }
    }

    fn steps(&mut self, steps: &[String]) {
        self.steps = steps.to_vec();
    }

    fn json(&self) -> Value {
        let calls: Vec<&Value> = self.calls.iter().map(|(_, json, _)| json).collect();
        json!({ "settings": self.settings, "describe": self.describe, "calls": calls, "seen": self.steps })
    }

    fn text(&self) -> String {
        let mut lines = vec!["the declaration is good".to_owned(), String::new()];
        for (what, _, call) in &self.calls {
            lines.push(format!("{what}:"));
            lines.extend(call.iter().map(|line| format!("  {line}")));
        }
        let d = &self.describe;
        lines.push(String::new());
        lines.push("approvers are told:".to_owned());
        lines.push(format!("  hands out: {}", d.hands_out));
        lines.push(format!("  after an end, logins are refused within {} s", d.residual_logins_secs));
        match d.residual_sessions_secs {
            Some(secs) => lines.push(format!("  open sessions are cut within {secs} s")),
            None => lines.push("  open sessions are not cut".to_owned()),
        }
        if !d.survives.is_empty() {
            lines.push(format!("  survives: {}", d.survives));
        }
        if !self.steps.is_empty() {
            lines.push(String::new());
            lines.push("seen at the target:".to_owned());
            lines.extend(self.steps.iter().map(|step| format!("  {step}")));
        }
        lines.join("\n")
    }
}

/// Values that stand for what a grant would bring.
struct Sample {
    piece: Piece,
    parameters: Map<String, Value>,
    role: Map<String, Value>,
    answer: Value,
}

impl Sample {
    fn new(settings: &Settings, role: Option<&Definition>, now: Time) -> Self {
        let named = settings.role_keys().unwrap_or_default();
        let standing = || named.iter().map(|key| ((*key).to_owned(), json!(key.to_uppercase()))).collect();
        Self {
            piece: Piece {
                name: "wane_00000000000000000000000000".to_owned(),
                grant: "grt_00000000000000000000000000".to_owned(),
                lease: "lse_00000000000000000000000000".to_owned(),
                resource: "try".to_owned(),
                end: now.plus(REHEARSAL),
                now,
            },
            parameters: settings.parameters.clone(),
            role: role.map_or_else(standing, Definition::map),
            answer: Value::Null,
        }
    }

    fn values(&self) -> Values<'_> {
        Values {
            piece: Some(&self.piece),
            id: Some(ID),
            secret: Some(SECRET),
            parameters: &self.parameters,
            role: Some(&self.role),
            answer: Some(&self.answer),
        }
    }
}

fn shown_call(
    what: &str,
    call: &Call,
    filled: Result<Filled, Fail>,
    auth: Option<&Auth>,
) -> (String, Value, Vec<String>) {
    let filled = match filled {
        Ok(filled) => filled,
        Err(fail) => {
            let mut declared = Map::new();
            call.put(&mut declared);
            let why = format!("cannot be filled: {fail}");
            return (what.to_owned(), json!({ "call": what, "declared": declared, "problem": why }), vec![why]);
        }
    };
    let mut headers: Vec<(String, String)> = match auth {
        None => Vec::new(),
        Some(Auth::Header { name, prefix }) => vec![(name.clone(), format!("{prefix}{CREDENTIAL}"))],
        Some(Auth::Basic { user }) => {
            let user = user.as_ref().map(|user| format!("{}:", user.written())).unwrap_or_default();
            vec![("authorization".to_owned(), format!("Basic BASE64({user}{CREDENTIAL})"))]
        }
        Some(Auth::Headers { names }) => names.iter().map(|name| (name.clone(), CREDENTIAL.to_owned())).collect(),
    };
    headers.extend(
        filled.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned())),
    );
    let mut lines = vec![format!("{} {}", filled.method, filled.url)];
    lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
    let mut body = Value::Null;
    if let Some((media, bytes)) = &filled.body {
        let text = String::from_utf8_lossy(bytes).into_owned();
        lines.push(format!("content-type: {media}"));
        lines.push(text.clone());
        body = json!(text);
    }
    let json = json!({
        "call": what, "method": filled.method.as_str(), "url": filled.url.as_str(),
        "headers": headers.into_iter().collect::<std::collections::BTreeMap<_, _>>(), "body": body,
    });
    (what.to_owned(), json, lines)
}

fn shown_own(own: &Own, how: String) -> (String, Value, Vec<String>) {
    let calls: Vec<&str> = own.calls.iter().map(|op| op.word()).collect();
    let lines = vec![how.clone(), format!("told as JSON: {}", calls.join(", "))];
    ("calls".to_owned(), json!({ "how": how, "calls": calls }), lines)
}

/// What is known of a program before it is run.
fn told_of_program(file: &str, folder: Option<&Path>) -> String {
    let Some(folder) = folder else {
        return format!("`{file}` of the folder that the server's `hooks.programs` names");
    };
    if let Err(why) = allowed_folder(folder) {
        return format!("`{file}`, which the server would not run: {why}");
    }
    match digest(&folder.join(file)) {
        Ok(sha256) => format!("`{}`; its `sha256` is {sha256}", folder.join(file).display()),
        Err(why) => format!("`{}`: {why}", folder.join(file).display()),
    }
}

/// A file, or standard input.
fn read(path: &Path) -> Result<String, VerbError> {
    let done = if path == Path::new("-") { io::read_to_string(io::stdin()) } else { fs::read_to_string(path) };
    done.map_err(|e| VerbError::Usage(format!("`{}` cannot be read: {e}", path.display())))
}
