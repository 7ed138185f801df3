//! Listings, page by page.

use std::future::Future;

use wane_api::{MOST_ON_A_PAGE, Page};
use wane_client::ClientError;

use crate::args::Many;

/// How many entries are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Take {
    /// All there are.
    All,
    /// At most so many.
    AtMost(u32),
}

impl From<Many> for Take {
    fn from(many: Many) -> Self {
        if many.all { Self::All } else { Self::AtMost(many.limit) }
    }
}

/// Takes entries page by page. What `next` of the answer names was not taken.
pub(crate) async fn pages<T, F>(
    take: Take,
    mut page: impl FnMut(Option<String>, Option<u32>) -> F,
) -> Result<Page<T>, ClientError>
where
    F: Future<Output = Result<Page<T>, ClientError>>,
{
    let mut all = Page { items: Vec::new(), next: None };
    loop {
        let taken = u32::try_from(all.items.len()).unwrap_or(u32::MAX);
        let limit = match take {
            Take::All => MOST_ON_A_PAGE,
            Take::AtMost(n) => n.saturating_sub(taken).min(MOST_ON_A_PAGE),
        };
        if limit == 0 {
            return Ok(all);
        }
        let Page { items, next } = page(all.next.take(), Some(limit)).await?;
        // A page without entries that names a next one would never end.
        let stuck = items.is_empty();
        all.items.extend(items);
        if next.is_none() || stuck {
            return Ok(all);
        }
        all.next = next;
    }
}
