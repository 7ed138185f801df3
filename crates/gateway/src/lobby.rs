//! Who comes in from a page of this server, on a connection that never was on a network.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;
use wane_connector::broker::{Pipe, Refused};
use wane_connector::terminal::Lobby;

/// Those who wait to be seen to.
const MOST_WAITING: usize = 64;

/// Somebody who comes in.
pub(crate) struct Comes {
    pub(crate) pipe: Pipe,
    pub(crate) peer: IpAddr,
}

/// Both ends of the lobby: whoever serves takes the one, once.
pub(crate) struct Desk {
    door: mpsc::Sender<Comes>,
    taken: Mutex<Option<mpsc::Receiver<Comes>>>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let (door, comes) = mpsc::channel(MOST_WAITING);
        Self { door, taken: Mutex::new(Some(comes)) }
    }

    /// Where people come in. Once nobody serves any more, nobody does.
    pub(crate) fn door(&self) -> Arc<dyn Lobby> {
        Arc::new(Door(self.door.clone()))
    }

    /// Those who come in, for whoever sees to them.
    pub(crate) fn comes(&self) -> mpsc::Receiver<Comes> {
        let comes = self.taken.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Whoever serves for the second time has nobody sent to them.
        comes.unwrap_or_else(|| mpsc::channel(1).1)
    }
}

struct Door(mpsc::Sender<Comes>);

#[async_trait]
impl Lobby for Door {
    async fn take_in(&self, pipe: Pipe, peer: IpAddr) -> Result<(), Refused> {
        self.0.try_send(Comes { pipe, peer }).map_err(|why| match why {
            mpsc::error::TrySendError::Full(_) => Refused("too many come in at once; try again in a moment".to_owned()),
            mpsc::error::TrySendError::Closed(_) => Refused("the gateway does not serve now; try again".to_owned()),
        })
    }
}
