//! Who stands in while an approver is away.

use wane_api::delegation::NewDelegation;
use wane_api::query::Delegations;

use super::{Done, more};
use crate::access::{Session, pages};
use crate::args::delegate as args;
use crate::exit::Exit;
use crate::show;

pub(super) async fn delegate(args: args::Delegate, s: &Session) -> Done {
    let client = s.client()?;
    match args {
        args::Delegate::Add(args) => {
            let now = s.present();
            let input = NewDelegation {
                to: args.person,
                from: args.from.as_deref().map(|from| now.parse(from)).transpose()?,
                until: now.parse(&args.until)?,
                resources: args.resources,
                policies: args.policies,
                reason: args.reason,
            };
            let one = s.out.busy("it is recorded", client.delegate(&input)).await?;
            s.out.put(&one, |layout| show::delegation::list(std::slice::from_ref(&one), &s.present(), layout));
        }
        args::Delegate::List(args) => {
            let query = Delegations { person: args.person, past: args.past, cursor: None, limit: None };
            let listing = pages(args.many.into(), |cursor, limit| {
                let (client, query) = (&client, Delegations { cursor, limit, ..query.clone() });
                async move { client.delegations(&query).await }
            });
            let page = s.out.busy("the server is asked", listing).await?;
            s.out.put(&page, |layout| show::delegation::list(&page.items, &s.present(), layout));
            more(s, page.next.as_ref());
        }
        args::Delegate::Remove(args) => {
            s.out.busy("it is taken back", client.end_delegation(&args.id)).await?;
            s.put(&serde_json::json!({ "ended": args.id }), &format!("{} is taken back", args.id));
        }
    }
    Ok(Exit::Done)
}
