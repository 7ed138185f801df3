//! The login of somebody without a credential, over keyboard-interactive (RFC 4256): a link and a code, then
//! word of how it stands, round by round, until they are in or know why not.
//!
//! A round without a question is answered by the client at once, so that each is a sign of life.

use std::borrow::Cow;

use russh::MethodKind;
use russh::server::Auth;
use wane_connector::broker::{By, Next};

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
    Invited(Wanted),
    /// They were told why not. A client that asks again has been told.
    Told,
}

impl Person {
    /// Gives up a login that its person was to confirm: something else is tried.
    pub(super) async fn silence(&mut self) {
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
        self.silence().await;
        let Some(wanted) = Wanted::read(user) else {
            return Ok(self.tell(login::refusal(user, self.refused.as_deref())));
        };
        let arrived = self.door.arrive(wanted.resource.as_str(), &wanted.login, &self.flow.version()).await;
        Ok(match arrived {
            Ok(invitation) => {
                let said = login::invitation(&wanted, self.refused.as_deref(), &invitation, self.door.now());
                self.talk = Talk::Invited(wanted);
                round(said, None)
            }
            Err(refused) => self.tell(login::refusal(user, Some(&refused.0))),
        })
    }

    /// Goes on after the client answered.
    pub(super) async fn go_on(&mut self, answer: Option<&[u8]>) -> Result<Auth, russh::Error> {
        let Talk::Invited(wanted) = &self.talk else { return Ok(reject(&NOTHING_MORE)) };
        let wanted = wanted.clone();
        let answer = answer.filter(|bytes| bytes.len() <= LONGEST_ANSWER);
        let answer = answer.and_then(|bytes| std::str::from_utf8(bytes).ok()).map(str::to_owned);
        Ok(match self.door.next(answer).await {
            Ok(Next::Wait) => round(String::new(), None),
            Ok(Next::Say(text)) => round(login::word(&text), None),
            Ok(Next::Ask { text, prompt }) => {
                let said = if text.is_empty() { text } else { login::word(&text) };
                round(said, Some(prompt))
            }
            Ok(Next::Enter { grant, arrival }) => match self.enter(wanted, grant, By::Confirmed(arrival)).await {
                Ok(()) => Auth::Accept,
                Err(why) => self.tell(login::word(&why)),
            },
            Err(refused) => self.tell(login::word(&refused.0)),
        })
    }

    /// The last word: after it no way is left.
    fn tell(&mut self, said: String) -> Auth {
        self.talk = Talk::Told;
        round(said, None)
    }
}

fn round(said: String, prompt: Option<String>) -> Auth {
    let prompts: Vec<(Cow<'static, str>, bool)> = prompt.into_iter().map(|prompt| (Cow::Owned(prompt), true)).collect();
    Auth::Partial { name: Cow::Borrowed(""), instructions: Cow::Owned(said), prompts: Cow::Owned(prompts) }
}
