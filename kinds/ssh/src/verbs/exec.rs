//! What `wane exec` gives a command to reach a host with: an agent's socket and settings for ssh, in a folder that goes
//! with the command. The key is in memory and nowhere else.

use std::fmt::Write as _;
use std::path::Path;

use async_trait::async_trait;
use tokio::net::UnixListener;
use wane_connector::verb::{AccessPort, Giver, Giving, Ready, VerbError};

use super::config::Gateway;
use super::files::{Written, failed, put};
use super::ssh::{Ssh, Way, agent, keep, obtain, options};

#[async_trait]
impl Giver for Ssh {
    fn kind(&self) -> &'static str {
        crate::NAME
    }

    async fn give(&self, giving: &Giving<'_>, port: &dyn AccessPort, ready: Ready) -> Result<(), VerbError> {
        let gateway = Gateway::find(port).await?;
        let agent = agent(port)?;
        let handed = obtain(port, giving.grant, &agent).await?;
        let user = handed.user(None)?;
        let way = Way::choose(&handed, &user, giving.resource, gateway)?;
        let known_hosts = giving.folder.join("known_hosts");
        let _: Written = put(&known_hosts, format!("{}\n", way.known_by).as_bytes(), 0o600)?;
        let socket = giving.folder.join("agent");
        let listener = UnixListener::bind(&socket).map_err(|e| failed("listen on", &socket, &e))?;
        let config = giving.folder.join("ssh_config");
        let _: Written = put(&config, settings(&way, giving.resource, &socket, &known_hosts).as_bytes(), 0o600)?;
        ready(vec![
            ("SSH_AUTH_SOCK".to_owned(), socket.display().to_string()),
            ("WANE_SSH_CONFIG".to_owned(), config.display().to_string()),
            ("WANE_SSH_USER".to_owned(), user),
            ("GIT_SSH_COMMAND".to_owned(), format!("ssh -F '{}'", config.display())),
        ]);
        tokio::select! {
            () = agent.serve(&listener) => Err(VerbError::Failed("the agent stopped".to_owned())),
            () = keep(port, giving.grant, &agent, (&handed, &way)) => Ok(()),
        }
    }
}

/// Settings by which `ssh -F FILE RESOURCE` reaches the host, and no other.
fn settings(way: &Way, resource: &str, socket: &Path, known_hosts: &Path) -> String {
    let mut out = format!("Host {resource}\n");
    // At the gateway a login name says where to, as settings of ssh can say it: no `%`, which is theirs.
    let user = way.user.replace('%', "@");
    // Writing to a text cannot fail.
    let _ = writeln!(out, "    Port {}\n    User {user}", way.port);
    for option in options(way, socket, known_hosts) {
        let _ = writeln!(out, "    {}", option.replacen('=', " ", 1));
    }
    out
}
