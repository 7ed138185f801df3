//! The login of somebody without a credential, over keyboard-interactive (RFC 4256): a link and a code, then
//! word of how it stands, round by round, until they are in or know why not.
//!
//! A round without a question is answered by the client at once, so that each is a sign of life.

use std::borrow::Cow;

use russh::MethodKind;
use russh::server::Auth;
use wane_connector::broker::{Goal, Next, Proof};

use super::jump::{Place, Wants};
use super::login::{self, Wanted};
use super::person::{Person, reject};

/// The longest answer that is read.
const LONGEST_ANSWER: usize = 2048;

/// What is left to somebody who was told why not. Were it nothing at all, OpenSSH would ask for a password.
const NOTHING_MORE: [MethodKind; 1] = [MethodKind::PublicKey];

/// What is being said to somebody without a credential.
#[derive(Debug)]
pub(super) enum Talk {
    /// Nothing yet.
    Silent,
    /// They were invited to confirm this login.
    Invited(Wants),
    /// There is something to say to them, once they can be asked.
    Pending { wanted: Wanted, said: String, next: Next },
    /// They were told why not. A client that asks again has been told.
    Told,
}

impl Person {
    /// Gives up a login that its person was to confirm: something else is tried.
    pub(super) async fn silence(&mut self) {
        // Who is known and has something to answer offers keys first: that comes to nothing, and they are asked.
        if matches!(self.talk, Talk::Pending { .. }) {
            return;
        }
        if let Talk::Invited(_) = std::mem::replace(&mut self.talk, Talk::Silent) {
            self.door.leave().await;
        }
    }

    /// Begins.
    pub(super) async fn invite(&mut self, user: &str) -> Result<Auth, russh::Error> {
        if matches!(self.talk, Talk::Told) {
            return Ok(reject(&NOTHING_MORE));
        }
        self.attempt()?;
        if let Talk::Pending { .. } = &self.talk
            && let Talk::Pending { wanted, said, next } = std::mem::replace(&mut self.talk, Talk::Silent)
        {
            return Ok(self.say_pending(wanted, said, next));
        }
        self.silence().await;
        let wants = self.place.wants(user);
        if !self.door.invites() {
            return Ok(self.tell(login::refusal(wants.as_ref(), self.refused.as_deref())));
        }
        let goal = match (&wants, &self.place) {
            // Whoever is known and was refused is told why.
            (None, _) | (_, Place::Inside(_)) => {
                return Ok(self.tell(login::refusal(wants.as_ref(), self.refused.as_deref())));
            }
            (Some(Wants::Session(Wanted { login, resource })), Place::Front) => {
                Goal::Session { resource: resource.to_string(), login: login.clone() }
            }
            (Some(Wants::Passage), Place::Front) => Goal::Passage,
        };
        let arrived = self.door.arrive(goal, &self.flow.version()).await;
        Ok(match (arrived, wants) {
            (Ok(invitation), Some(wants)) => {
                let said = login::invitation(&wants, self.refused.as_deref(), &invitation, self.door.now());
                self.talk = Talk::Invited(wants);
                round(said, None)
            }
            (Ok(_), None) => self.tell(login::refusal(None, None)),
            (Err(refused), wants) => self.tell(login::refusal(wants.as_ref(), Some(&refused.0))),
        })
    }

    /// Goes on after the client answered.
    pub(super) async fn go_on(&mut self, answer: Option<&[u8]>) -> Result<Auth, russh::Error> {
        let Talk::Invited(wants) = &self.talk else { return Ok(reject(&NOTHING_MORE)) };
        let wants = wants.clone();
        let answer = answer.filter(|bytes| bytes.len() <= LONGEST_ANSWER);
        let answer = answer.and_then(|bytes| std::str::from_utf8(bytes).ok()).map(str::to_owned);
        Ok(match self.door.next(answer).await {
            Ok(Next::Wait) => round(String::new(), None),
            Ok(Next::Say(text)) => round(login::word(&text), None),
            Ok(Next::Ask { text, prompt }) => {
                let said = if text.is_empty() { text } else { login::word(&text) };
                round(said, Some(prompt))
            }
            Ok(Next::Invite(invitation)) => round(login::invitation(&wants, None, &invitation, self.door.now()), None),
            Ok(next @ (Next::Enter { .. } | Next::Pass(_))) => match self.come_in(wants, next).await {
                Ok(()) => Auth::Accept,
                Err(why) => self.tell(login::word(&why)),
            },
            Err(refused) => self.tell(login::word(&refused.0)),
        })
    }

    /// They may.
    async fn come_in(&mut self, wants: Wants, next: Next) -> Result<(), String> {
        match (wants, next) {
            (Wants::Session(wanted), Next::Enter { grant, arrival }) => {
                self.enter_confirmed(wanted, grant, arrival).await
            }
            (Wants::Passage, Next::Pass(arrival)) => self.pass(Proof::Confirmed(arrival)).await,
            (Wants::Session(_) | Wants::Passage, _) => Err("this login was for something else".to_owned()),
        }
    }

    /// The last word: after it no way is left.
    fn tell(&mut self, said: String) -> Auth {
        self.talk = Talk::Told;
        round(said, None)
    }
}

pub(super) fn round(said: String, prompt: Option<String>) -> Auth {
    let prompts: Vec<(Cow<'static, str>, bool)> = prompt.into_iter().map(|prompt| (Cow::Owned(prompt), true)).collect();
    Auth::Partial { name: Cow::Borrowed(""), instructions: Cow::Owned(said), prompts: Cow::Owned(prompts) }
}
