//! What is, what was, and why.

use std::time::Duration;

use futures::StreamExt as _;
use wane_api::figures::FiguresQuery;
use wane_api::query::{Grants, Listing, Records, Under};
use wane_api::trail::{BOOKKEEPING, RecordView};
use wane_api::why::Suppose;

use super::{Done, more};
use crate::access::{Session, Take, pages};
use crate::args::item::Item;
use crate::args::see as args;
use crate::exit::{Exit, Stop};
use crate::show;

/// How often a watched board is drawn again.
const REDRAW: Duration = Duration::from_secs(2);

pub(super) async fn live(args: args::Live, s: &Session) -> Done {
    let client = s.client()?;
    let listing = || {
        pages(Take::All, |cursor, limit| {
            let client = &client;
            async move { client.live(&Listing { cursor, limit }).await }
        })
    };
    if !args.watch {
        let page = s.out.busy("the server is asked", listing()).await?;
        s.out.put(&page, |layout| show::board::live(&page.items, &s.present(), layout));
        return Ok(Exit::Done);
    }
    let mut beat = tokio::time::interval(REDRAW);
    loop {
        beat.tick().await;
        let page = match listing().await.map_err(Stop::from) {
            Ok(page) => page,
            Err(stop) if stop.exit == Exit::Unreachable => {
                s.say(&stop.message);
                continue;
            }
            Err(stop) => return Err(stop),
        };
        let drawn = s.out.put_one(&page, || {
            let now = s.present();
            let board = show::board::live(&page.items, &now, s.out.layout);
            // Home, and clear what was below: our own escapes, around text that is escaped.
            let clear = if s.out.to_terminal { "\u{1b}[H\u{1b}[2J" } else { "" };
            format!("{clear}{}\n\n{board}", now.stamp(now.at))
        });
        if drawn.is_err() {
            return Ok(Exit::Done);
        }
    }
}

pub(super) async fn sessions(s: &Session) -> Done {
    let client = s.client()?;
    let listing = pages(Take::All, |cursor, limit| {
        let client = &client;
        async move { client.live_sessions(&Listing { cursor, limit }).await }
    });
    let page = s.out.busy("the server is asked", listing).await?;
    s.out.put(&page, |layout| show::board::sessions(&page.items, &s.present(), layout));
    Ok(Exit::Done)
}

pub(super) async fn grants(args: args::Grants, s: &Session) -> Done {
    let client = s.client()?;
    let query = Grants {
        mine: args.mine,
        person: args.person,
        resource: args.resource,
        state: (!args.state.is_empty()).then(|| args.state.join(",")),
        cursor: None,
        limit: None,
    };
    let listing = pages(args.many.into(), |cursor, limit| {
        let (client, query) = (&client, Grants { cursor, limit, ..query.clone() });
        async move { client.grants(&query).await }
    });
    let page = s.out.busy("the server is asked", listing).await?;
    s.out.put(&page, |layout| show::grant::list(&page.items, &s.present(), layout));
    more(s, page.next.as_ref());
    Ok(Exit::Done)
}

pub(super) async fn grant(args: args::Grant, s: &Session) -> Done {
    let client = s.client()?;
    let grant = s.out.busy("the server is asked", client.grant(&args.grant)).await?;
    s.out.put(&grant, |layout| show::grant::one(&grant, &s.present(), layout));
    Ok(Exit::Done)
}

pub(super) async fn debts(s: &Session) -> Done {
    let client = s.client()?;
    let listing = pages(Take::All, |cursor, limit| {
        let client = &client;
        async move { client.debts(&Listing { cursor, limit }).await }
    });
    let page = s.out.busy("the server is asked", listing).await?;
    s.out.put(&page, |layout| show::board::debts(&page.items, &s.present(), layout));
    Ok(Exit::Done)
}

pub(super) async fn figures(args: &args::Figures, s: &Session) -> Done {
    let client = s.client()?;
    let query = FiguresQuery { days: Some(args.days) };
    let figures = s.out.busy("the log is counted", client.figures(&query)).await?;
    s.out.put(&figures, |layout| show::figures::all(&figures, &s.present(), layout));
    Ok(Exit::Done)
}

pub(super) async fn inventories(s: &Session) -> Done {
    let client = s.client()?;
    let listing = pages(Take::All, |cursor, limit| {
        let client = &client;
        async move { client.inventories(&Listing { cursor, limit }).await }
    });
    let page = s.out.busy("the server is asked", listing).await?;
    s.out.put(&page, |layout| show::figures::inventories(&page.items, &s.present(), layout));
    Ok(Exit::Done)
}

pub(super) async fn pulled(s: &Session) -> Done {
    let client = s.client()?;
    let listing = pages(Take::All, |cursor, limit| {
        let client = &client;
        async move { client.pulled(&Listing { cursor, limit }).await }
    });
    let page = s.out.busy("the server is asked", listing).await?;
    s.out.put(&page, |layout| show::directory::pulled(&page.items, &s.present(), layout));
    Ok(Exit::Done)
}

pub(super) async fn why(args: args::Why, s: &Session) -> Done {
    let client = s.client()?;
    let under = Under { version: args.policy };
    if args.what.starts_with("req_") {
        let answer = s.out.busy("the decision is looked up", client.why_request(&args.what, &under)).await?;
        s.out.put(&answer, |layout| show::why::request(&answer, &s.present(), layout));
        return Ok(Exit::Done);
    }
    let answer = if args.what.starts_with("grt_") {
        s.out.busy("the decision is looked up", client.why_grant(&args.what, &under)).await?
    } else {
        let item: Item = args.what.parse().map_err(|why: String| Stop::usage(why))?;
        let suppose = Suppose {
            person: args.person,
            resource: item.resource,
            role: item.role,
            duration: args.duration,
            reason: args.reason,
            ticket: args.ticket,
            task: args.task,
            policy_version: args.policy,
            policy_text: None,
        };
        s.out.busy("policy is asked", client.why(&suppose)).await?
    };
    s.out.put(&answer, |layout| show::why::one(&answer, &s.present(), layout));
    Ok(Exit::Done)
}

pub(super) async fn story(args: args::Story, s: &Session) -> Done {
    let client = s.client()?;
    let story = s.out.busy("the story is put together", client.story(&args.grant)).await?;
    s.out.put(&story, |layout| show::trail::story(&story, &s.present(), layout));
    Ok(Exit::Done)
}

pub(super) async fn log(args: args::Log, s: &Session) -> Done {
    let moment = |text: Option<&str>| text.map(|text| s.present().parse(text)).transpose();
    // Whoever asks for an event by its name gets it, bookkeeping or not.
    let without_bookkeeping = !args.all_events && args.event.is_none();
    let query = Records {
        person: args.person,
        resource: args.resource,
        grant: args.grant,
        request: args.request,
        event: args.event,
        without_bookkeeping,
        from: moment(args.from.as_deref())?,
        until: moment(args.until.as_deref())?,
        cursor: None,
        limit: None,
    };
    if args.follow {
        return follow(&query, s).await;
    }
    let client = s.client()?;
    let listing = pages(args.many.into(), |cursor, limit| {
        let (client, query) = (&client, Records { cursor, limit, ..query.clone() });
        async move { client.log(&query).await }
    });
    let page = s.out.busy("the server is asked", listing).await?;
    s.out.put(&page, |layout| show::trail::records(&page.items, &s.present(), layout));
    more(s, page.next.as_ref());
    Ok(Exit::Done)
}

async fn follow(query: &Records, s: &Session) -> Done {
    let mut events = s.client()?.events(None);
    while let Some(event) = events.next().await {
        match event.map_err(Stop::from) {
            Ok(record) if matches(query, &record) => {
                if s.out.put_one(&record, || show::trail::record(&record, &s.present())).is_err() {
                    return Ok(Exit::Done);
                }
            }
            Ok(_) => {}
            Err(stop) if stop.exit == Exit::Unreachable => s.say(&format!("{}; trying again", stop.message)),
            Err(stop) => return Err(stop),
        }
    }
    Ok(Exit::Done)
}

/// Whether a record is one of those asked for; the stream itself tells all.
fn matches(query: &Records, record: &RecordView) -> bool {
    let is = |want: &Option<String>, have: &Option<String>| want.is_none() || want == have;
    let by = |person: &String| record.who == *person || record.person.as_ref() == Some(person);
    query.person.as_ref().is_none_or(by)
        && is(&query.resource, &record.resource)
        && is(&query.grant, &record.grant)
        && is(&query.request, &record.request)
        && query.event.as_ref().is_none_or(|e| record.event.starts_with(e.as_str()))
        && !(query.without_bookkeeping && BOOKKEEPING.contains(&record.event.as_str()))
        && query.from.is_none_or(|from| record.at >= from)
}
