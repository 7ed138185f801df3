//! A connection inside which its person has sessions (`ssh -J`): hosts are asked for on it as if it were to be
//! connected to them, and what comes instead is the gateway itself, standing for that host, inside the channel.
//!
//! INVARIANT: nothing on such a connection leads anywhere else: no byte of it reaches a host but through a session
//! of its own, judged and recorded (held by `nothing_is_reached_through_a_jump_but_registered_hosts`).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, PrivateKey};
use russh::server::{self, Auth, ChannelOpenHandle};
use russh::{Channel, ChannelId, Disconnect};
use sha2::{Digest as _, Sha256};
use wane_connector::broker::{Door, Next, Proof};
use wane_connector::{ConnectError, PublishPermit, Signer};
use wane_domain::catalogue::Resource;
use wane_domain::text::Name;
use wane_domain::time::{Span, Time};
use wane_failpoint::{around_call, point};
use zeroize::Zeroizing;

use super::STANDS_FOR;
use super::arrival::{Talk, round};
use super::flow::Flow;
use super::front::{config, speak};
use super::login::{self, Wanted};
use super::nested::{Nested, Waiting};
use super::person::{Person, WAYS, reject};
use crate::certificate::{self, Plan, SKEW, seconds};
use crate::role::is_principal;
use crate::settings::{self, Settings};
use crate::{HOST_CA, key};

/// How long a key counts as that of a host. It is looked at when a connection begins, and never again.
pub(crate) const STANDS: Span = Span::from_mins(5);

/// Connections inside one, of all its time: each costs a signature and a line in the log.
const MOST_OPENED: u32 = 4096;

/// Where a connection comes in.
pub(super) enum Place {
    /// From outside.
    Front,
    /// Inside another connection, on which it is known who is there, for this host.
    ///
    /// INVARIANT: only here does anybody come in who shows nothing (held by `showing_nothing_lets_nobody_in`).
    Inside(Name),
}

impl Place {
    /// What a user name means here.
    pub(super) fn wants(&self, user: &str) -> Option<Wants> {
        match self {
            Self::Front => Wants::read(user),
            Self::Inside(resource) if is_principal(user) => {
                Some(Wants::Session(Wanted { login: user.to_owned(), resource: resource.clone() }))
            }
            Self::Inside(_) => None,
        }
    }
}

/// What somebody wants who logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// One session.
    Session(Wanted),
    /// To have sessions inside. The user name says nothing then: `ssh -J` sends that of the person's own machine.
    Passage,
}

impl Wants {
    fn read(user: &str) -> Option<Self> {
        let is_plain = !user.is_empty() && !user.contains(['%', '@']);
        if is_plain { Some(Self::Passage) } else { Wanted::read(user).map(Self::Session) }
    }
}

/// What there is on such a connection.
pub(super) struct Jump {
    door: Arc<dyn Door>,
    user_ca: KeyData,
    flow: Arc<Flow>,
    inside: HashMap<ChannelId, Arc<Waiting>>,
    /// How many there were.
    opened: u32,
}

impl Jump {
    pub(super) fn new(door: Arc<dyn Door>, user_ca: KeyData, flow: Arc<Flow>) -> Self {
        Self { door, user_ca, flow, inside: HashMap::new(), opened: 0 }
    }

    /// A message came in.
    pub(super) fn came(&self, channel: ChannelId, bytes: usize) {
        if let Some(waiting) = self.inside.get(&channel) {
            waiting.came(bytes);
        }
    }

    pub(super) fn closed(&mut self, channel: ChannelId) {
        self.inside.remove(&channel);
    }

    /// Somebody asks to be connected to a host.
    pub(super) async fn open(
        &mut self,
        channel: Channel<server::Msg>,
        (host, port): (&str, u32),
        reply: ChannelOpenHandle,
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        let stands = match self.stands_for(host, port).await {
            Ok(stands) => stands,
            Err(why) => {
                // One who guesses at hosts is broken off like one who guesses at logins.
                self.door.attempt().map_err(|_| russh::Error::Disconnect)?;
                if self.inside.is_empty() {
                    // A refusal has no words of its own in this protocol, and nothing here is lost.
                    return session.disconnect(Disconnect::ByApplication, login::word(&why).trim_end(), "");
                }
                // Whoever drops the reply refuses.
                return Ok(());
            }
        };
        let (config, name) = stands;
        self.opened = self.opened.saturating_add(1);
        if self.opened > MOST_OPENED {
            return Err(russh::Error::Disconnect);
        }
        let waiting = Waiting::new(&self.flow);
        self.inside.insert(channel.id(), Arc::clone(&waiting));
        let nested = Nested::new(channel, waiting);
        let user_ca = self.user_ca.clone();
        // Accepted first: what is said at once must find the channel there.
        reply.accept().await;
        // Whoever drops the pipe closes the channel.
        let _ = self.door.nest(
            Box::new(nested),
            Box::new(move |pipe, door| Box::pin(speak(config, user_ca, Place::Inside(name), pipe, door))),
        );
        Ok(())
    }

    /// What the gateway shows inside, if it may.
    async fn stands_for(&self, host: &str, port: u32) -> Result<(Arc<server::Config>, Name), String> {
        let mut seed = Zeroizing::new([0; 32]);
        self.door.fill(seed.as_mut_slice());
        let own = PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed)), "");
        let own = own.map_err(|e| format!("no key could be made: {e}"))?;
        let line = key::line(own.public_key().key_data())?;
        let port = u16::try_from(port).map_err(|_| "that is no port".to_owned())?;
        let inside = self.door.inside(host, port, &line).await.map_err(|refused| refused.to_string())?;
        let shown = Certificate::from_openssh(&inside.certificate).map_err(|e| e.to_string())?;
        let name = inside.resource.parse().map_err(|_| "the host has no name".to_owned())?;
        Ok((Arc::new(config(own, shown)), name))
    }
}

impl Person {
    /// Comes in without showing anything: it is known from outside who is there, and only there.
    pub(super) async fn come_in_known(&mut self, user: &str) -> Result<Auth, russh::Error> {
        let Place::Inside(_) = &self.place else { return Ok(reject(&WAYS)) };
        self.attempt()?;
        self.talk = Talk::Silent;
        let Some(Wants::Session(wanted)) = self.place.wants(user) else { return Ok(reject(&WAYS)) };
        let version = self.flow.version();
        if let Err(refused) = self.door.known(wanted.resource.as_str(), &wanted.login, &version).await {
            self.refused = Some(refused.0);
            return Ok(reject(&WAYS));
        }
        // Whoever may come in at once hears nothing; what else there is to say is said to whoever can answer.
        let mut said = String::new();
        loop {
            match self.door.next(None).await {
                Ok(Next::Wait) => {}
                Ok(Next::Say(text)) => said.push_str(&login::word(&text)),
                Ok(Next::Enter { grant, arrival }) => {
                    return Ok(match self.enter_confirmed(wanted, grant, arrival).await {
                        Ok(()) => Auth::Accept,
                        Err(why) => {
                            self.refused = Some(why);
                            reject(&WAYS)
                        }
                    });
                }
                // To be gone on with once they are asked.
                Ok(next @ (Next::Ask { .. } | Next::Invite(_) | Next::Pass(_))) => {
                    self.talk = Talk::Pending { wanted, said, next };
                    return Ok(reject(&WAYS));
                }
                Err(refused) => {
                    self.refused = Some(refused.0);
                    return Ok(reject(&WAYS));
                }
            }
        }
    }

    /// Lets somebody in who is to have sessions inside.
    pub(super) async fn pass(&mut self, proof: Proof) -> Result<(), String> {
        let version = self.flow.version();
        self.door.admit(proof, &version).await.map_err(|refused| refused.to_string())?;
        self.jump = Some(Jump::new(Arc::clone(&self.door), self.user_ca.clone(), Arc::clone(&self.flow)));
        Ok(())
    }

    /// Says what was found out already, now that there is somebody to say it to.
    pub(super) fn say_pending(&mut self, wanted: Wanted, said: String, next: Next) -> Auth {
        let now = self.door.now();
        let (said, prompt) = match next {
            Next::Ask { text, prompt } => {
                let text = if text.is_empty() { text } else { login::word(&text) };
                (said + &text, Some(prompt))
            }
            Next::Invite(invitation) => {
                (said + &login::invitation(&Wants::Session(wanted.clone()), None, &invitation, now), None)
            }
            Next::Wait | Next::Say(_) | Next::Enter { .. } | Next::Pass(_) => (said, None),
        };
        self.talk = Talk::Invited(Wants::Session(wanted));
        round(said, prompt)
    }
}

/// Whether a host is the one that is registered as this resource.
pub(super) fn answers_to(resource: &Resource, host: &str, port: u16) -> bool {
    let Ok(settings) = Settings::read(&resource.settings) else { return false };
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let Some(host) = settings::host(bare) else { return false };
    let is_named = resource.name.as_str() == host;
    settings.address.port == port && (settings.address.host == host || settings.host_names.contains(&host) || is_named)
}

/// Certifies a key as that of a host, for the name that was asked for and those it has.
pub(super) fn stands_for(
    signer: &dyn Signer,
    resource: &Resource,
    asked: &str,
    public_key: &str,
    now: Time,
    serial: u64,
) -> Result<String, ConnectError> {
    let settings = Settings::read(&resource.settings)
        .map_err(|e| ConnectError::Refused { target: resource.name.to_string(), why: e.to_string() })?;
    let asked = asked.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(asked);
    let names: BTreeSet<String> = settings
        .host_names
        .iter()
        .chain([&settings.address.host, &resource.name.to_string()])
        .filter_map(|name| settings::host(name))
        .collect();
    // What was asked for is one of them, however it was spelt; a client compares letter by letter.
    let asked = settings::host(asked).filter(|asked| names.contains(asked));
    if asked.is_none() {
        return Err(ConnectError::Input("that is not a name of this host".to_owned()));
    }
    let key = key::read(public_key).map_err(ConnectError::Input)?;
    let ca = key::own(signer.public_key(HOST_CA)?);
    let mut nonce = Sha256::new();
    nonce.update(format!("wane.ssh.stands-for-nonce.v1\n{serial}\n{}\n{}", resource.id, now.micros()));
    let plan = Plan {
        kind: CertType::Host,
        key,
        nonce: nonce.finalize().into(),
        serial,
        key_id: format!("{STANDS_FOR}{}", resource.id),
        principals: names.into_iter().collect(),
        valid_after: seconds(now.minus(SKEW)),
        valid_before: seconds(now.plus(STANDS)),
        critical_options: Default::default(),
        extensions: Default::default(),
    };
    let permit = PublishPermit { what: format!("host certificate of the gateway, standing for {}", resource.name) };
    let cert = certificate::sign(&plan, &ca, |tbs| {
        around_call(point!("ssh.stands_for.sign"), || signer.publish(HOST_CA, permit, tbs))
    })?;
    Ok(cert.to_openssh().map_err(|e| ConnectError::Input(e.to_string()))?.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_that_names_no_resource_has_sessions_inside() {
        let web: Name = "web".parse().unwrap();
        let inside = |login: &str| Wants::Session(Wanted { login: login.to_owned(), resource: web.clone() });
        for (user, front, inner) in [
            ("deploy%web", Some(inside("deploy")), None),
            ("deploy@web", Some(inside("deploy")), None),
            ("maya", Some(Wants::Passage), Some(inside("maya"))),
            ("Maya Miller", Some(Wants::Passage), None),
            ("", None, None),
            ("deploy%", None, None),
            ("a%b%c", None, None),
            ("a@b@c", None, None),
        ] {
            assert_eq!(Place::Front.wants(user), front, "{user:?}");
            assert_eq!(Place::Inside(web.clone()).wants(user), inner, "{user:?}");
        }
    }
}
