//! A target that is told through something of one's own: a receiver of signed calls, or a program. Both are told the same
//! JSON document and answer the same.
//!
//! Owns: that document and its answer. Refuses to know: what somebody does with it.

use async_trait::async_trait;
use reqwest::Client;
use reqwest::header::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::{Map, Value};
use wane_connector::Target;
use wane_domain::ambient::Ambient;
use wane_domain::secret::Secret;
use wane_domain::time::Time;
use wane_egress::{HookSecret, signatures};
use zeroize::Zeroizing;

use crate::fail::{Fail, told_without};
use crate::line::{Item, LONGEST_ID, Line, Listed, Made, Seen};
use crate::program::{Lane, Programs};
use crate::settings::{Place, Settings};
use crate::telling::{Op, Own, OwnSecret};
use crate::text::Piece;
use crate::wire::{self, Clients};

/// The version of the document.
const VERSION: u8 = 1;
const MOST_PAGES: usize = 500;
const MOST_ITEMS: usize = 50_000;
const LONGEST: usize = 8 * 1024;

/// What is told.
#[derive(Serialize)]
struct Told<'a> {
    wane: u8,
    call: &'static str,
    at: Time,
    of: &'a str,
    resource: &'a str,
    parameters: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a str>,
    /// The target's credential, for a program: a receiver has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<&'a str>,
}

/// What `create` answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Created {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    secret: Option<String>,
    #[serde(default)]
    shows: Map<String, Value>,
}

/// What `revoke` and `extend` answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Done {}

/// What `verify_absent` answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verified {
    absent: bool,
    #[serde(default)]
    seen: Option<String>,
}

/// What `inventory` answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inventoried {
    items: Vec<Listing>,
    #[serde(default)]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    name: String,
    #[serde(default)]
    id: Option<String>,
}

/// Which of the two.
enum Door<'a> {
    Receiver { http: Client, place: &'a Place, ambient: &'a Ambient },
    Program { programs: &'a Programs, file: &'a str, sha256: Option<&'a str> },
}

/// A receiver or program within reach.
pub(crate) struct Ours<'a> {
    door: Door<'a>,
    own: &'a Own,
    settings: &'a Settings,
    target: &'a Target<'a>,
}

impl<'a> Ours<'a> {
    pub(crate) fn receiver(
        clients: &Clients,
        ambient: &'a Ambient,
        target: &'a Target<'a>,
        settings: &'a Settings,
        (place, own): (&'a Place, &'a Own),
    ) -> Result<Self, Fail> {
        Ok(Self { door: Door::Receiver { http: clients.of(place)?, place, ambient }, own, settings, target })
    }

    pub(crate) fn program(
        programs: &'a Programs,
        target: &'a Target<'a>,
        settings: &'a Settings,
        (file, sha256, own): (&'a str, Option<&'a str>, &'a Own),
    ) -> Self {
        Self { door: Door::Program { programs, file, sha256 }, own, settings, target }
    }

    /// Something that is said there, without our credential in it.
    fn told(&self, text: &str) -> Option<String> {
        told_without(text, &[self.target.credential.and_then(Secret::expose_str).unwrap_or_default()])
    }

    fn document<'d>(&'d self, op: Op, piece: Option<&'d Piece>, id: Option<&'d str>) -> Told<'d> {
        Told {
            wane: VERSION,
            call: op.word(),
            at: piece.map_or(self.target.now, |piece| piece.now),
            of: &self.settings.of,
            resource: self.target.resource.name.as_str(),
            parameters: &self.settings.parameters,
            name: piece.map(|p| p.name.as_str()),
            grant: piece.map(|p| p.grant.as_str()),
            lease: piece.map(|p| p.lease.as_str()),
            end: piece.map(|p| p.end),
            id,
            role: None,
            secret: None,
            after: None,
            credential: None,
        }
    }

    /// Tells it, and reads its answer: nothing but what belongs there.
    async fn ask<T: for<'de> Deserialize<'de>>(&self, op: Op, told: Told<'_>) -> Result<T, Fail> {
        if !self.own.calls.contains(&op) {
            return Err(Fail::refused(format!("`{}` is not among its `calls`", op.word())));
        }
        let credential = self.target.credential.and_then(Secret::expose_str);
        let secrets = [credential.unwrap_or_default(), told.secret.unwrap_or_default()];
        let json =
            |told: &Told<'_>| serde_json::to_vec(told).map(Zeroizing::new).map_err(|e| Fail::refused(e.to_string()));
        let strange = |e: serde_json::Error| {
            Fail::refused(format!("`{}`: its answer is not what belongs there: {}", op.word(), misread(&e)))
        };
        match &self.door {
            Door::Receiver { http, place, ambient } => {
                let body = json(&told)?;
                let headers = self.signed(&body, told.at, ambient)?;
                let answer = wire::post(http, &place.url, headers, body.to_vec()).await?;
                if answer.status != 200 {
                    return Err(answer.refusal(&secrets));
                }
                serde_json::from_value(answer.json()?).map_err(strange)
            }
            Door::Program { programs, file, sha256 } => {
                let told = Told { credential, ..told };
                // Ends go on whatever the file is by now: it is in the operator's own folder.
                let pinned = sha256.filter(|_| op != Op::Revoke && op != Op::VerifyAbsent && op != Op::Inventory);
                // INVARIANT: no make keeps an end from being run (held by `makes_that_hang_keep_no_end_waiting`).
                let lane = if op == Op::Create || op == Op::Extend { Lane::Making } else { Lane::Ending };
                let said = programs.run((file, pinned), lane, &json(&told)?, &secrets).await?;
                serde_json::from_slice(&said).map_err(strange)
            }
        }
    }

    /// Each call is signed over its own id, its moment and the whole document, which says what is to be done.
    fn signed(&self, body: &[u8], at: Time, ambient: &Ambient) -> Result<HeaderMap, Fail> {
        let secret = self.target.credential.ok_or_else(|| Fail::Trust("there is no secret to sign with".to_owned()))?;
        let secret = HookSecret::read(secret).map_err(|e| Fail::Trust(e.to_string()))?;
        let id = format!("call_{}", data_encoding::HEXLOWER.encode(&ambient.bytes::<16>()));
        let signature = signatures(&[secret], &id, at.seconds(), body);
        let mut headers = HeaderMap::new();
        let pairs =
            [("webhook-id", id), ("webhook-timestamp", at.seconds().to_string()), ("webhook-signature", signature)];
        for (name, value) in pairs {
            headers.insert(name, HeaderValue::from_str(&value).map_err(|e| Fail::refused(e.to_string()))?);
        }
        Ok(headers)
    }
}

/// What is wrong with an answer, without anything of it: a secret may stand where none belongs.
fn misread(e: &serde_json::Error) -> &'static str {
    match e.classify() {
        Category::Io | Category::Eof => "it ends too early",
        Category::Syntax => "it is no JSON",
        Category::Data => "something is missing, is of another sort, or is not known",
    }
}

#[async_trait]
impl Line for Ours<'_> {
    async fn make(&self, piece: &Piece, role: &Map<String, Value>, secret: Option<&str>) -> Result<Made, Fail> {
        let told = Told { role: Some(role), secret, ..self.document(Op::Create, Some(piece), None) };
        let made: Created = self.ask(Op::Create, told).await?;
        let fits = match self.own.secret {
            OwnSecret::Answered => made.secret.as_ref().is_some_and(|s| (1..=LONGEST).contains(&s.len())),
            OwnSecret::None | OwnSecret::Generated => made.secret.is_none(),
        };
        if !fits {
            return Err(Fail::refused("`create`: its answer has a secret where none belongs, or none where one does"));
        }
        if !made.id.as_deref().is_none_or(is_an_id) {
            return Err(Fail::refused("`create`: its answer has an id that is empty or too long"));
        }
        Ok(Made { id: made.id, secret: made.secret.map(Zeroizing::new), shows: made.shows })
    }

    async fn revoke(&self, piece: &Piece, id: Option<&str>) -> Result<(), Fail> {
        let Done {} = self.ask(Op::Revoke, self.document(Op::Revoke, Some(piece), id)).await?;
        Ok(())
    }

    async fn verify(&self, piece: &Piece, id: Option<&str>) -> Result<Seen, Fail> {
        let verified: Verified = self.ask(Op::VerifyAbsent, self.document(Op::VerifyAbsent, Some(piece), id)).await?;
        let seen = verified.seen.and_then(|seen| self.told(&seen)).unwrap_or_else(|| {
            let word = if verified.absent { "absent" } else { "there" };
            format!("`{}` is {word}", piece.name)
        });
        let seen = format!("`verify_absent`: {seen}");
        Ok(if verified.absent { Seen::Absent(seen) } else { Seen::Present(seen) })
    }

    fn verifies_by_id(&self) -> bool {
        false
    }

    async fn list(&self, only: Option<&Piece>) -> Result<Listed, Fail> {
        let _ = only;
        let mut items: Vec<Item> = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let told = Told { after: next.as_deref(), ..self.document(Op::Inventory, None, None) };
            let page: Inventoried = self.ask(Op::Inventory, told).await?;
            if !page.items.iter().filter_map(|item| item.id.as_deref()).all(is_an_id) {
                return Err(Fail::refused("`inventory`: its answer has an id that is empty or too long"));
            }
            items.extend(page.items.into_iter().map(|item| Item { name: item.name, id: item.id }));
            match page.next.filter(|next| !next.is_empty()) {
                Some(after) if items.len() <= MOST_ITEMS && next.as_ref() != Some(&after) => next = Some(after),
                Some(after) => {
                    let after = self.told(&after).map(|after| format!(" after `{after}`")).unwrap_or_default();
                    return Err(Fail::refused(format!("`inventory` goes on and on{after}")));
                }
                None => return Ok(Listed { items, asked: "inventory".to_owned() }),
            }
        }
        Err(Fail::refused("`inventory` goes on and on"))
    }

    async fn extend(&self, piece: &Piece, id: Option<&str>) -> Result<(), Fail> {
        let Done {} = self.ask(Op::Extend, self.document(Op::Extend, Some(piece), id)).await?;
        Ok(())
    }
}

fn is_an_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len())
}

/// Reads what somebody's own receiver or program answered to a call, and forgets it.
///
/// # Errors
/// When it is not what belongs there.
pub(crate) fn read_answer(call: &str, bytes: &[u8]) -> Result<(), serde_json::Error> {
    match call {
        "create" => serde_json::from_slice::<Created>(bytes).map(drop),
        "verify_absent" => serde_json::from_slice::<Verified>(bytes).map(drop),
        "inventory" => serde_json::from_slice::<Inventoried>(bytes).map(drop),
        _ => serde_json::from_slice::<Done>(bytes).map(drop),
    }
}
