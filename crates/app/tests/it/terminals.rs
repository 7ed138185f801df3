//! Terminals in pages: where they come in.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use wane_app::{AppError, Size, TerminalAsk};
use wane_connector::broker::{Pipe, Refused};
use wane_connector::terminal::Lobby;

use crate::tasks::house;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Has no room for anybody, and keeps who came.
#[derive(Default)]
struct Full(Mutex<Vec<IpAddr>>);

#[async_trait]
impl Lobby for Full {
    async fn take_in(&self, _: Pipe, peer: IpAddr) -> Result<(), Refused> {
        self.0.lock().unwrap().push(peer);
        Err(Refused("there is no room".to_owned()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_in_a_page_comes_in_where_its_gateway_takes_in() {
    let house = house().await;
    let (ann, grant) = (house.caller("ann").await, house.hold("ann", "web1", "deploy", 1).await);
    let ask = TerminalAsk { grant, login: None, size: Size::new(80, 24).unwrap(), peer: PEER };
    let none = house.app.open_terminal(&ann, &ask).await.err();
    assert!(matches!(&none, Some(AppError::Invalid { field, .. }) if field == "grant"), "{none:?}");
    assert!(!house.app.has_terminal("ssh"), "no gateway takes it in");
    let lobby = Arc::new(Full::default());
    house.app.gateway_takes_in("ssh", Arc::<Full>::clone(&lobby));
    assert!(house.app.has_terminal("ssh") && !house.app.has_terminal("gate"));
    let full = house.app.open_terminal(&ann, &ask).await.err();
    assert!(matches!(&full, Some(AppError::Taken(why)) if why == "there is no room"), "{full:?}");
    assert_eq!(*lobby.0.lock().unwrap(), [PEER]);
}
