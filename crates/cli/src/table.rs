//! Tables and field lists that people like to read, as wide as the terminal and no wider.

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Row, Table, presets};

use crate::escape;

/// How a cell is coloured, where colours are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Warn,
    Bad,
    Dim,
}

/// A cell. Its text is escaped when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    text: String,
    tone: Tone,
}

impl Text {
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self { text: escape::line(text.as_ref()), tone: Tone::Plain }
    }

    pub(crate) fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    fn cell(&self) -> Cell {
        let cell = Cell::new(&self.text);
        match self.tone {
            Tone::Plain => cell,
            Tone::Good => cell.fg(Color::Green),
            Tone::Warn => cell.fg(Color::Yellow),
            Tone::Bad => cell.fg(Color::Red),
            Tone::Dim => cell.add_attribute(Attribute::Dim),
        }
    }
}

impl<T: AsRef<str>> From<T> for Text {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// How things are to be laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// None for as wide as it takes.
    pub(crate) width: Option<u16>,
    pub(crate) colour: bool,
}

/// Added to a turn: the column may wrap, down to [`NARROWEST`], before another has to go.
pub(crate) const WRAPS: u8 = 0x80;
/// No column that wraps is made narrower for another's sake.
const NARROWEST: u16 = 16;
/// Between columns; after the last it is cut off.
const GAP: u16 = 2;

/// A table. Each column has a title and a turn: where it does not fit, the highest turn goes first;
/// turn 0 stays always.
#[derive(Debug)]
pub(crate) struct Sheet {
    columns: Vec<(&'static str, u8)>,
    rows: Vec<Vec<Text>>,
}

impl Sheet {
    pub(crate) fn new(columns: &[(&'static str, u8)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [Text; N]) {
        self.rows.push(cells.to_vec());
    }

    /// The table as text; `empty` if it has no row.
    pub(crate) fn render(&self, layout: Layout, empty: &str) -> String {
        if self.rows.is_empty() {
            return format!("{empty}\n");
        }
        let mut shown: Vec<usize> = (0..self.columns.len())
            .filter(|&i| self.rows.iter().any(|row| row.get(i).is_some_and(|c| !c.text.is_empty())))
            .collect();
        loop {
            let mut table = self.table(&shown, layout);
            let widths = table.column_max_content_widths();
            let least = shown.iter().zip(&widths).map(|(i, w)| if self.wraps(*i) { NARROWEST.min(*w) } else { *w });
            let wide: u16 = least.map(|w| w.saturating_add(GAP)).fold(0, u16::saturating_add);
            let fits = layout.width.is_none_or(|width| wide <= width.saturating_add(GAP));
            let last = shown.iter().map(|i| self.turn(*i)).max().unwrap_or(0);
            if fits && layout.width.is_some() {
                for (i, column) in shown.iter().zip(table.column_iter_mut()) {
                    if !self.wraps(*i) {
                        column.set_constraint(ColumnConstraint::ContentWidth);
                    }
                }
            }
            if fits || last == 0 {
                return finish(&table.to_string());
            }
            if let Some(gone) = shown.iter().rposition(|i| self.turn(*i) == last) {
                shown.remove(gone);
            }
        }
    }

    fn turn(&self, column: usize) -> u8 {
        self.columns.get(column).map_or(0, |c| c.1 & !WRAPS)
    }

    fn wraps(&self, column: usize) -> bool {
        self.columns.get(column).is_some_and(|c| c.1 & WRAPS != 0)
    }

    fn table(&self, shown: &[usize], layout: Layout) -> Table {
        let mut table = bare(layout);
        table.set_header(
            shown
                .iter()
                .filter_map(|i| self.columns.get(*i))
                .map(|(title, _)| Cell::new(title).add_attribute(Attribute::Bold)),
        );
        for row in &self.rows {
            table.add_row(Row::from(shown.iter().filter_map(|i| row.get(*i)).map(Text::cell).collect::<Vec<_>>()));
        }
        tighten(&mut table);
        table
    }
}

/// A list of labelled values; a label left empty carries on the one above.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(&'static str, Text)>);

impl Fields {
    pub(crate) fn put(&mut self, label: &'static str, value: impl Into<Text>) -> &mut Self {
        self.0.push((label, value.into()));
        self
    }

    pub(crate) fn maybe(&mut self, label: &'static str, value: Option<impl Into<Text>>) -> &mut Self {
        if let Some(value) = value {
            self.put(label, value);
        }
        self
    }

    /// One line each; nothing if there is none.
    pub(crate) fn each(&mut self, label: &'static str, values: impl IntoIterator<Item = impl Into<Text>>) -> &mut Self {
        for (i, value) in values.into_iter().enumerate() {
            self.put(if i == 0 { label } else { "" }, value);
        }
        self
    }

    pub(crate) fn render(&self, layout: Layout) -> String {
        let mut table = bare(layout);
        for (label, value) in &self.0 {
            table.add_row(Row::from(vec![Cell::new(label).add_attribute(Attribute::Dim), value.cell()]));
        }
        tighten(&mut table);
        finish(&table.to_string())
    }
}

fn bare(layout: Layout) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.force_no_tty();
    if layout.colour {
        table.enforce_styling();
    }
    match layout.width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width.max(20).saturating_add(GAP))
        }
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table
}

/// Two spaces between columns, none before the first.
fn tighten(table: &mut Table) {
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
}

/// No spaces at the ends of lines.
fn finish(text: &str) -> String {
    let mut done = String::with_capacity(text.len());
    for line in text.lines() {
        done.push_str(line.trim_end());
        done.push('\n');
    }
    done
}
