//! A terminal in a page: somebody who has no program at hand comes to the gateway by one that this server runs for them.
//!
//! Owns: the words between whoever shows the terminal, the kind whose program it is, and the gateway that lets it in. It
//! is no way round anything: the program has a key of its own, has it certified as every other does, and comes to the
//! gateway as if over the network.

use std::net::IpAddr;

use async_trait::async_trait;
use serde_json::Value;

use crate::broker::{Pipe, Refused};
use crate::contract::ConnectError;

/// How people come in besides over the network.
#[async_trait]
pub trait Lobby: Send + Sync {
    /// Takes in somebody whose page is looked at from that address. Nobody is let in by this.
    ///
    /// # Errors
    /// When the gateway does not serve now, or has no room.
    async fn take_in(&self, pipe: Pipe, peer: IpAddr) -> Result<(), Refused>;
}

/// A kind's program for the terminal in a page.
pub trait Terminals: Send + Sync {
    /// One more of them, with a key that exists nowhere else. `fill` yields bytes that nobody can guess.
    ///
    /// # Errors
    /// When no key can be made.
    fn begin(&self, fill: &dyn Fn(&mut [u8])) -> Result<Box<dyn Comer>, ConnectError>;
}

/// A program with its key, which has not come in yet.
#[async_trait]
pub trait Comer: Send + Sync {
    /// What it has to be given a credential for, as a hand-out takes it.
    fn input(&self) -> Value;

    /// Comes in with what was handed out, and asks for a terminal; for the task, if the grant is for one.
    ///
    /// # Errors
    /// When it is not let in, and why.
    async fn come_in(self: Box<Self>, pipe: Pipe, handed: &Value, visit: &Visit<'_>) -> Result<Terminal, Refused>;
}

/// What somebody wants of a terminal.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// The target, by name.
    pub resource: &'a str,
    /// The login name there; the first that the credential is good for, if none is named.
    pub login: Option<&'a str>,
    /// The one command that it is for, if for one.
    pub task: Option<&'a str>,
    /// How large it is.
    pub size: Size,
}

/// How large a terminal is, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    columns: u16,
    rows: u16,
}

impl Size {
    /// The largest that anything is told.
    pub const MOST: u16 = 1000;

    /// From 1 × 1 to [`Size::MOST`] each way.
    #[must_use]
    pub fn new(columns: u16, rows: u16) -> Option<Self> {
        let fits = |n| (1..=Self::MOST).contains(&n);
        (fits(columns) && fits(rows)).then_some(Self { columns, rows })
    }

    /// Characters across.
    #[must_use]
    pub fn columns(self) -> u16 {
        self.columns
    }

    /// Lines.
    #[must_use]
    pub fn rows(self) -> u16 {
        self.rows
    }
}

/// A terminal, in its two directions. Whoever lets go of both leaves.
#[expect(missing_debug_implementations, reason = "there is nothing of it to show")]
pub struct Terminal {
    /// What it shows.
    pub screen: Box<dyn Screen>,
    /// What is typed.
    pub keys: Box<dyn Keys>,
}

/// What a terminal shows.
#[async_trait]
pub trait Screen: Send + Sync {
    /// Waits for what it shows next. Nothing is lost if whoever waits gives up. After the end it is over again.
    async fn next(&mut self) -> Shown;
}

/// What is typed at a terminal.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Types. Returns once there is room for more.
    ///
    /// # Errors
    /// When it is over.
    async fn types(&self, bytes: &[u8]) -> Result<(), Refused>;

    /// It is of another size now.
    ///
    /// # Errors
    /// When it is over.
    async fn resized(&self, size: Size) -> Result<(), Refused>;

    /// Hangs up.
    async fn hangs_up(&self);
}

/// Something that a terminal shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// These bytes.
    Output(Vec<u8>),
    /// Nothing any more.
    Over(Over),
}

/// How what ran in a terminal ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Over {
    /// With this status; none if that was not said.
    pub status: Option<u32>,
    /// By this signal.
    pub signal: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn a_terminal_is_no_larger_than_one_can_be() {
        assert!(Size::new(80, 24).is_some() && Size::new(1, 1000).is_some());
        for (columns, rows) in [(0, 24), (80, 0), (1001, 24), (80, u16::MAX)] {
            assert_eq!(Size::new(columns, rows), None, "{columns} {rows}");
        }
    }
}
