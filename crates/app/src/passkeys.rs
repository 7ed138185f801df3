//! Passkeys: set up with a one-time code or in a session with a fresh proof, and signed in with. Checked by
//! `webauthn-rs`, which asks that the person unlocked it (user verification).
//!
//! Owns: whose a passkey is, and the ceremonies that are under way: each between two calls, in memory, used once.
//! A passkey is good for the name in `server.public_url` alone; its browser sees to that, and so nothing that is
//! shown can be shown to somebody else.
//!
//! INVARIANT: no browser says what was asked of it: challenge, person and purpose of a ceremony are kept here (held
//! by `a_passkey_lets_its_person_in_and_nobody_else`).

mod ceremonies;
mod recovery;

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::id::PersonId;
use wane_domain::proved::ProvedBy;
use wane_domain::secret::SecretOnce;
use wane_domain::text::Line;
use wane_domain::time::Span;
use wane_failpoint::point;
use wane_keys::token::BearerKind;
use wane_store::{EnteredBy, Login, Put, Token, TokenOwner, Versioned, Way, WayIn, Write, passkey_key};
use webauthn_rs::prelude::{Passkey, PublicKeyCredential, RegisterPublicKeyCredential, Uuid};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use crate::approver_keys::keys_of;
use crate::auth::SignedIn;
use crate::caller::Caller;
use crate::change::Change;
use crate::error::AppError;
use crate::ways_in::{MOST_WAYS, WayShown};
use crate::{App, decide};

pub(crate) use ceremonies::Ceremonies;
use ceremonies::{Leave, Purpose};

/// How fresh a proof has to be for a new way in.
const FRESH: Span = Span::from_mins(10);

/// A ceremony that a browser is to go through.
#[derive(Debug)]
pub struct Ceremony {
    /// Which.
    pub reference: String,
    /// What its authenticator is asked, as the Web Authentication API takes it, bytes in base64url.
    pub options: Value,
}

/// A passkey that was set up.
#[derive(Debug)]
pub struct PasskeyMade {
    /// It.
    pub way: WayShown,
    /// Codes for the day it is lost; given with the first one, once.
    pub recovery: Vec<SecretOnce>,
}

/// Whether passkeys can be served: under a name, and where browsers allow them.
pub(crate) fn served_at(public_url: &str) -> Option<Webauthn> {
    let origin = webauthn_rs::prelude::Url::parse(public_url).ok()?;
    let host = origin.domain()?.to_owned();
    if origin.scheme() != "https" && host != "localhost" {
        return None;
    }
    WebauthnBuilder::new(&host, &origin).ok()?.rp_name("Wane").build().ok()
}

impl App {
    /// Whether passkeys can be used here.
    #[must_use]
    pub fn serves_passkeys(&self) -> bool {
        self.webauthn.is_some()
    }

    fn webauthn(&self) -> Result<&Webauthn, AppError> {
        self.webauthn.as_ref().ok_or_else(|| {
            let why = "passkeys need a `server.public_url` with a name, over https";
            AppError::Taken(why.to_owned())
        })
    }

    /// Begins to sign somebody in with a passkey. Says nothing about who there is: the passkey does.
    ///
    /// # Errors
    /// When passkeys are not served, or too many are under way.
    pub fn begin_passkey_sign_in(&self) -> Result<Ceremony, AppError> {
        let (options, state) = self.webauthn()?.start_discoverable_authentication().map_err(broken)?;
        self.enter(Purpose::SignIn(Box::new(state)), plain(&options)?)
    }

    /// Signs in whoever has the passkey.
    ///
    /// # Errors
    /// When the answer is not to what was asked, or no passkey of anybody's; never says which.
    pub async fn finish_passkey_sign_in(&self, reference: &str, answer: &str) -> Result<SignedIn, AppError> {
        let Some(Purpose::SignIn(state)) = self.ceremonies.take(reference, self.now()) else {
            return Err(AppError::NotSignedIn("this page is too old, or was used before".to_owned()));
        };
        let shown: PublicKeyCredential = match serde_json::from_str(answer) {
            Ok(shown) => shown,
            Err(_) => return self.refuse_passkey(None).await,
        };
        let Ok((handle, credential)) = self.webauthn()?.identify_discoverable_authentication(&shown) else {
            return self.refuse_passkey(None).await;
        };
        let Some(seen) = self.store.way_in(&passkey_key(credential)).await? else {
            return self.refuse_passkey(None).await;
        };
        let person = seen.value.person;
        let Way::Passkey { credential } = &seen.value.what else { return self.refuse_passkey(None).await };
        let mut passkey: Passkey = serde_json::from_value(credential.clone())?;
        // The authenticator says whose it is as well, and has to mean the same person.
        let meant = handle == handle_of(person);
        let checked = self.webauthn()?.finish_discoverable_authentication_v2(&shown, *state, &passkey);
        let Some(checked) = checked.ok().filter(|checked| meant && checked.user_verified()) else {
            return self.refuse_passkey(Some(person)).await;
        };
        passkey.update_credential(&checked);
        let credential = serde_json::to_value(&passkey)?;
        let signed_in = decide!(async {
            let (world, now) = (self.world().await?, self.now());
            let seen = self.store.way_in(&seen.value.key).await?.filter(|_| world.is_active(person));
            let Some(seen) = seen.filter(|seen| seen.value.person == person) else {
                return Err(AppError::NotSignedIn(REFUSED.to_owned()));
            };
            let mut change = self.change_at(Actor::Person(person), &world, now);
            let detail = json!({ "way": seen.value.id });
            let signed_in = self.session_in(&mut change, person, (ProvedBy::Passkey, now), None, detail);
            let what = Way::Passkey { credential: credential.clone() };
            change.write(Write::WayIn(Put::over(&seen, WayIn { used: Some(now), what, ..seen.value.clone() })));
            change.commit(point!("app.passkey.session.commit")).await?;
            Ok(signed_in)
        });
        match signed_in {
            Err(AppError::NotSignedIn(_)) => self.refuse_passkey(Some(person)).await,
            signed_in => signed_in,
        }
    }

    /// Begins to set a passkey up for the caller.
    ///
    /// # Errors
    /// When the caller's last proof of identity is not fresh, or they have as many as there may be.
    pub async fn begin_passkey(&self, caller: &Caller, name: Line) -> Result<Ceremony, AppError> {
        let now = self.now();
        if caller.proof_age(now) > FRESH {
            let why = format!("prove your identity again first: the last proof may be {FRESH} old");
            return Err(AppError::invalid("proof", why));
        }
        let leave = Leave::Session(caller.token.ok_or(AppError::SignedOut)?);
        self.begin_enrolment(caller.person, name, leave).await
    }

    /// Begins to set a passkey up with a one-time code, which is spent once it is.
    ///
    /// # Errors
    /// When the code is no good.
    pub async fn begin_passkey_with_code(&self, code: &str, name: Line) -> Result<Ceremony, AppError> {
        let token = self.token(BearerKind::Enrol, code).await?;
        let TokenOwner::Person(person) = token.value.owner else { return Err(AppError::SignedOut) };
        self.begin_enrolment(person, name, Leave::Code(token.value.id)).await
    }

    async fn begin_enrolment(&self, person: PersonId, name: Line, leave: Leave) -> Result<Ceremony, AppError> {
        let world = self.world().await?;
        let them = world.people.get(&person).filter(|_| world.is_active(person)).ok_or(AppError::SignedOut)?;
        let ways = self.store.ways_in(person).await?;
        if ways.len() >= MOST_WAYS {
            return Err(AppError::Taken(format!("you have {MOST_WAYS} ways to sign in; take one away first")));
        }
        let keys = ways.iter().filter_map(|way| passkey_of(&way.value));
        let exclude = keys.map(|passkey| passkey.cred_id().clone()).collect();
        let name_shown = them.name.as_str();
        // What nobody wrote is no name to an authenticator.
        let display = Some(them.display.as_str()).filter(|text| !text.trim().is_empty()).unwrap_or(name_shown);
        let begun = self.webauthn()?.start_passkey_registration(handle_of(person), name_shown, display, Some(exclude));
        let (options, state) = begun.map_err(broken)?;
        let mut options = plain(&options)?;
        // One that its authenticator knows by itself: so nobody has to say a name, and no page says who there is.
        if let Some(choice) = options.pointer_mut("/publicKey/authenticatorSelection").and_then(Value::as_object_mut) {
            choice.insert("residentKey".to_owned(), json!("required"));
            choice.insert("requireResidentKey".to_owned(), json!(true));
        }
        self.enter(Purpose::Enrol { person, name, leave, state: Box::new(state) }, options)
    }

    fn enter(&self, purpose: Purpose, options: Value) -> Result<Ceremony, AppError> {
        let reference = self.nonce();
        if self.ceremonies.enter(reference.clone(), purpose, self.now()) {
            Ok(Ceremony { reference, options })
        } else {
            Err(AppError::Crowded)
        }
    }

    /// Sets up the caller's passkey.
    ///
    /// # Errors
    /// When the answer is not to what was asked, or the session is over.
    pub async fn finish_passkey(
        &self,
        caller: &Caller,
        reference: &str,
        answer: &str,
    ) -> Result<PasskeyMade, AppError> {
        let Some(Purpose::Enrol { person, name, leave: Leave::Session(token), state }) =
            self.ceremonies.take(reference, self.now())
        else {
            return Err(too_old());
        };
        if Some(token) != caller.token || person != caller.person {
            return Err(too_old());
        }
        let passkey = self.registered(answer, &state)?;
        decide!(async {
            let world = self.world().await?;
            if !world.is_active(person) || self.store.token(token).await?.is_none_or(|t| t.value.spent.is_some()) {
                return Err(AppError::SignedOut);
            }
            let mut change = self.change_at(Actor::Person(person), &world, self.now());
            let way = self.write_passkey(&mut change, person, &name, &passkey)?;
            let has_codes = self.store.tokens_of(person).await?.iter().any(is_recovery);
            let recovery = if has_codes { Vec::new() } else { self.recovery_codes_in(&mut change, person) };
            change.commit(point!("app.passkey.commit")).await?;
            Ok(PasskeyMade { way: self.way_shown(&way), recovery })
        })
    }

    /// Sets up a passkey with the one-time code that was shown, and signs its person in. As with a password, what
    /// was there before ends: sessions, codes, passkeys, the password.
    ///
    /// # Errors
    /// When the answer is not to what was asked, or the code is spent.
    pub async fn finish_passkey_with_code(
        &self,
        reference: &str,
        answer: &str,
    ) -> Result<(SignedIn, PasskeyMade), AppError> {
        let Some(Purpose::Enrol { person, name, leave: Leave::Code(code), state }) =
            self.ceremonies.take(reference, self.now())
        else {
            return Err(too_old());
        };
        let passkey = self.registered(answer, &state)?;
        decide!(async {
            let (world, now) = (self.world().await?, self.now());
            let seen = self.store.token(code).await?.ok_or(AppError::SignedOut)?;
            if seen.value.spent.is_some() || now >= seen.value.expires || !world.is_active(person) {
                return Err(AppError::SignedOut);
            }
            let mut change = self.change_at(Actor::Person(person), &world, now);
            change.note("login.enrolled", Outcome::Done, about(person), json!({ "token": code, "with": "passkey" }));
            change.write(Write::Token(Put::over(&seen, Token { spent: Some(now), ..seen.value.clone() })));
            self.end_what_was(&mut change, person, code).await?;
            if let Some(login) = self.store.login(person).await? {
                // Without a second factor nobody comes in by a password.
                change.write(Write::Login(Put::over(&login, Login { totp: None, ..login.value.clone() })));
            }
            let way = self.write_passkey(&mut change, person, &name, &passkey)?;
            let recovery = self.recovery_codes_in(&mut change, person);
            let signed_in =
                self.session_in(&mut change, person, (ProvedBy::Passkey, now), None, json!({ "way": way.id }));
            change.commit(point!("app.passkey.enrol.commit")).await?;
            Ok((signed_in, PasskeyMade { way: self.way_shown(&way), recovery }))
        })
    }

    /// Ends sessions, codes and passkeys of somebody who sets their sign-in up anew: whoever else holds one must not
    /// undo this. Identities stay: an administrator entered them.
    pub(crate) async fn end_what_was(
        &self,
        change: &mut Change<'_>,
        person: PersonId,
        spent: wane_domain::id::TokenId,
    ) -> Result<(), AppError> {
        for former in self.store.tokens_of(person).await? {
            if former.value.id != spent {
                change.write(Write::RemoveToken(former.value.id));
            }
        }
        for way in self.store.ways_in(person).await? {
            if matches!(way.value.what, Way::Passkey { .. }) {
                change.write(Write::RemoveWayIn(way.value.id));
            }
        }
        // Whoever lost what they signed in with may have lost what they sign with.
        let world = self.world().await?;
        let keys: Vec<_> = keys_of(&world, person).into_iter().filter(|key| key.is_there()).collect();
        self.remove_keys_in(change, person, &keys).await
    }

    fn registered(&self, answer: &str, state: &webauthn_rs::prelude::PasskeyRegistration) -> Result<Passkey, AppError> {
        let refused =
            || AppError::NotSignedIn("the passkey was not set up: its answer is not to what was asked".to_owned());
        let shown: RegisterPublicKeyCredential = serde_json::from_str(answer).map_err(|_| refused())?;
        self.webauthn()?.finish_passkey_registration(&shown, state).map_err(|_| refused())
    }

    fn write_passkey(
        &self,
        change: &mut Change<'_>,
        person: PersonId,
        name: &Line,
        passkey: &Passkey,
    ) -> Result<WayIn, AppError> {
        let way = WayIn {
            id: self.ambient.id(),
            key: passkey_key(passkey.cred_id().as_ref()),
            person,
            name: name.clone(),
            at: change.at(),
            entered_by: EnteredBy::Person(person),
            used: None,
            what: Way::Passkey { credential: serde_json::to_value(passkey)? },
        };
        change.note("passkey.added", Outcome::Done, about(person), json!({ "way": way.id, "name": name }));
        change.write(Write::WayIn(Put::new(way.clone())));
        Ok(way)
    }

    async fn refuse_passkey<T>(&self, person: Option<PersonId>) -> Result<T, AppError> {
        let actor = person.map_or(Actor::Unknown, Actor::Person);
        let mut change = self.change(actor, self.now());
        let about = Subjects { person, ..Subjects::default() };
        change.note("login.failed", Outcome::Denied, about, json!({ "with": "passkey" }));
        change.commit(point!("app.passkey.failed.commit")).await?;
        Err(AppError::NotSignedIn(REFUSED.to_owned()))
    }
}

const REFUSED: &str = "this passkey lets nobody in";

fn too_old() -> AppError {
    AppError::NotSignedIn("this page is too old, or was used before".to_owned())
}

fn passkey_of(way: &WayIn) -> Option<Passkey> {
    match &way.what {
        Way::Passkey { credential } => serde_json::from_value(credential.clone()).ok(),
        Way::Identity { .. } => None,
    }
}

/// What an authenticator keeps of a person: their opaque id, and nothing that says who they are.
fn handle_of(person: PersonId) -> Uuid {
    Uuid::from_bytes(person.bytes())
}

fn is_recovery(token: &Versioned<Token>) -> bool {
    token.value.kind == wane_store::TokenKind::Recovery
}

fn plain(options: &impl serde::Serialize) -> Result<Value, AppError> {
    Ok(serde_json::to_value(options)?)
}

fn broken(error: webauthn_rs::prelude::WebauthnError) -> AppError {
    AppError::Fault(format!("a passkey ceremony cannot begin: {error:?}"))
}

fn about(person: PersonId) -> Subjects {
    Subjects { person: Some(person), ..Subjects::default() }
}

#[cfg(test)]
mod tests {
    use super::served_at;

    #[test]
    fn passkeys_are_served_under_a_name_that_browsers_trust() {
        for (url, served) in [
            ("https://wane.example.org", true),
            ("https://wane.example.org:8443", true),
            ("http://localhost:7440", true),
            ("http://127.0.0.1:7440", false),
            ("https://192.0.2.7", false),
            ("http://wane.example.org", false),
            ("", false),
        ] {
            assert_eq!(served_at(url).is_some(), served, "{url}");
        }
    }
}
