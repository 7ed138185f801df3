//! Local sign-in: one-time codes, passwords with TOTP, opaque tokens, sessions that end.
//!
//! A failed sign-in says nothing about what was wrong, and costs the same for people who do not exist.

use serde_json::json;
use totp_rs::{Algorithm, Builder, Secret as TotpSecret, Totp};
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::directory::Person;
use wane_domain::id::{PersonId, ResourceId, TokenId};
use wane_domain::proved::ProvedBy;
use wane_domain::secret::{Secret, SecretOnce};
use wane_domain::time::{Span, Time};
use wane_failpoint::point;
use wane_keys::envelope::Place;
use wane_keys::password::Verdict;
use wane_keys::token::{Bearer, BearerKind};
use wane_policy::schema::Action;
use wane_store::{Login, Put, Token, TokenKind, TokenOwner, Versioned, Write};

use crate::caller::Caller;
use crate::change::Change;
use crate::doors::closed_until;
use crate::error::AppError;
use crate::{App, decide};

/// How long a one-time code is good for.
const CODE_LIFE: Span = Span::from_hours(24);
/// How long a host's join code is good for.
const JOIN_LIFE: Span = Span::from_mins(10);
/// How long a joined host's token lasts; it is renewed by joining again.
const HOST_LIFE: Span = Span::from_hours(24 * 400);
/// Sign-ins that wait for a password check, or are at it: more would not have their turn in time.
pub(crate) const LONGEST_LINE: usize = 128;
/// A session's last use is written down at most this often.
const USE_GRAIN: Span = Span::from_mins(1);

/// What setting up a sign-in yields, once.
#[derive(Debug)]
pub struct Enrolled {
    /// Who.
    pub person: Person,
    /// Base32, for an authenticator app.
    pub totp_secret: SecretOnce,
    /// The same as an `otpauth://` URL.
    pub otpauth_url: SecretOnce,
}

/// A new session.
#[derive(Debug)]
pub struct SignedIn {
    /// The bearer token, once.
    pub token: SecretOnce,
    /// When it ends at the latest.
    pub expires: Time,
}

/// A session that goes on after a proof of identity.
#[derive(Debug)]
pub struct ProvedAgain {
    /// Its new bearer token, once.
    pub token: SecretOnce,
    /// When identity was proved.
    pub proved: Time,
    /// When it ends at the latest; as before.
    pub expires: Time,
}

impl App {
    /// Makes a one-time code with which a person sets up (or resets) their sign-in.
    ///
    /// # Errors
    /// When policy does not let the caller, or there is no such person.
    pub async fn enrolment_code(&self, caller: &Caller, name: &str) -> Result<(SecretOnce, Time), AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ManageDirectory)?;
        let person = world.person(name).ok_or_else(|| AppError::missing("person", name))?.id;
        self.check_no_workload(&world, person)?;
        self.mint_token(Actor::Person(caller.person), BearerKind::Enrol, TokenOwner::Person(person), CODE_LIFE).await
    }

    /// Makes a one-time code with which a host joins.
    ///
    /// # Errors
    /// When policy does not let the caller, or there is no such resource.
    pub async fn join_code(&self, caller: &Caller, name: &str) -> Result<(SecretOnce, Time), AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ManageCatalogue)?;
        let resource = world.resource(name).ok_or_else(|| AppError::missing("resource", name))?;
        if self.kind(&resource.kind)?.host_docs().is_none() {
            return Err(AppError::invalid("resource", format!("kind `{}` has nothing that joins", resource.kind)));
        }
        self.mint_token(Actor::Person(caller.person), BearerKind::Join, TokenOwner::Resource(resource.id), JOIN_LIFE)
            .await
    }

    /// Makes the token of a joined host, in the change that spends its code.
    pub(crate) fn host_token(&self, change: &mut Change<'_>, resource: ResourceId) -> SecretOnce {
        self.mint_in(change, BearerKind::Host, TokenOwner::Resource(resource), HOST_LIFE).0
    }

    /// Makes the first person's one-time code, for `wane init`.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn first_code(&self, person: PersonId) -> Result<(SecretOnce, Time), AppError> {
        self.mint_token(Actor::System, BearerKind::Enrol, TokenOwner::Person(person), CODE_LIFE).await
    }

    async fn mint_token(
        &self,
        actor: Actor,
        kind: BearerKind,
        owner: TokenOwner,
        life: Span,
    ) -> Result<(SecretOnce, Time), AppError> {
        let mut change = self.change(actor, self.now());
        let minted = self.mint_in(&mut change, kind, owner, life);
        change.commit(point!("app.token.commit")).await?;
        Ok(minted)
    }

    /// Makes a token in a change; it holds once that is committed.
    pub(crate) fn mint_in(
        &self,
        change: &mut Change<'_>,
        kind: BearerKind,
        owner: TokenOwner,
        life: Span,
    ) -> (SecretOnce, Time) {
        let now = change.at();
        let id: TokenId = self.ambient.id();
        let bearer = Bearer::mint(kind, id, &self.ambient);
        let expires = now.plus(life);
        let verifier = self.pepper.verifier(&bearer).to_vec();
        let token = Token {
            id,
            kind: stored(kind),
            owner,
            verifier,
            at: now,
            proved: now,
            expires,
            used: now,
            spent: None,
            by: ProvedBy::PasswordAndCode,
        };
        change.note(
            "token.made",
            Outcome::Done,
            about(owner),
            json!({ "token": id, "kind": token.kind, "expires": expires }),
        );
        change.write(Write::Token(Put::new(token)));
        (bearer.into_secret(), expires)
    }

    /// Sets up a local sign-in with a one-time code. The code is spent; sessions and secrets from before end.
    ///
    /// # Errors
    /// When the code is no good or the password too weak.
    pub async fn enrol(&self, code: &str, password: Secret) -> Result<Enrolled, AppError> {
        check_password(&password)?;
        let token = self.token(BearerKind::Enrol, code).await?;
        let TokenOwner::Person(id) = token.value.owner else { return Err(AppError::SignedOut) };
        let hash = {
            let _turn = self.checks.try_acquire().map_err(|_| AppError::Crowded)?;
            tokio::task::block_in_place(|| self.hasher.hash(&password, &self.ambient))
                .map_err(|e| AppError::invalid("password", e))?
        };
        let secret = self.ambient.bytes::<20>();
        let sealed =
            self.issuing.seal(&totp_place(&id.to_string()), &secret).map_err(|e| AppError::Seal(e.to_string()))?;
        decide!(async {
            let world = self.world().await?;
            let person = world.people.get(&id).filter(|_| world.is_active(id)).cloned().ok_or(AppError::SignedOut)?;
            let now = self.now();
            let token = self.token(BearerKind::Enrol, code).await?;
            let before = self.store.login(id).await?;
            let login = Login {
                person: id,
                password: hash.clone(),
                totp: Some(sealed.clone()),
                totp_step: None,
                failures: 0,
                closed_until: None,
            };
            let mut change = self.change_at(Actor::Person(id), &world, now);
            change.note("login.enrolled", Outcome::Done, about_person(id), json!({ "token": token.value.id }));
            change.write(Write::Token(Put::over(&token, Token { spent: Some(now), ..token.value.clone() })));
            change.write(Write::Login(match &before {
                Some(seen) => Put::over(seen, login),
                None => Put::new(login),
            }));
            self.end_what_was(&mut change, id, token.value.id).await?;
            change.commit(point!("app.enrol.commit")).await?;
            let totp = totp(&secret, person.name.as_str())?;
            Ok(Enrolled {
                totp_secret: SecretOnce::new(totp.secret().to_base32()),
                otpauth_url: SecretOnce::new(totp.to_url().map_err(|e| AppError::Fault(e.to_string()))?),
                person,
            })
        })
    }

    /// Signs a local person in.
    ///
    /// # Errors
    /// When anything is wrong; never says what.
    pub async fn sign_in(&self, name: &str, password: Secret, code: Option<&str>) -> Result<SignedIn, AppError> {
        let person = self.prove_identity(name, &password, code).await?;
        decide!(self.begin_session(person))
    }

    /// A session of somebody who has proved who they are, begun only while they may act.
    async fn begin_session(&self, person: PersonId) -> Result<SignedIn, AppError> {
        let world = self.world().await?;
        if !world.is_active(person) {
            return Err(AppError::BadSignIn);
        }
        let now = self.now();
        let mut change = self.change_at(Actor::Person(person), &world, now);
        let signed_in = self.session_in(&mut change, person, (ProvedBy::PasswordAndCode, now), None, json!({}));
        change.commit(point!("app.session.commit")).await?;
        Ok(signed_in)
    }

    /// Begins a session in a change; it holds once that is committed. It lasts no longer than `latest`, if
    /// there is such a moment.
    pub(crate) fn session_in(
        &self,
        change: &mut Change<'_>,
        person: PersonId,
        (by, proved): (ProvedBy, Time),
        latest: Option<Time>,
        mut detail: serde_json::Value,
    ) -> SignedIn {
        let now = change.at();
        let id: TokenId = self.ambient.id();
        let bearer = Bearer::mint(BearerKind::Session, id, &self.ambient);
        let longest = now.plus(self.limits.session_max);
        let expires = latest.map_or(longest, |latest| latest.min(longest));
        if let Some(detail) = detail.as_object_mut() {
            detail.insert("token".to_owned(), json!(id));
            detail.insert("expires".to_owned(), json!(expires));
            detail.insert("proof".to_owned(), json!(by.word()));
        }
        change.note("session.begun", Outcome::Done, about_person(person), detail);
        change.write(Write::Token(Put::new(Token {
            id,
            kind: TokenKind::Session,
            owner: TokenOwner::Person(person),
            verifier: self.pepper.verifier(&bearer).to_vec(),
            at: now,
            proved,
            expires,
            used: now,
            spent: None,
            by,
        })));
        SignedIn { token: bearer.into_secret(), expires }
    }

    /// Proves the caller's identity once more, for policies that ask for a fresh proof. The session goes
    /// on under a new token, and the former one is dead: whoever else knew it gains nothing by the proof.
    ///
    /// # Errors
    /// As [`App::sign_in`].
    pub async fn prove(&self, caller: &Caller, password: Secret, code: Option<&str>) -> Result<ProvedAgain, AppError> {
        let person = self.prove_identity(caller.name.as_str(), &password, code).await?;
        if person != caller.person {
            return Err(AppError::BadSignIn);
        }
        decide!(async {
            let world = self.world().await?;
            let now = self.now();
            let token = caller.token.ok_or(AppError::SignedOut)?;
            let seen = self.store.token(token).await?.ok_or(AppError::SignedOut)?;
            if seen.value.spent.is_some() || now >= seen.value.expires || !world.is_active(person) {
                return Err(AppError::SignedOut);
            }
            // What ends it there would no longer be known here.
            if matches!(seen.value.by, ProvedBy::Provider { .. }) {
                return Err(AppError::invalid("proof", "this session came from a provider; sign in there again"));
            }
            let id: TokenId = self.ambient.id();
            let bearer = Bearer::mint(BearerKind::Session, id, &self.ambient);
            let verifier = self.pepper.verifier(&bearer).to_vec();
            let by = ProvedBy::PasswordAndCode;
            let fresh = Token { id, verifier, proved: now, used: now, by, ..seen.value.clone() };
            let expires = fresh.expires;
            let mut change = self.change_at(Actor::Person(person), &world, now);
            let detail = json!({ "token": id, "before": token, "expires": expires });
            change.note("session.proved", Outcome::Done, about_person(person), detail);
            // Spent and not removed, so that of two proofs at once only one goes on.
            change.write(Write::Token(Put::over(&seen, Token { spent: Some(now), ..seen.value.clone() })));
            change.write(Write::Token(Put::new(fresh)));
            change.commit(point!("app.step_up.commit")).await?;
            Ok(ProvedAgain { token: bearer.into_secret(), proved: now, expires })
        })
    }

    /// Ends the caller's session.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn sign_out(&self, caller: &Caller) -> Result<(), AppError> {
        let token = caller.token.ok_or(AppError::SignedOut)?;
        let mut change = self.change(Actor::Person(caller.person), self.now());
        change.note("session.ended", Outcome::Done, about_person(caller.person), json!({ "token": token }));
        change.write(Write::RemoveToken(token));
        change.commit(point!("app.sign_out.commit")).await.map(|_| ())
    }

    /// Who a bearer token stands for.
    ///
    /// # Errors
    /// When it is no session that holds; never says why.
    pub async fn authenticate(&self, text: &str) -> Result<Caller, AppError> {
        let now = self.now();
        let (token, caller) = self.known(text, now).await?;
        let id = caller.person;
        if now.since(token.value.used) >= USE_GRAIN && !self.is_storeless() {
            let mut change = self.change(Actor::Person(id), now);
            change.note("session.used", Outcome::Done, about_person(id), json!({ "token": token.value.id }));
            change.write(Write::Token(Put::over(&token, Token { used: now, ..token.value.clone() })));
            match self.in_time(change.commit(point!("app.session_used.commit"))).await {
                Ok(_) => {}
                // That it was used is a courtesy; whoever would end something must not fail for it.
                Err(AppError::Store(_)) => {}
                // Another call of the same session wrote it first, or ended it.
                Err(AppError::Contended) => drop(self.token(BearerKind::Session, text).await?),
                Err(error) => return Err(error),
            }
        }
        Ok(caller)
    }

    /// The same for somebody who does nothing right now: that is no use of their session, which ends for want of it.
    ///
    /// # Errors
    /// As [`App::authenticate`].
    pub async fn still_signed_in(&self, text: &str) -> Result<Caller, AppError> {
        self.known(text, self.now()).await.map(|(_, caller)| caller)
    }

    async fn known(&self, text: &str, now: Time) -> Result<(Versioned<Token>, Caller), AppError> {
        let token = self.token(BearerKind::Session, text).await?;
        let TokenOwner::Person(id) = token.value.owner else { return Err(AppError::SignedOut) };
        if now >= token.value.used.plus(self.limits.session_idle) {
            return Err(AppError::SignedOut);
        }
        let world = self.world().await?;
        // Whatever session there might be: nobody signs in as a workload.
        let may_act = world.is_active(id) && !world.is_workload(id);
        let person = world.people.get(&id).filter(|_| may_act).ok_or(AppError::SignedOut)?;
        let caller = Caller {
            person: id,
            name: person.name.clone(),
            token: Some(token.value.id),
            proved: token.value.proved,
            proof: token.value.by.word().to_owned(),
            expires: token.value.expires,
            job: None,
        };
        Ok((token, caller))
    }

    /// Which registered resource a host token stands for.
    ///
    /// # Errors
    /// When it is no host token that holds.
    pub async fn authenticate_host(&self, text: &str) -> Result<ResourceId, AppError> {
        match self.token(BearerKind::Host, text).await?.value.owner {
            TokenOwner::Resource(id) => Ok(id),
            TokenOwner::Person(_) | TokenOwner::Directory(_) | TokenOwner::Job(_) => Err(AppError::SignedOut),
        }
    }

    /// A token of one kind that holds now.
    pub(crate) async fn token(&self, kind: BearerKind, text: &str) -> Result<Versioned<Token>, AppError> {
        let bearer = Bearer::parse_as(kind, text).map_err(|_| AppError::SignedOut)?;
        let seen = self.known_token(bearer.id()).await?.ok_or(AppError::SignedOut)?;
        let token = &seen.value;
        let holds = token.kind == stored(kind) && token.spent.is_none() && self.now() < token.expires;
        if self.pepper.matches(&bearer, &token.verifier) && holds { Ok(seen) } else { Err(AppError::SignedOut) }
    }

    /// Password and code, with equal work for people who do not exist, and a door that closes for a while.
    async fn prove_identity(&self, name: &str, password: &Secret, code: Option<&str>) -> Result<PersonId, AppError> {
        let world = self.world().await?;
        let _place = self.line.try_acquire().map_err(|_| AppError::Crowded)?;
        let _turn = tokio::time::timeout(std::time::Duration::from_secs(5), self.checks.acquire())
            .await
            .map_err(|_| AppError::Crowded)?
            .map_err(|e| AppError::Fault(e.to_string()))?;
        let person = world.person(name).filter(|p| world.is_active(p.id)).map(|p| p.id);
        let known = match person {
            Some(id) => self.store.login(id).await?,
            None => None,
        };
        let (Some(id), Some(seen)) = (person, known) else {
            let now = self.now();
            let closed = self.strangers.closed(&shown(name), now);
            tokio::task::block_in_place(|| self.hasher.verify_absent(password));
            if let Some(until) = closed {
                return Err(AppError::Closed { until, wait: until.since(now) });
            }
            self.note_failure(None, name).await?;
            return Err(AppError::BadSignIn);
        };
        let now = self.now();
        if let Some(until) = seen.value.closed_until.filter(|until| now < *until) {
            tokio::task::block_in_place(|| self.hasher.verify_absent(password));
            return Err(AppError::Closed { until, wait: until.since(now) });
        }
        let verdict = tokio::task::block_in_place(|| self.hasher.verify(password, &seen.value.password))
            .map_err(|e| AppError::Fault(e.to_string()))?;
        let right = verdict.is_right();
        let step = self.check_code(&seen.value, name, code, now)?;
        match (right, step) {
            (true, Some(step)) => {
                let password = match verdict {
                    // Made when less work was asked: what is kept is made as strong as today's.
                    Verdict::RightButWeak => tokio::task::block_in_place(|| self.hasher.hash(password, &self.ambient))
                        .map_err(|e| AppError::Fault(e.to_string()))?,
                    Verdict::Right | Verdict::Wrong => seen.value.password.clone(),
                };
                let rehashed = password != seen.value.password;
                let login =
                    Login { password, failures: 0, closed_until: None, totp_step: Some(step), ..seen.value.clone() };
                let mut change = self.change(Actor::Person(id), now);
                change.note("login.proved", Outcome::Done, about_person(id), json!({ "rehashed": rehashed }));
                change.write(Write::Login(Put::over(&seen, login)));
                // Two proofs with one code at once: the second conflicts here and is refused.
                match change.commit(point!("app.prove.commit")).await {
                    Ok(_) => Ok(id),
                    Err(AppError::Contended) => Err(AppError::BadSignIn),
                    Err(error) => Err(error),
                }
            }
            (true | false, _) => {
                self.note_failure(Some(id), name).await?;
                Err(AppError::BadSignIn)
            }
        }
    }

    /// The time step of the code, if it is right and was never used.
    fn check_code(&self, login: &Login, name: &str, code: Option<&str>, now: Time) -> Result<Option<u64>, AppError> {
        let (Some(sealed), Some(code)) = (&login.totp, code) else { return Ok(None) };
        let secret = self
            .issuing
            .open(&totp_place(&login.person.to_string()), sealed)
            .map_err(|e| AppError::Seal(e.to_string()))?;
        // One spelling: six ASCII digits and nothing around them.
        if code.len() != 6 || !code.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(None);
        }
        let seconds = u64::try_from(now.seconds()).unwrap_or(0);
        let step = totp(secret.expose(), name)?.check(code, seconds);
        Ok(step.filter(|step| login.totp_step.is_none_or(|last| *step > last)))
    }

    /// Counts a failure. Of failures at the same instant each is counted: a limit that could be passed
    /// by asking faster would be none.
    async fn note_failure(&self, person: Option<PersonId>, name: &str) -> Result<(), AppError> {
        decide!(async {
            let now = self.now();
            let seen = match person {
                Some(id) => self.store.login(id).await?,
                None => None,
            };
            let (actor, about) = match person {
                Some(id) => (Actor::Person(id), about_person(id)),
                None => (Actor::Unknown, Subjects::default()),
            };
            let mut change = self.change(actor, now);
            change.note("login.failed", Outcome::Denied, about, json!({ "name": shown(name) }));
            if let Some(seen) = &seen {
                let failures = seen.value.failures.saturating_add(1);
                let login = Login { failures, closed_until: closed_until(failures, now), ..seen.value.clone() };
                change.write(Write::Login(Put::over(seen, login)));
            }
            change.commit(point!("app.sign_in_failed.commit")).await?;
            if person.is_none() {
                self.strangers.failed(&shown(name), now);
            }
            Ok(())
        })
    }
}

/// As much of a name from outside as is kept.
fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

fn totp(secret: &[u8], name: &str) -> Result<Totp, AppError> {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_secret(TotpSecret::from(secret.to_vec()))
        .with_account_name(name)
        .with_issuer(Some("Wane"))
        .build()
        .map_err(|e| AppError::Fault(e.to_string()))
}

fn totp_place(person: &str) -> Place<'_> {
    Place { table: "login", row: person, column: "totp" }
}

/// NIST SP 800-63B section 5.1.1: length counts, composition rules do not.
fn check_password(password: &Secret) -> Result<(), AppError> {
    let Some(text) = password.expose_str() else { return Err(AppError::invalid("password", "it is not UTF-8 text")) };
    let length = text.chars().count();
    if !(12..=256).contains(&length) {
        return Err(AppError::invalid("password", "use 12 to 256 characters; a few words do well"));
    }
    let first = text.chars().next();
    if text.chars().all(|c| Some(c) == first) {
        return Err(AppError::invalid("password", "one character over and over is no password"));
    }
    Ok(())
}

const fn stored(kind: BearerKind) -> TokenKind {
    match kind {
        BearerKind::Session => TokenKind::Session,
        BearerKind::Enrol => TokenKind::Enrol,
        BearerKind::Join => TokenKind::Join,
        BearerKind::Host => TokenKind::Host,
        BearerKind::Recovery => TokenKind::Recovery,
        BearerKind::Directory => TokenKind::Directory,
        BearerKind::Job => TokenKind::Job,
    }
}

fn about(owner: TokenOwner) -> Subjects {
    match owner {
        TokenOwner::Person(id) => about_person(id),
        TokenOwner::Resource(id) => Subjects { resource: Some(id), ..Subjects::default() },
        TokenOwner::Directory(_) | TokenOwner::Job(_) => Subjects::default(),
    }
}

fn about_person(id: PersonId) -> Subjects {
    Subjects { person: Some(id), ..Subjects::default() }
}
