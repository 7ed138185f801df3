//! A terminal in a page: the holder of a grant comes to the gateway by a program that runs here.
//!
//! INVARIANT: it is a session like any other. Its credential is handed out under the grant as to any other program, and
//! it comes to the gateway as from the address that its page is looked at from (held by
//! `a_terminal_in_a_page_is_a_session_like_any_other`).

use std::net::IpAddr;

use wane_connector::broker::Refused;
use wane_connector::terminal::{Size, Terminal, Visit};
use wane_domain::id::GrantId;

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

/// What passes between the gateway and a program that runs here, in bytes, before either waits for the other.
const BETWEEN: usize = 64 * 1024;

/// What somebody wants of a terminal.
#[derive(Clone, Debug)]
pub struct TerminalAsk {
    /// The grant they come under.
    pub grant: GrantId,
    /// The login name; the role's first if none is named.
    pub login: Option<String>,
    /// How large it is.
    pub size: Size,
    /// From where their page is looked at.
    pub peer: IpAddr,
}

impl App {
    /// Whether there can be one for targets of a kind.
    #[must_use]
    pub fn has_terminal(&self, kind: &str) -> bool {
        let terminals = self.kinds.get(kind).and_then(|kind| kind.broker()).and_then(|broker| broker.terminals());
        terminals.is_some() && self.lobby(kind).is_some()
    }

    /// Opens a terminal under a grant of the caller's, through the gateway.
    ///
    /// # Errors
    /// When there is none that can be opened, nothing is handed out now, or the gateway does not let it in.
    pub async fn open_terminal(&self, caller: &Caller, ask: &TerminalAsk) -> Result<Terminal, AppError> {
        let world = self.world().await?;
        let grant = self.held_grant(caller, &world, ask.grant).await?.value;
        let (resource, _) = self.grant_parts(&world, &grant)?;
        let kind = self.kind(&resource.kind)?;
        let terminals = kind.broker().and_then(|broker| broker.terminals());
        let (Some(terminals), Some(lobby)) = (terminals, self.lobby(kind.name())) else {
            let why = "there is no terminal for this; connect as its page says";
            return Err(AppError::invalid("grant", why));
        };
        let comer = terminals.begin(&|buf| self.ambient.fill(buf))?;
        let handed = self.hand_out(caller, ask.grant, &comer.input()).await?;
        let (near, far) = tokio::io::duplex(BETWEEN);
        lobby.take_in(Box::new(far), ask.peer).await.map_err(not_in)?;
        let task = grant.item.task.as_ref().map(ToString::to_string);
        let visit = Visit {
            resource: resource.name.as_str(),
            login: ask.login.as_deref(),
            task: task.as_deref(),
            size: ask.size,
        };
        comer.come_in(Box::new(near), &handed.public, &visit).await.map_err(not_in)
    }
}

/// The gateway says why not in words for whoever is connected.
fn not_in(Refused(why): Refused) -> AppError {
    AppError::Taken(why)
}
