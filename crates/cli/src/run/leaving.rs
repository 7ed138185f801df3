//! Sending people away, and waiting until nothing of theirs is left.

use std::time::Duration;

use jiff::SignedDuration;
use wane_api::leaving::{LeavingQuery, LeavingView, Offboard};
use wane_client::Client;

use super::Done;
use crate::access::Session;
use crate::args::leaving as args;
use crate::exit::{Exit, Stop};
use crate::show;

/// How often to look whether everything is over.
const LOOK: Duration = Duration::from_millis(500);

pub(super) async fn offboard(args: args::Offboard, s: &Session) -> Done {
    let client = s.client()?;
    let patience = args.wait.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    let patience = patience
        .ok_or_else(|| Stop::usage(format!("`{}` is not a time to wait", args.wait)).todo("write `--wait 60s`"))?;
    if !args.report {
        let input = Offboard { reason: args.reason };
        let said = s.out.busy("they are sent away", client.offboard(&args.person, &input)).await?;
        if !said.complete {
            s.out.busy("what they held is being ended", wait(&client, &args.person, patience)).await?;
        }
    }
    let query = LeavingQuery { accounts: Some(true) };
    let report = s.out.busy("the targets are asked", client.leaving(&args.person, &query)).await?;
    s.out.put(&report, |layout| show::leaving::report(&report, &s.present(), layout));
    Ok(if report.complete { Exit::Done } else { Exit::Owed })
}

/// Waits until everything is over, or patience ends.
async fn wait(client: &Client, person: &str, patience: Duration) -> Result<(), Stop> {
    let over = async {
        loop {
            let report: LeavingView = client.leaving(person, &LeavingQuery::default()).await?;
            if report.complete {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(patience, over).await.unwrap_or(Ok(()))
}
