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

/// A listing over one table.
#[derive(Debug)]
pub(crate) struct Listing {
    /// What to read of each row.
    columns: &'static str,
    table: &'static str,
    key: &'static str,
    order: Order,
    /// `column op` and what it is compared with.
    all: Vec<(&'static str, Cell)>,
    /// Columns and the values each may have.
    among: Vec<(&'static str, Vec<Cell>)>,
    /// Two columns of which one must have this value.
    either: Option<([&'static str; 2], Cell)>,
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
        Self { columns, table, key, order, all: Vec::new(), among: Vec::new(), either: None, after, limit }
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

    /// Only rows whose column has one of these values; none means all.
    pub(crate) fn among(mut self, column: &'static str, values: Vec<Cell>) -> Self {
        self.among.extend((!values.is_empty()).then_some((column, values)));
        self
    }

    /// Only rows where one of two columns has this value.
    pub(crate) fn either(mut self, columns: [&'static str; 2], value: Option<Cell>) -> Self {
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
                self.branch(&mut q, Some((one, value)));
                q.push(" UNION ");
                self.branch(&mut q, Some((other, value)));
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

    fn branch(&self, q: &mut QueryBuilder<Sqlite>, only: Option<(&'static str, &Cell)>) {
        let Self { table, key, .. } = self;
        q.push(format!("SELECT {key} FROM (SELECT {key} FROM {table} WHERE TRUE"));
        if let Some((column, value)) = only {
            compare(q, &format!("{column} ="), value);
        }
        for (comparison, value) in &self.all {
            compare(q, comparison, value);
        }
        for (column, values) in &self.among {
            q.push(format!(" AND {column} IN ("));
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
