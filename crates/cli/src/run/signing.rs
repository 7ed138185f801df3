//! Approving by signature: with a key file, with the agent, or by hand; and the keys.
//!
//! `ssh-keygen` signs, so that whatever it can sign with can approve: files, agents, keys in hardware. What is signed
//! is told before, in words.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use wane_api::approval::{NewApproverKey, NewSignature, NewVoucher, ToSign, ToVouch};
use wane_api::request::{Approve, RequestView};

use super::Done;
use super::exec::PrivateDir;
use crate::access::Session;
use crate::args::decide as args;
use crate::exit::{Exit, Stop};
use crate::show;

/// In the place of a key file: whatever the agent has.
const AGENT: &str = "agent";

pub(super) async fn approver_key(args: args::ApproverKey, s: &Session) -> Done {
    let client = s.client()?;
    let me = s.out.busy("the server is asked", client.me()).await?.person;
    match args {
        args::ApproverKey::Add(args) => {
            let public_key = args.file.as_deref().map(|file| public_line(s, file)).transpose()?;
            let input = NewApproverKey { name: args.name, public_key, passkey: args.passkey };
            let key = s.out.busy("the key is entered", client.new_approver_key(&me, &input)).await?;
            s.out.put(&key, |layout| show::request::keys(std::slice::from_ref(&key), &s.present(), layout));
        }
        args::ApproverKey::List(args) => {
            let whose = args.person.unwrap_or(me);
            let keys = s.out.busy("the server is asked", client.approver_keys(&whose)).await?;
            s.out.put(&keys, |layout| show::request::keys(&keys.items, &s.present(), layout));
        }
        args::ApproverKey::Vouch(args) => vouch(args, s).await?,
        args::ApproverKey::Remove(args) => {
            let whose = args.person.unwrap_or(me);
            s.out.busy("the key is taken away", client.remove_approver_key(&whose, &args.key)).await?;
            s.put(&serde_json::json!({ "removed": args.key }), &format!("{} approves nothing any more", args.key));
        }
    }
    Ok(Exit::Done)
}

fn public_line(s: &Session, file: &Path) -> Result<String, Stop> {
    let text = String::from_utf8(s.read(file)?);
    let text = text.map_err(|_| Stop::usage(format!("`{}` is not text", file.display())))?;
    if text.contains("PRIVATE KEY") {
        return Err(Stop::usage(format!("`{}` is a private key, which goes nowhere", file.display()))
            .todo("name the `.pub` file beside it"));
    }
    Ok(text.trim().to_owned())
}

/// Vouches for a key; whose it is and which is told before one's own is touched.
async fn vouch(args: args::Vouch, s: &Session) -> Result<(), Stop> {
    let client = s.client()?;
    let public_key = own_key(s, &args.sign_with, args.key.as_deref())?;
    let wanted = ToVouch { key: args.key, public_key };
    let draft = s.out.busy("the server is asked", client.to_vouch(&args.id, &wanted)).await?;
    s.say(&format!(
        "you sign: {} is the key of {} ({} {}), and what it signs counts; see that they say so themselves",
        draft.key.id, draft.person, draft.key.sort, draft.key.fingerprint
    ));
    let what = Unsigned { text: &draft.text, namespace: &draft.namespace, key: draft.with.public_key.as_deref() };
    let ssh = sign(&args.sign_with, &what, s).await?;
    let said = NewVoucher { text: draft.text.clone(), ssh };
    let vouched = s.out.busy("your word is taken to the signer", client.vouch(&args.id, &said)).await?;
    let text = if vouched.counts {
        format!("{} counts from now on", args.id)
    } else {
        format!(
            "{} of {} people vouched for {}; it counts once all have, within a day",
            vouched.have, vouched.of, args.id
        )
    };
    s.put(&serde_json::json!(vouched), &text);
    Ok(())
}

/// The public part of the key file that is to sign, if it is one and was not named otherwise.
fn own_key(s: &Session, with: &Path, named: Option<&str>) -> Result<Option<String>, Stop> {
    if with == Path::new(AGENT) || named.is_some() {
        return Ok(None);
    }
    public_line(s, &public_beside(with)).map(Some)
}

/// Approves with a signature, or says what there is to sign.
pub(super) async fn approve(args: args::Approve, s: &Session) -> Done {
    let client = s.client()?;
    if let Some(file) = &args.signature {
        let armored = String::from_utf8(s.read(file)?).map_err(|_| Stop::usage("the signature is not text"))?;
        return send(&args.request, NewSignature { ssh: Some(armored), ..NewSignature::default() }, s).await;
    }
    let agent = Path::new(AGENT);
    let public_key = own_key(s, args.sign_with.as_deref().unwrap_or(agent), args.key.as_deref())?;
    let wanted = ToSign { item: args.item, duration: args.duration, role: args.role, key: args.key, public_key };
    let draft = s.out.busy("the server is asked", client.to_sign(&args.request, &wanted)).await?;
    if args.print_to_sign {
        s.say(&format!(
            "sign exactly these bytes, with no line feed after them, by {}: `ssh-keygen -Y sign -n {} -f KEY FILE`, then `wane approve {} --signature FILE.sig`",
            s.present().both(draft.until),
            draft.namespace,
            args.request
        ));
        if s.json() {
            s.put(&serde_json::json!(draft), "");
        } else {
            s.out.raw(&draft.text);
        }
        return Ok(Exit::Done);
    }
    let request = s.out.busy("the server is asked", client.request(&args.request)).await?;
    tell(&request, &wanted, s);
    let what = Unsigned { text: &draft.text, namespace: &draft.namespace, key: draft.key.public_key.as_deref() };
    let ssh = sign(args.sign_with.as_deref().unwrap_or(agent), &what, s).await?;
    send(&args.request, NewSignature { reference: Some(draft.reference), ssh: Some(ssh), passkey: None }, s).await
}

/// What the signature will say, before a key is touched.
fn tell(request: &RequestView, wanted: &ToSign, s: &Session) {
    let meant = |n: usize| wanted.item.is_none_or(|item| usize::try_from(item).is_ok_and(|item| item == n));
    let items = request.items.iter().enumerate().filter(|(n, _)| meant(*n));
    let what: Vec<String> = items.map(|(_, item)| show::request::what_of(item)).collect();
    let role = wanted.role.as_deref().map(|role| format!(", as no more than `{role}`")).unwrap_or_default();
    let duration = wanted.duration.as_deref().unwrap_or(&request.duration.text);
    s.say(&format!("you sign: {} may have {} for {duration}{role}", request.beneficiary, what.join(", ")));
}

async fn send(id: &str, signature: NewSignature, s: &Session) -> Done {
    let client = s.client()?;
    let input = Approve { signature: Some(signature), ..Approve::default() };
    let request = s.out.busy("your approval is recorded", client.approve(id, &input)).await?;
    s.out.put(&request, |layout| show::request::one(&request, &s.present(), layout));
    Ok(Exit::Done)
}

/// The public part of a key file.
fn public_beside(file: &Path) -> PathBuf {
    if file.extension().is_some_and(|end| end == "pub") {
        return file.to_owned();
    }
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

/// What is to be signed, and by which key.
struct Unsigned<'a> {
    text: &'a str,
    namespace: &'a str,
    key: Option<&'a str>,
}

/// Has `ssh-keygen` sign; what it needs besides it asks for at the terminal by itself.
async fn sign(with: &Path, what: &Unsigned<'_>, s: &Session) -> Result<String, Stop> {
    let cannot = |e: std::io::Error| Stop::failed(format!("`ssh-keygen` cannot be run: {e}"));
    let private = PrivateDir::make(s)?;
    let key = if with == Path::new(AGENT) {
        let line = what.key.unwrap_or_default();
        private.file("key.pub", format!("{line}\n").as_bytes())?
    } else {
        with.to_owned()
    };
    let mut child = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", what.namespace, "-f"])
        .arg(&key)
        .env_clear()
        .envs(s.vars.iter().filter(|(name, _)| *name != "WANE_TOKEN"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(cannot)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(what.text.as_bytes()).await.map_err(cannot)?;
    }
    let output = child.wait_with_output().await.map_err(cannot)?;
    if !output.status.success() {
        return Err(Stop::failed("nothing was signed; `ssh-keygen` said why")
            .todo("see that the key is the one you entered, and that your agent has it"));
    }
    String::from_utf8(output.stdout).map_err(|_| Stop::failed("`ssh-keygen` wrote no signature"))
}
