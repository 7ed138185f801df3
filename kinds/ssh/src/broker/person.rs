//! The person's side: the login, then every channel and request, each let through or refused.
//!
//! INVARIANT: what the role does not name is refused, and so is every sort of channel and request that is
//! not named here (held by `what_the_role_does_not_name_is_refused`).

mod handler;

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, PrivateKey};
use russh::server::{self, Auth, ChannelOpenHandle};
use russh::{Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet};
use tokio::sync::{mpsc, watch};
use wane_connector::broker::{By, Claim, Door, Proof, Refused};
use wane_domain::id::{ArrivalId, GrantId};
use wane_recording::{Event, Program};
use zeroize::Zeroizing;

use super::arrival::Talk;
use super::asks::{Ask, Open};
use super::commands::{Leave, NOT_RUN, Refusal, Rules};
use super::flow::Flow;
use super::front::ENDED;
use super::host::{self, Slot};
use super::joining;
use super::jump::{Jump, Place, Wants};
use super::login::{self, Wanted};
use super::pass::Shown;
use super::pump::STDERR;
use super::session::{Link, Session, Task};
use crate::key;

/// Requests on one channel while it is open: a terminal that is resized all day has fewer.
const MOST_REQUESTS: u32 = 100_000;
/// How long a host has to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// One person's connection.
pub(super) struct Person {
    pub(super) user_ca: KeyData,
    pub(super) place: Place,
    pub(super) door: Arc<dyn Door>,
    pub(super) flow: Arc<Flow>,
    tasks: mpsc::UnboundedSender<Task>,
    begun: watch::Sender<Option<Arc<Session>>>,
    own: Arc<OnceLock<server::Handle>>,
    session: Option<Arc<Session>>,
    offers: u32,
    /// Why a proven login was refused.
    pub(super) refused: Option<String>,
    /// What is said to somebody without a credential.
    pub(super) talk: Talk,
    /// What there is where sessions are inside this connection, and none is on it.
    pub(super) jump: Option<Jump>,
    /// A channel whose host was not reached, and why: whoever asks for a program on it is told.
    unreached: Option<(ChannelId, String)>,
}

/// Ways to log in that are still open to somebody who did not.
pub(super) const WAYS: [MethodKind; 2] = [MethodKind::PublicKey, MethodKind::KeyboardInteractive];

pub(super) fn reject(then: &[MethodKind]) -> Auth {
    Auth::Reject { proceed_with_methods: Some(MethodSet::from(then)), partial_success: false }
}

impl Person {
    pub(super) fn new(
        (user_ca, place): (KeyData, Place),
        door: Arc<dyn Door>,
        flow: Arc<Flow>,
        tasks: mpsc::UnboundedSender<Task>,
        begun: watch::Sender<Option<Arc<Session>>>,
        own: Arc<OnceLock<server::Handle>>,
    ) -> Self {
        let (session, offers, refused, unreached) = (None, 0, None, None);
        let (talk, jump) = (Talk::Silent, None);
        Self { user_ca, place, jump, door, flow, tasks, begun, own, session, offers, refused, talk, unreached }
    }

    /// Counts an attempt; too many break the connection off.
    pub(super) fn attempt(&self) -> Result<(), russh::Error> {
        self.door.attempt().map_err(|_| russh::Error::Disconnect)
    }

    async fn log_in(&mut self, user: &str, cert: &Certificate) -> Result<(), String> {
        let wants = self.place.wants(user).ok_or("the user name is not LOGIN%RESOURCE")?;
        let grant = login::grant_of(cert, &self.user_ca, self.door.now())?;
        let wanted = match wants {
            Wants::Session(wanted) => wanted,
            Wants::Passage => {
                login::comes_from_where_it_may(cert, self.door.peer())?;
                return self.pass(Proof::Credential { grant, serial: cert.serial() }).await;
            }
        };
        let credential = cert.to_openssh().map_err(|e| e.to_string())?;
        self.enter(wanted, grant, By::Credential { serial: cert.serial(), credential }).await
    }

    /// Opens the session of somebody who confirmed this login.
    pub(super) async fn enter_confirmed(
        &mut self,
        wanted: Wanted,
        grant: GrantId,
        arrival: ArrivalId,
    ) -> Result<(), String> {
        self.enter(wanted, grant, By::Confirmed(arrival)).await
    }

    /// Opens the session of somebody who has proved who they are.
    async fn enter(&mut self, wanted: Wanted, grant: GrantId, by: By) -> Result<(), String> {
        let now = self.door.now();
        let mut seed = Zeroizing::new([0; 32]);
        self.door.fill(seed.as_mut_slice());
        let secret = PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed)), "")
            .map_err(|e| format!("no key could be made: {e}"))?;
        let claim = Claim {
            grant,
            by,
            resource: wanted.resource.to_string(),
            login: wanted.login,
            public_key: key::line(secret.public_key().key_data())?,
            peer: self.door.peer(),
            client: self.flow.version(),
        };
        let opened = self.door.open(claim).await.map_err(|refused| refused.to_string())?;
        let shown = Shown::read(&opened.pass)?;
        let (reached, host) = watch::channel(None);
        let rules = Rules::of(&shown.definition, shown.task.clone())?;
        let role = (shown.definition.clone(), rules);
        let session = Arc::new(Session::new(
            Arc::clone(&opened.line),
            role,
            Arc::clone(&self.flow),
            host,
            Arc::clone(&self.own),
            self.tasks.clone(),
        ));
        let slot: Slot = Arc::new(OnceLock::from(Arc::clone(&session)));
        let (line, flow) = (opened.line, Arc::clone(&self.flow));
        let reach = async move {
            let outcome = host::reach(line, shown, secret, flow, slot, now).await;
            let _ = reached.send(Some(outcome));
            // The last one who holds this lets go of the host.
            reached.closed().await;
        };
        let _ = self.tasks.send(Box::pin(reach));
        let _ = self.tasks.send(Box::pin(joining::types(Arc::clone(&session))));
        self.begun.send_replace(Some(Arc::clone(&session)));
        self.session = Some(session);
        Ok(())
    }

    fn session(&self) -> Result<&Arc<Session>, russh::Error> {
        self.session.as_ref().ok_or(russh::Error::Inconsistent)
    }

    fn link(&self, channel: ChannelId) -> Option<Arc<Link>> {
        self.session.as_ref()?.by_person(channel)
    }

    /// Asks the host for something on a channel, and answers the person as the host does.
    async fn ask(
        &self,
        link: &Link,
        event: &Event<'_>,
        ask: Ask<'_>,
        session: &mut server::Session,
    ) -> Result<bool, russh::Error> {
        let yes = self.answer(link, event, ask).await?;
        if yes {
            session.channel_success(link.person_id)?
        } else {
            session.channel_failure(link.person_id)?
        }
        Ok(yes)
    }

    /// What the host says to something that is asked of it.
    async fn answer(&self, link: &Link, event: &Event<'_>, ask: Ask<'_>) -> Result<bool, russh::Error> {
        let own = self.session()?;
        if own.tap(event).await.is_err() { Ok(false) } else { self.put(link, ask).await }
    }

    /// What the host says to something that was reported and is asked of it.
    async fn put(&self, link: &Link, ask: Ask<'_>) -> Result<bool, russh::Error> {
        let own = self.session()?;
        let _heard = self.flow.asks();
        let answer = own.will_answer(link);
        Ok(match ask.of(&link.host).await {
            Ok(()) => tokio::time::timeout(ANSWER, answer).await.is_ok_and(|answer| answer.unwrap_or(false)),
            Err(_) => false,
        })
    }

    async fn refuse(&self, channel: ChannelId, what: &str, session: &mut server::Session) -> Result<(), russh::Error> {
        let number = self.link(channel).map(|link| link.number);
        if let Some(own) = &self.session {
            own.refuse(number, what).await;
        }
        session.channel_failure(channel)
    }

    /// A program is asked for.
    async fn run(
        &self,
        channel: ChannelId,
        program: Program<'_>,
        ask: Ask<'_>,
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        if let Some((_, why)) = self.unreached.as_ref().filter(|(id, _)| *id == channel) {
            return runs_not(channel, why, ENDED, session);
        }
        let Some(link) = self.link(channel).filter(|link| !link.runs.swap(true, Ordering::Relaxed)) else {
            return self.refuse(channel, "a second program on one channel", session).await;
        };
        let own = self.session()?;
        let line = match own.rules.leave(&ask) {
            Leave::AsAsked => return self.start(&link, program, ask, session).await,
            Leave::As(line) => line,
            Leave::Once(line) => {
                let _heard = self.flow.asks();
                let Ask::Command(asked) = ask else { return Err(russh::Error::Inconsistent) };
                // INVARIANT: that it is spent is on disk before the host is asked to run it (held by
                // `a_task_that_was_spent_is_not_run_again_after_a_crash`).
                if let Err(Refused(said)) = own.line.spend(link.number, asked).await {
                    return self.not_run(&link, Refusal { noted: "its task".to_owned(), said }, session).await;
                }
                line
            }
            Leave::No(refusal) => return self.not_run(&link, refusal, session).await,
        };
        let program = Program::Command(line.as_str().into());
        self.start(&link, program, Ask::Command(line.as_bytes()), session).await
    }

    /// A program is started at the host, once that is recorded.
    async fn start(
        &self,
        link: &Link,
        program: Program<'_>,
        ask: Ask<'_>,
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        link.will_run(&program);
        let event = Event::Started { channel: link.number, program };
        if let Err(refused) = self.session()?.tap(&event).await {
            return runs_not(link.person_id, &refused.to_string(), ENDED, session);
        }
        let yes = self.put(link, ask).await?;
        if yes { session.channel_success(link.person_id) } else { session.channel_failure(link.person_id) }
    }

    /// A program is not run; the person is told why, in place of its output.
    async fn not_run(&self, link: &Link, why: Refusal, session: &mut server::Session) -> Result<(), russh::Error> {
        self.session()?.refuse(Some(link.number), &why.noted).await;
        // Before any of its input comes: that goes nowhere.
        link.refused.store(true, Ordering::Relaxed);
        // A host does not answer to the close of a channel on which nothing ran, so nobody waits for that.
        runs_not(link.person_id, &why.said, NOT_RUN, session)
    }

    /// Opens a channel at the host and makes one of both.
    async fn open(
        &mut self,
        (kind, about): (&str, &str),
        person: Channel<server::Msg>,
        reply: ChannelOpenHandle,
        open: Open<'_>,
    ) {
        let Some(own) = self.session.clone() else { return };
        let Ok(number) = own.opens(kind, about).await else {
            return reply.reject(ChannelOpenFailure::ResourceShortage).await;
        };
        let _heard = self.flow.asks();
        let is_session = matches!(open, Open::Session);
        let opened = match own.reached().await {
            Ok(host) => open.at(&host).await.map_err(|e| format!("the host does not open a channel: {e}")),
            Err(why) => Err(why),
        };
        match opened {
            // Accepted first: what the host sends at once must find the channel there.
            Ok(host) => {
                reply.accept().await;
                own.join(number, person, host);
            }
            Err(why) => {
                let _ = own.tap(&Event::Closed { channel: number }).await;
                if is_session {
                    self.unreached = Some((person.id(), why));
                    reply.accept().await;
                } else {
                    reply.reject(ChannelOpenFailure::ConnectFailed).await;
                }
            }
        }
    }

    /// Whether the role names this; if not, that it was asked for is noted.
    async fn may(&self, extension: &str, channel: Option<ChannelId>, what: &str) -> bool {
        let Some(own) = &self.session else { return false };
        let may = own.role.allows(extension) && own.rules.let_be(extension);
        if !may {
            let number = channel.and_then(|id| self.link(id)).map(|link| link.number);
            own.refuse(number, what).await;
        }
        may
    }

    async fn note_refused(&self, what: &str) {
        if let Some(own) = &self.session {
            own.refuse(None, what).await;
        }
    }

    /// The two channels that a request is about. Each request costs something, and has to stop somewhere.
    fn requested(&mut self, channel: ChannelId) -> Result<Option<Arc<Link>>, russh::Error> {
        let Some(link) = self.link(channel) else { return Ok(None) };
        if link.requests.fetch_add(1, Ordering::Relaxed) > MOST_REQUESTS {
            return Err(russh::Error::Inconsistent);
        }
        Ok(Some(link))
    }

    fn is_unreached(&self, channel: ChannelId) -> bool {
        self.unreached.as_ref().is_some_and(|(id, _)| *id == channel)
    }

    fn came(&self, channel: ChannelId, data: &[u8]) {
        if let Some(jump) = &self.jump {
            jump.came(channel, data.len());
        }
        if let Some(link) = self.link(channel) {
            link.up.came(data.len());
        }
    }
}

/// Instead of the program that was asked for, why it does not run.
fn runs_not(channel: ChannelId, why: &str, status: u32, session: &mut server::Session) -> Result<(), russh::Error> {
    session.channel_success(channel)?;
    session.extended_data(channel, STDERR, format!("Wane: {why}\n"))?;
    session.exit_status_request(channel, status)?;
    session.eof(channel)?;
    session.close(channel)
}

/// What a peer sent, short and fit for a record.
fn shown(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect()
}
