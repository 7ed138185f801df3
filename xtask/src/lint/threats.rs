//! The table of threats says what is true of the tree: every row is there, every test it names
//! exists, every guard is in the registry and still stands where the registry says.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use super::tree::Tree;
use crate::mutants::guard::{self, Guard, REGISTRY};

const RULE: &str = "threats";
const TABLE: &str = "docs/threats.md";
const TIERS: &[&str] = &["type", "test", "soak", "bench"];
/// A stance that begins so needs no test, because there is nothing yet that one could run against.
const NOT_YET: &str = "Not applicable yet:";

/// Every row that the table has to have. Rows are added, never struck off.
const ROWS: &[(&str, &[u32])] = &[
    (
        "BUG",
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
            31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 44, 45, 47, 48, 49, 50, 51, 52, 53, 54, 56, 59, 61, 62, 63, 64, 65,
            66, 67, 68, 69, 70, 74, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 90, 91, 92, 93, 94, 96, 97,
        ],
    ),
    ("INV", &[1, 2, 3, 4, 5, 6, 8, 9, 11, 13, 14, 15, 16, 18, 19, 20, 22]),
    ("LIV", &[1, 2, 3, 4, 9]),
    ("FLT", &[9, 10]),
];

/// One line of the table, as it stands.
#[derive(Debug)]
struct Row<'t> {
    line: usize,
    id: &'t str,
    stance: &'t str,
    tests: Vec<&'t str>,
    tiers: Vec<&'t str>,
    guards: Vec<&'t str>,
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let text = |path: &str| tree.all().find(|file| file.path == path).map(|file| file.text.as_str());
    let (Some(table), Some(registry)) = (text(TABLE), text(REGISTRY)) else {
        return vec![Finding::new(RULE, TABLE, format!("this and {REGISTRY} have to be there"))];
    };
    let guards = match guard::parse(registry) {
        Ok(guards) => guards,
        Err(error) => return vec![Finding::new(RULE, REGISTRY, format!("{error:#}"))],
    };
    let rows = rows(table);
    let tests = Tests::of(tree);
    let mut findings = missing(&rows);
    let known: BTreeSet<&str> = guards.iter().map(|guard| guard.id.as_str()).collect();
    for row in &rows {
        findings.extend(faults(row, &tests, &known).into_iter().map(|what| Finding::at(RULE, TABLE, row.line, what)));
    }
    let cited: BTreeSet<&str> = rows.iter().flat_map(|row| row.guards.iter().copied()).collect();
    let mut seen = BTreeSet::new();
    for guard in &guards {
        let mut fault = |what: String| findings.push(Finding::new(RULE, format!("{REGISTRY} {}", guard.id), what));
        if !seen.insert(&guard.id) {
            fault("this id is given twice".to_owned());
        }
        if !cited.contains(guard.id.as_str()) || !rows.iter().any(|row| row.id == guard.row()) {
            fault(format!("no row of {TABLE} names it; a guard belongs to the row its id begins with"));
        }
        if text(&guard.file).and_then(|text| guard.taken_from(text)).is_none() {
            fault(format!("its text no longer stands exactly once in `{}`; find the guard again", guard.file));
        }
        for name in chosen(guard).filter(|name| !tests.has_function(name)) {
            fault(format!("there is no test `{name}`"));
        }
    }
    findings
}

fn missing(rows: &[Row<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (prefix, numbers) in ROWS {
        for number in *numbers {
            let id = format!("{prefix}-{number:02}");
            match rows.iter().filter(|row| row.id == id).count() {
                1 => {}
                0 => findings.push(Finding::new(RULE, TABLE, format!("there is no row `{id}`"))),
                _ => findings.push(Finding::new(RULE, TABLE, format!("there are two rows `{id}`"))),
            }
        }
    }
    findings
}

fn faults(row: &Row<'_>, tests: &Tests<'_>, guards: &BTreeSet<&str>) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(reason) = row.stance.strip_prefix(NOT_YET) {
        if reason.trim().is_empty() {
            faults.push(format!("say why `{}` is not applicable yet", row.id));
        }
        return faults;
    }
    if row.tests.is_empty() || row.tiers.is_empty() || row.guards.is_empty() {
        faults.push(format!("`{}` needs a test, its tier and a guard, or a stance `{NOT_YET} …`", row.id));
    }
    faults.extend(row.tests.iter().filter(|name| !tests.has(name)).map(|name| format!("there is no test `{name}`")));
    let strange = row.tiers.iter().filter(|tier| !TIERS.contains(tier));
    faults.extend(strange.map(|tier| format!("`{tier}` is no tier; these are: {}", TIERS.join(", "))));
    let unknown = row.guards.iter().filter(|id| !guards.contains(*id));
    faults.extend(unknown.map(|id| format!("there is no guard `{id}` in {REGISTRY}")));
    faults
}

/// The lines that begin with the id of a row: id, class, stance, tests, tiers, guards.
fn rows(table: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for (number, line) in table.lines().enumerate() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [id, _class, stance, tests, tiers, guards] = cells[..] else { continue };
        if !ROWS.iter().any(|(prefix, _)| id.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('-'))) {
            continue;
        }
        let words = |cell| str::split(cell, [',', ' ']).filter(|word: &&str| !word.is_empty()).collect();
        let tests = tests.split('`').skip(1).step_by(2).collect();
        rows.push(Row { line: number + 1, id, stance, tests, tiers: words(tiers), guards: words(guards) });
    }
    rows
}

/// The names in a guard's filter: `test(=a::b)`.
fn chosen(guard: &Guard) -> impl Iterator<Item = &str> {
    guard.test.split("test(=").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The functions of the tree by crate, with the files they stand in.
struct Tests<'t> {
    /// The folder of each crate.
    crates: BTreeMap<&'t str, &'t str>,
    files: Vec<(&'t str, &'t str)>,
}

impl<'t> Tests<'t> {
    fn of(tree: &'t Tree) -> Self {
        let mut crates = BTreeMap::new();
        for file in tree.all() {
            let Some(folder) = file.path.strip_suffix("Cargo.toml") else { continue };
            let name = file.text.lines().find_map(|line| line.strip_prefix("name = \""));
            if let Some(name) = name.and_then(|rest| rest.split('"').next()) {
                crates.insert(name, folder);
            }
        }
        Self { crates, files: tree.rust().map(|file| (file.path.as_str(), file.text.as_str())).collect() }
    }

    /// Whether `crate::module::name` is a function in a file of that crate and module.
    fn has(&self, test: &str) -> bool {
        let Some((name, path)) = test.split_once("::") else { return false };
        self.crates.get(name).is_some_and(|folder| self.has_in(folder, path))
    }

    /// Whether some crate has `module::name`.
    fn has_function(&self, path: &str) -> bool {
        self.has_in("", path)
    }

    fn has_in(&self, folder: &str, path: &str) -> bool {
        let mut parts: Vec<&str> = path.split("::").filter(|part| *part != "tests").collect();
        let Some(name) = parts.pop() else { return false };
        let head = format!("fn {name}(");
        self.files.iter().filter(|(file, _)| file.starts_with(folder)).any(|(file, text)| {
            let places: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
            text.contains(&head) && parts.iter().all(|part| places.contains(part))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::{REGISTRY, ROWS, TABLE, check};

    const GUARD: &str = "[[guard]]\nid = 'BUG-01.1'\nwhat = 'w'\nfile = 'crates/app/src/a.rs'\nfind = 'if own'\n\
        replace = 'if false'\ntest = \"-p wane-app -E 'test(=deciding::nobody)'\"\n";
    const ROW: &str = "| BUG-01 | c | Refused. | `wane-app::deciding::nobody` | test | BUG-01.1 |";

    /// A whole table with this row in place of the first.
    fn found(row: &str, registry: &str, source: &str) -> Vec<String> {
        let mut table = format!("# Threats\n\n| row | class | stance | test | tier | guard |\n{row}\n");
        for (prefix, numbers) in ROWS {
            for number in numbers.iter().filter(|number| **number != 1 || *prefix != "BUG") {
                let id = format!("{prefix}-{number:02}");
                table.push_str(&format!("| {id} | c | Not applicable yet: no gateway. | | | |\n"));
            }
        }
        let tree = Tree::of(&[
            (TABLE, &table),
            (REGISTRY, registry),
            ("crates/app/Cargo.toml", "[package]\nname = \"wane-app\"\n"),
            ("crates/app/src/a.rs", source),
            ("crates/app/tests/it/deciding.rs", "async fn nobody() {}"),
        ]);
        check(&tree).into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn a_table_that_says_what_is_true_passes() {
        assert_eq!(found(ROW, GUARD, "if own {}"), Vec::<String>::new());
    }

    #[test]
    fn whatever_is_not_true_is_found() {
        for (row, registry, source, word) in [
            ("", GUARD, "if own {}", "there is no row `BUG-01`"),
            (&*format!("{ROW}\n{ROW}"), GUARD, "if own {}", "two rows `BUG-01`"),
            (&ROW.replace("nobody", "somebody"), GUARD, "if own {}", "no test `wane-app::deciding::somebody`"),
            (&ROW.replace("deciding", "asking"), GUARD, "if own {}", "no test `wane-app::asking::nobody`"),
            (&ROW.replace("wane-app", "wane-store"), GUARD, "if own {}", "no test `wane-store::deciding::nobody`"),
            (&ROW.replace("| test |", "| sometimes |"), GUARD, "if own {}", "`sometimes` is no tier"),
            (&ROW.replace("BUG-01.1", "BUG-01.2"), GUARD, "if own {}", "no guard `BUG-01.2`"),
            (&ROW.replace("BUG-01.1", ""), GUARD, "if own {}", "needs a test, its tier and a guard"),
            ("| BUG-01 | c | Not applicable yet: | | | |", GUARD, "if own {}", "say why `BUG-01`"),
            (ROW, GUARD, "if other {}", "no longer stands exactly once"),
            (ROW, GUARD, "if own {} if own {}", "no longer stands exactly once"),
            (ROW, &GUARD.replace("=deciding::nobody", "=deciding::gone"), "if own {}", "no test `deciding::gone`"),
            (ROW, &GUARD.repeat(2), "if own {}", "this id is given twice"),
            (ROW, "[[guard]]\nid = 1", "if own {}", "not a registry of guards"),
        ] {
            let found = found(row, registry, source);
            assert!(found.iter().any(|finding| finding.contains(word)), "{word}: {found:?}");
        }
    }
}
