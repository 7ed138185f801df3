//! Asking for access, having a credential issued, giving access back.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use wane_api::Page;
use wane_api::grant::{CredentialView, Extend};
use wane_api::query::Listing;
use wane_api::request::{AskItem, ItemState, NewRequest, RequestView, Withdraw};

use wane_client::Client;

use super::{Done, more};
use crate::access::{Outcome, Patience, Session, Take, pages};
use crate::args::using as args;
use crate::exit::{Exit, Stop};
use crate::show;

pub(super) async fn askable(args: args::Askable, s: &Session) -> Done {
    let client = s.client()?;
    // Which entries name the resource is only known here, so all are looked through.
    let take = if args.resource.is_some() { Take::All } else { args.many.into() };
    let listing = pages(take, |cursor, limit| {
        let client = &client;
        async move { client.askable(&Listing { cursor, limit }).await }
    });
    let mut page = s.out.busy("what you may ask for is looked up", listing).await?;
    if let Some(resource) = &args.resource {
        page.items.retain(|a| a.resource == *resource);
    }
    s.out.put(&page, |layout| show::why::askable(&page.items, layout));
    more(s, page.next.as_ref());
    Ok(Exit::Done)
}

pub(super) async fn request(args: args::Request, s: &Session) -> Done {
    let patience = Patience::parse(args.wait.as_deref())?;
    let start = args.from.as_deref().map(|from| s.present().parse(from)).transpose()?;
    let client = s.client()?;
    let mut items = Vec::new();
    for item in args.items {
        let role = match (item.role, &args.role) {
            (Some(role), _) => role,
            (None, Some(role)) => role.clone(),
            (None, None) => s.only_role(&client, &item.resource).await?.role,
        };
        let item = AskItem { resource: item.resource, role, task: args.task.clone() };
        if items.contains(&item) {
            return Err(Stop::usage(format!("`{}@{}` is asked for twice", item.role, item.resource)));
        }
        items.push(item);
    }
    let input = NewRequest {
        items,
        for_person: args.for_person,
        duration: args.duration,
        start,
        reason: args.reason,
        ticket: args.ticket,
    };
    let asked = s.out.busy("access is asked for", client.ask(&input)).await?;
    came_out(&client, asked, patience, s).await
}

/// Waits as long as patience lasts, shows the request and comes out as it stands.
async fn came_out(client: &Client, asked: RequestView, patience: Patience, s: &Session) -> Done {
    let waits = asked.items.iter().any(|i| i.state == ItemState::Waiting);
    let (request, outcome) = if waits && !matches!(patience, Patience::None) {
        s.say(&format!("asked: {}", asked.id));
        let id = asked.id.clone();
        let outcome = s.settle(client, asked, patience).await?;
        (client.request(&id).await?, outcome)
    } else {
        (asked.clone(), s.settle(client, asked, Patience::None).await?)
    };
    s.out.put(&request, |layout| show::request::one(&request, &s.present(), layout));
    match outcome {
        Outcome::Granted(_) => Ok(Exit::Done),
        Outcome::Waits(_) => Ok(Exit::Waiting),
        Outcome::Refused(refused) => Err(s.refusal(client, &refused).await),
    }
}

pub(super) async fn credential(args: args::Credential, s: &Session) -> Done {
    let input = args.input.as_deref().map(|input| s.read_json(input)).transpose()?;
    if let Some(file) = &args.secret_file
        && file.exists()
    {
        return Err(Stop::usage(format!("`{}` exists already", file.display())).todo("name a new file"));
    }
    let mut made = s.credential(&args.grant, input.unwrap_or_default()).await?;
    let had_secret = made.secret.is_some();
    let mut shown = args.show_secret || !s.out.to_terminal;
    if let Some(file) = &args.secret_file {
        if let Some(secret) = made.secret.take() {
            write_secret(file, secret.expose())?;
        }
        shown = true;
    } else if !shown {
        made.secret = None;
    }
    let made: CredentialView = made;
    s.out.put(&made, |layout| show::grant::credential(&made, &s.present(), layout));
    if had_secret && !shown {
        s.say("its secret is not shown on a terminal; --show-secret shows it, --secret-file keeps it");
    }
    Ok(Exit::Done)
}

fn write_secret(path: &Path, secret: &str) -> Result<(), Stop> {
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(secret.as_bytes()))
        .map_err(|e| {
            Stop::failed(format!("`{}` cannot be written: {e}", path.display()))
                .todo("the secret is lost; ask for another credential")
        })
}

pub(super) async fn extend(args: args::Extend, s: &Session) -> Done {
    let client = s.client()?;
    let input = Extend { duration: args.duration, reason: args.reason };
    let asked = s.out.busy("more time is asked for", client.extend(&args.grant, &input)).await?;
    came_out(&client, asked, Patience::None, s).await
}

pub(super) async fn done(args: args::Done, s: &Session) -> Done {
    let client = s.client()?;
    let mut returned = Vec::new();
    for id in &args.grants {
        returned.push(s.out.busy("the access is given back", client.return_grant(id)).await?);
    }
    let page = Page { items: returned, next: None };
    s.out.put(&page, |layout| show::grant::list(&page.items, &s.present(), layout));
    Ok(Exit::Done)
}

pub(super) async fn withdraw(args: args::Withdraw, s: &Session) -> Done {
    let client = s.client()?;
    let input = Withdraw { item: args.item };
    let request = s.out.busy("the request is taken back", client.withdraw(&args.request, &input)).await?;
    s.out.put(&request, |layout| show::request::one(&request, &s.present(), layout));
    Ok(Exit::Done)
}
