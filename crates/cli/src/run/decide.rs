//! Deciding what others asked; revoking and locking.

use wane_api::board::Kill;
use wane_api::grant::DenyGrant;
use wane_api::lock::{NewLock, Revoke, RoleName};
use wane_api::query::{Listing, Requests};
use wane_api::request::{Approve, Deny};

use super::{Done, more};
use crate::access::{Session, pages};
use crate::args::{Many, decide as args};
use crate::exit::{Exit, Stop};
use crate::show;

pub(super) async fn requests(args: args::Requests, s: &Session) -> Done {
    let client = s.client()?;
    if let Some(id) = &args.id {
        let request = s.out.busy("the server is asked", client.request(id)).await?;
        s.out.put(&request, |layout| show::request::one(&request, &s.present(), layout));
        return Ok(Exit::Done);
    }
    let query = Requests {
        mine: args.mine,
        waiting_for_me: args.waiting_for_me,
        waiting: args.waiting,
        person: args.person,
        cursor: None,
        limit: None,
    };
    listed(args.many, query, s).await
}

pub(super) async fn waiting(args: args::Waiting, s: &Session) -> Done {
    listed(args.many, Requests { waiting_for_me: true, ..Requests::default() }, s).await
}

async fn listed(many: Many, query: Requests, s: &Session) -> Done {
    let client = s.client()?;
    let listing = pages(many.into(), |cursor, limit| {
        let (client, query) = (&client, Requests { cursor, limit, ..query.clone() });
        async move { client.requests(&query).await }
    });
    let page = s.out.busy("the server is asked", listing).await?;
    s.out.put(&page, |layout| show::request::list(&page.items, &s.present(), layout));
    more(s, page.next.as_ref());
    Ok(Exit::Done)
}

pub(super) async fn approve(args: args::Approve, s: &Session) -> Done {
    let client = s.client()?;
    if args.sign_with.is_some() || args.print_to_sign || args.signature.is_some() {
        return super::signing::approve(args, s).await;
    }
    if args.key.is_some() {
        return Err(
            Stop::usage("`--key` says what to sign with").todo("add `--sign-with KEYFILE` or `--print-to-sign`")
        );
    }
    let input = Approve { item: args.item, duration: args.duration, role: args.role, signature: None };
    let request = s.out.busy("your approval is recorded", client.approve(&args.request, &input)).await?;
    s.out.put(&request, |layout| show::request::one(&request, &s.present(), layout));
    Ok(Exit::Done)
}

pub(super) async fn deny(args: args::Deny, s: &Session) -> Done {
    let client = s.client()?;
    if args.id.starts_with("grt_") {
        let input = DenyGrant { reason: args.reason };
        let grant = s.out.busy("your approval is taken back", client.deny_grant(&args.id, &input)).await?;
        s.out.put(&grant, |layout| show::grant::one(&grant, &s.present(), layout));
        return Ok(Exit::Done);
    }
    let input = Deny { item: args.item, reason: args.reason };
    let request = s.out.busy("your denial is recorded", client.deny(&args.id, &input)).await?;
    s.out.put(&request, |layout| show::request::one(&request, &s.present(), layout));
    Ok(Exit::Done)
}

pub(super) async fn revoke(args: args::Revoke, s: &Session) -> Done {
    let client = s.client()?;
    let input = Revoke { grant: args.grant, person: args.person, resource: args.resource, reason: args.reason };
    let revoked = s.out.busy("access is being ended", client.revoke(&input)).await?;
    s.out.put(&revoked, |_| show::board::revoked(&revoked));
    Ok(Exit::Done)
}

pub(super) async fn kill(args: args::Kill, s: &Session) -> Done {
    let client = s.client()?;
    let input = Kill { reason: args.reason };
    s.out.busy("the session is being ended", client.kill_session(&args.session, &input)).await?;
    s.put(&serde_json::json!({ "ended": args.session }), &format!("{} is over", args.session));
    Ok(Exit::Done)
}

pub(super) async fn lock(args: args::Lock, s: &Session) -> Done {
    let client = s.client()?;
    match args {
        args::Lock::Add(args) => {
            let input = NewLock {
                person: args.person,
                resource: args.resource,
                role: args.role.map(|r| RoleName { kind: r.kind, name: r.name }),
                grant: args.grant,
                reason: args.reason,
            };
            let lock = s.out.busy("the lock is imposed", client.lock(&input)).await?;
            s.out.put(&lock, |layout| show::board::locks(std::slice::from_ref(&lock), &s.present(), layout));
        }
        args::Lock::List(args) => {
            let listing = pages(args.many.into(), |cursor, limit| {
                let client = &client;
                async move { client.locks(&Listing { cursor, limit }).await }
            });
            let page = s.out.busy("the server is asked", listing).await?;
            s.out.put(&page, |layout| show::board::locks(&page.items, &s.present(), layout));
            more(s, page.next.as_ref());
        }
        args::Lock::Lift(args) => {
            s.out.busy("the lock is lifted", client.lift(&args.lock)).await?;
            s.put(&serde_json::json!({ "lifted": args.lock }), &format!("{} is lifted", args.lock));
        }
    }
    Ok(Exit::Done)
}
