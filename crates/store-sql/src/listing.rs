//! Listings in pages: keyset pagination, so that nothing is skipped or shown twice while rows come in.

use sqlx::{QueryBuilder, Sqlite};
use wane_store::{Cursor, Page, Slice, StoreError};

/// The bound on a page, whatever was asked for.
const MOST_PER_PAGE: u32 = 1_000;

/// A value to compare with.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    /// Text.
    Text(String),
    /// A number or a time.
    Number(i64),
}

impl Cell {
    /// The text of an id or a name.
    pub(crate) fn of(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }
}

/// Which way the key runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// Largest key first.
    NewestFirst,
    /// Smallest key first.
    OldestFirst,
}

/// A column, and the index it is read by if there is a choice.
pub(crate) type Either = (&'static str, Option<&'static str>);

/// A listing over one table.
///
/// INVARIANT: what is read is what was asked for, and what belongs to the most telling thing that was said, not whatever is in the
/// same phase: SQLite has no figures about the rows and would take either (held by `each_listing_reads_by_the_most_telling_index`).
#[derive(Debug)]
pub(crate) struct Listing {
    /// What to read of each row.
    columns: &'static str,
    table: &'static str,
    key: &'static str,
    order: Order,
    /// Conditions without a value of their own.
    so: Vec<&'static str>,
    /// `column op` and what it is compared with.
    all: Vec<(&'static str, Cell)>,
    /// Columns and the values each may have; the first of them leads to the rows.
    among: Vec<(&'static str, Vec<Cell>)>,
    /// Two columns of which one must have this value, each with the index it is read by if there is a choice.
    either: Option<([Either; 2], Cell)>,
    /// The index it is read by, if there is a choice.
    through: Option<&'static str>,
    after: Option<Cell>,
    limit: u32,
}

impl Listing {
    /// Everything in a table.
    pub(crate) fn new(
        columns: &'static str,
        table: &'static str,
        key: &'static str,
        order: Order,
        slice: &Slice,
    ) -> Self {
        let limit = slice.limit.clamp(1, MOST_PER_PAGE);
        let after = slice.after.as_ref().map(|c| Cell::Text(c.0.clone()));
        let (so, all, among) = (Vec::new(), Vec::new(), Vec::new());
        Self { columns, table, key, order, so, all, among, either: None, through: None, after, limit }
    }

    /// Begins after a number instead of a text.
    pub(crate) fn after_number(mut self) -> Result<Self, StoreError> {
        if let Some(Cell::Text(text)) = &self.after {
            let n = text.parse().map_err(|_| StoreError::Refused(format!("`{text}` is no place in this listing")))?;
            self.after = Some(Cell::Number(n));
        }
        Ok(self)
    }

    /// Only rows for which `column op value` holds; `comparison` is `column op`.
    pub(crate) fn and(mut self, comparison: &'static str, value: Option<Cell>) -> Self {
        self.all.extend(value.map(|v| (comparison, v)));
        self
    }

    /// Only rows of which this is so.
    pub(crate) fn so(mut self, condition: Option<&'static str>) -> Self {
        self.so.extend(condition);
        self
    }

    /// Only rows whose column has one of these values; none means all. What is said first, of this and of [`Listing::of`],
    /// leads to the rows; what is said after it is looked at in each of them.
    pub(crate) fn among(mut self, column: &'static str, values: Vec<Cell>) -> Self {
        self.among.extend((!values.is_empty()).then_some((column, values)));
        self
    }

    /// Only rows whose column has this value.
    pub(crate) fn of(self, column: &'static str, value: Option<impl ToString>) -> Self {
        self.among(column, value.map(Cell::of).into_iter().collect())
    }

    /// Reads by this index and no other.
    pub(crate) fn through(mut self, index: Option<&'static str>) -> Self {
        self.through = index;
        self
    }

    /// Only rows where one of two columns has this value.
    pub(crate) fn either(mut self, columns: [Either; 2], value: Option<Cell>) -> Self {
        self.either = value.map(|v| (columns, v));
        self
    }

    /// The query. Each branch is one indexed range scan that stops early, and asks for one row more than the
    /// page holds, which says whether there is a next page.
    pub(crate) fn query(&self) -> QueryBuilder<Sqlite> {
        let Self { columns, table, key, .. } = self;
        let mut q = QueryBuilder::new(format!("SELECT {columns} FROM {table} WHERE {key} IN ("));
        match &self.either {
            None => self.branch(&mut q, None),
            Some(([one, other], value)) => {
                self.branch(&mut q, Some((*one, value)));
                q.push(" UNION ");
                self.branch(&mut q, Some((*other, value)));
            }
        }
        q.push(")");
        self.ordered(&mut q);
        q
    }

    /// The number it goes on after, if it is told one.
    pub(crate) fn after_this(&self) -> Option<i64> {
        match &self.after {
            Some(Cell::Number(after)) => Some(*after),
            Some(Cell::Text(_)) | None => None,
        }
    }

    /// How many rows it asks for: one more than the page holds.
    pub(crate) fn asks_for(&self) -> u64 {
        u64::from(self.limit) + 1
    }

    fn branch(&self, q: &mut QueryBuilder<Sqlite>, only: Option<(Either, &Cell)>) {
        let Self { table, key, .. } = self;
        q.push(format!("SELECT {key} FROM (SELECT {key} FROM {table}"));
        if let Some(index) = only.and_then(|((_, index), _)| index).or(self.through) {
            q.push(format!(" INDEXED BY {index}"));
        }
        q.push(" WHERE TRUE");
        if let Some(((column, _), value)) = only {
            compare(q, &format!("{column} ="), value);
        }
        for condition in &self.so {
            q.push(format!(" AND {condition}"));
        }
        for (comparison, value) in &self.all {
            compare(q, comparison, value);
        }
        for (place, (column, values)) in self.among.iter().enumerate() {
            // With the sign it is no column that an index is about.
            let looked_at = if only.is_none() && place == 0 { "" } else { "+" };
            q.push(format!(" AND {looked_at}{column} IN ("));
            for (n, value) in values.iter().enumerate() {
                if n > 0 {
                    q.push(", ");
                }
                bind(q, value);
            }
            q.push(")");
        }
        if let Some(after) = &self.after {
            let op = match self.order {
                Order::NewestFirst => "<",
                Order::OldestFirst => ">",
            };
            compare(q, &format!("{key} {op}"), after);
        }
        self.ordered(q);
        q.push(")");
    }

    fn ordered(&self, q: &mut QueryBuilder<Sqlite>) {
        let way = match self.order {
            Order::NewestFirst => "DESC",
            Order::OldestFirst => "ASC",
        };
        q.push(format!(" ORDER BY {} {way} LIMIT {}", self.key, self.asks_for()));
    }

    /// The page out of the rows that came back; `key` reads the cursor out of a row.
    pub(crate) fn page<R, T>(
        &self,
        mut rows: Vec<R>,
        key: impl Fn(&R) -> String,
        read: impl Fn(&R) -> Result<T, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(|r| Cursor(key(r))) } else { None };
        Ok(Page { items: rows.iter().map(read).collect::<Result<_, _>>()?, next })
    }
}

fn compare(q: &mut QueryBuilder<Sqlite>, comparison: &str, value: &Cell) {
    q.push(format!(" AND {comparison} "));
    bind(q, value);
}

fn bind(q: &mut QueryBuilder<Sqlite>, value: &Cell) {
    match value {
        Cell::Text(text) => q.push_bind(text.clone()),
        Cell::Number(n) => q.push_bind(*n),
    };
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnection;
    use sqlx::{AssertSqlSafe, Connection as _, Row as _};
    use wane_domain::id::TypedId;
    use wane_domain::time::Time;
    use wane_store::{GrantFilter, GrantPhase, LeaseFilter, LeasePhase, RequestFilter};

    use super::*;
    use crate::{grants, leases, requests, schema};

    fn id<T: TypedId>() -> T {
        T::mint(Time::from_micros(0), &[7; 10])
    }

    /// However many rows there are that were not asked for, few are looked at.
    #[tokio::test]
    async fn each_listing_reads_by_the_most_telling_index() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        schema::migrate(&mut conn).await.unwrap();
        let (grant, lease, request) = (GrantFilter::default(), LeaseFilter::default(), RequestFilter::default());
        let (active, closed) = (vec![GrantPhase::Active], vec![GrantPhase::Active, GrantPhase::Closed]);
        let lives = GrantFilter { phases: active, ..grant.clone() };
        let covering = GrantFilter { due_from: Some(Time::from_micros(7)), ..lives.clone() };
        let person = Some(id());
        let grants = [
            (GrantFilter { holder: person, ..lives.clone() }, "grants_live_of_holder (holder=?"),
            (
                GrantFilter { holder: person, resource: Some(id()), role: Some(id()), ..covering },
                "grants_live_of_holder (holder=? AND due_at>?",
            ),
            (GrantFilter { holder: person, phases: closed, ..grant.clone() }, "grants_of_holder (holder=?"),
            (GrantFilter { holder: person, resource: Some(id()), ..grant.clone() }, "grants_of_holder (holder=?"),
            (GrantFilter { resource: Some(id()), ..lives.clone() }, "grants_of_resource (resource=?"),
            (GrantFilter { role: Some(id()), ..lives.clone() }, "grants_of_role (role=?"),
            (GrantFilter { request: Some(id()), holder: person, ..lives.clone() }, "grants_of_request (request=?"),
            (GrantFilter { ids: vec![id()], holder: person, ..lives.clone() }, "sqlite_autoindex_grants_1 (id=?"),
            (lives, "grants_in_phase (phase=?"),
        ];
        let (open, gone) = (vec![LeasePhase::Live, LeasePhase::Revoking], vec![LeasePhase::Gone]);
        let opens = LeaseFilter { phases: open, ..lease.clone() };
        let leases = [
            (LeaseFilter { grant: Some(id()), ..opens.clone() }, "leases_of_grant (grant_id=?"),
            (LeaseFilter { grants: vec![id(), id()], ..opens.clone() }, "leases_of_grant (grant_id=?"),
            (LeaseFilter { ids: vec![id(), id()], ..opens.clone() }, "sqlite_autoindex_leases_1 (id=?"),
            (LeaseFilter { resource: Some(id()), ..opens.clone() }, "leases_in_phase (phase=?"),
            (LeaseFilter { resource: Some(id()), phases: gone, ..lease.clone() }, "leases_of_resource (resource=?"),
            (LeaseFilter { resource: Some(id()), ..lease }, "leases_of_resource (resource=?"),
            (opens, "leases_in_phase (phase=?"),
        ];
        let requests = [
            (RequestFilter { person, waiting: Some(true) }, "requests_waiting_of_requester (requester=?"),
            (RequestFilter { person, waiting: Some(true) }, "requests_waiting_of_beneficiary (beneficiary=?"),
            (RequestFilter { person, waiting: Some(false) }, "requests_of_requester (requester=?"),
            (RequestFilter { person, waiting: None }, "requests_of_beneficiary (beneficiary=?"),
            (RequestFilter { waiting: Some(true), ..request }, "requests_waiting (waiting=?"),
        ];
        let after = Slice { after: Some(Cursor("grt_7".to_owned())), limit: 10 };
        for slice in [Slice::first(10), after] {
            let grants = grants.iter().map(|(filter, index)| (grants::listing(filter, &slice), index));
            let leases = leases.iter().map(|(filter, index)| (leases::listing(filter, &slice), index));
            let requests = requests.iter().map(|(filter, index)| (requests::listing(filter, &slice), index));
            for (listing, index) in grants.chain(leases).chain(requests) {
                let sql = format!("EXPLAIN QUERY PLAN {}", listing.query().sql().as_str());
                let plan = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut conn).await.unwrap();
                let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
                assert!(plan.iter().any(|step| step.contains(index)), "{index}: {plan:#?}");
                let scans = plan.iter().any(|step| step.starts_with("SCAN") && !step.contains("subquery"));
                assert!(!scans, "{index}: {plan:#?}");
            }
        }
    }
}
