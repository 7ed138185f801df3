//! Notices and the channels they go over.

use serde_json::json;
use wane_api::query::Notices;

use super::{Done, more};
use crate::access::{Session, pages};
use crate::args::notices as args;
use crate::exit::Exit;
use crate::show;

pub(super) async fn notices(args: args::Notices, s: &Session) -> Done {
    let client = s.client()?;
    match args.what {
        Some(args::NoticesDo::Channels) => {
            let channels = s.out.busy("the server is asked", client.notice_channels()).await?;
            s.out.put(&channels, |layout| show::notices::channels(&channels.items, &s.present(), layout));
        }
        Some(args::NoticesDo::Retry(retry)) => {
            let notice = s.out.busy("it is put in line", client.retry_notice(&retry.notice)).await?;
            s.out.put(&notice, |_| format!("{} is tried again over {}", notice.id, notice.channel));
        }
        Some(args::NoticesDo::Test(test)) => {
            s.out.busy("a notice is sent", client.test_channel(&test.channel)).await?;
            s.put(&json!({ "channel": test.channel, "taken": true }), &format!("`{}` took it", test.channel));
        }
        None => {
            let query =
                Notices { state: args.state, channel: args.channel, person: args.person, cursor: None, limit: None };
            let listing = pages(args.many.into(), |cursor, limit| {
                let (client, query) = (&client, Notices { cursor, limit, ..query.clone() });
                async move { client.notices(&query).await }
            });
            let page = s.out.busy("the server is asked", listing).await?;
            s.out.put(&page, |layout| show::notices::list(&page.items, &s.present(), layout));
            more(s, page.next.as_ref());
        }
    }
    Ok(Exit::Done)
}
