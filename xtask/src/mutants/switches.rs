//! All mutants of a file in one text, each behind a switch: what is built once is then broken by
//! naming one of them, and a crate's mutants take minutes instead of a build each.

use std::collections::BTreeSet;
use std::ops::Range;

use anyhow::{Context, Result};

use super::listed::{Genre, Mutant};
use super::sites::{Site, Sites};

/// Names the mutant that is on; without it nothing is broken.
pub(super) const CHOSEN: &str = "WANE_MUTANT";
/// Names a file that is told which mutants a process comes by.
pub(super) const MET: &str = "WANE_MUTANTS_MET";

/// The module at the end of a broken crate.
pub(super) fn module(mutants: usize) -> String {
    format!(
        r#"
pub(crate) mod mutant_switch {{
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{{AtomicBool, Ordering}};

    static CHOSEN: OnceLock<Option<usize>> = OnceLock::new();
    static MET: [AtomicBool; {mutants}] = [const {{ AtomicBool::new(false) }}; {mutants}];

    pub(crate) fn on(id: usize) -> bool {{
        let chosen = *CHOSEN.get_or_init(|| std::env::var("{CHOSEN}").ok().and_then(|id| id.parse().ok()));
        if chosen.is_none() && !MET[id].swap(true, Ordering::Relaxed)
            && let Some(path) = std::env::var_os("{MET}")
            && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path)
        {{
            let _ = file.write_all(format!("{{id}}\n").as_bytes());
        }}
        chosen == Some(id)
    }}
}}
"#
    )
}

/// Why a mutant has no switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Without {
    /// It does not build.
    Unviable,
    /// It lies in what the compiler works out, where nothing can be asked.
    Constant,
}

/// A file with its mutants, and where they are in its text.
#[derive(Debug)]
pub(super) struct Switched {
    pub(super) text: String,
    /// What is there only for one mutant.
    own: Vec<(Range<usize>, usize)>,
    /// What stands around the expressions that are broken.
    around: Vec<(Range<usize>, Vec<usize>)>,
}

impl Switched {
    /// The mutants that a complaint of the compiler about these bytes is about: the one that is
    /// alone there, else all of the innermost expression.
    pub(super) fn blamed(&self, primary: &[Range<usize>], others: &[Range<usize>]) -> BTreeSet<usize> {
        let within = |span: &Range<usize>, range: &Range<usize>| range.start <= span.start && span.end <= range.end;
        for spans in [primary, others] {
            let own: BTreeSet<usize> = self
                .own
                .iter()
                .filter(|(range, _)| spans.iter().any(|span| within(span, range)))
                .map(|(_, id)| *id)
                .collect();
            if !own.is_empty() {
                return own;
            }
        }
        primary
            .iter()
            .filter_map(|span| {
                self.around.iter().filter(|(range, _)| within(span, range)).min_by_key(|(range, _)| range.len())
            })
            .flat_map(|(_, ids)| ids.iter().copied())
            .collect()
    }
}

/// What is put into a text at one place.
struct Insertion {
    at: usize,
    /// Ends come before beginnings; ends of the inner, beginnings of the outer first. Of two around the
    /// same, the earlier is the outer.
    order: (bool, isize, isize),
    around: usize,
    parts: Vec<(Option<usize>, String)>,
}

/// Puts each mutant behind a switch, but those that are said to go without.
pub(super) fn switched(
    text: &str,
    mutants: &[(usize, &Mutant)],
    consts_kept: &BTreeSet<String>,
) -> Result<(Switched, Vec<(usize, Without)>)> {
    let sites = Sites::of(text)?;
    let mut without = Vec::new();
    let mut broken: Vec<Broken> = Vec::new();
    let mut freed = BTreeSet::new();
    for (id, mutant) in mutants {
        let at = sites.byte(mutant.span.start).context("a mutant lies outside its file")?;
        let end = sites.byte(mutant.span.end).context("a mutant lies outside its file")?;
        if sites.is_constant(at) {
            without.push((*id, Without::Constant));
            continue;
        }
        if let Some(function) = sites.const_fns.iter().find(|function| function.whole.contains(&at)) {
            if consts_kept.contains(&function.name) {
                without.push((*id, Without::Constant));
                continue;
            }
            freed.insert((function.word.start, function.word.end));
        }
        let Some((range, shape, instead)) = way(text, mutant, at..end, &sites) else {
            without.push((*id, Without::Unviable));
            continue;
        };
        match broken.iter_mut().find(|(known, form, _)| *known == range && *form == shape) {
            Some((_, _, ways)) => ways.push((*id, instead)),
            None => broken.push((range, shape, vec![(*id, instead)])),
        }
    }
    Ok((render(text, &broken, &freed), without))
}

/// An expression, how its switches are written, and the mutants with what stands there instead.
type Broken = (Range<usize>, Shape, Vec<(usize, String)>);

/// How a switch is written around an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// The body of a function: an answer before it.
    Body,
    /// An expression in brackets.
    Bracketed,
    /// The value of a field, with the field's name if it is written short.
    Value(Option<String>),
    /// The end of a pattern without a condition.
    Pattern,
    /// The condition of an arm that is left out.
    Condition,
}

/// What is broken, how it is written, and what stands there instead.
fn way(text: &str, mutant: &Mutant, span: Range<usize>, sites: &Sites<'_>) -> Option<(Range<usize>, Shape, String)> {
    let new = &mutant.replacement;
    if mutant.genre == Genre::FnValue {
        return Some((span, Shape::Body, new.clone()));
    }
    match sites.at(mutant.genre, span.start)? {
        Site::Binary { left, right } => {
            let instead = format!("{} {new} {}", text.get(left.clone())?, text.get(right.clone())?);
            Some((left.start..right.end, Shape::Bracketed, instead))
        }
        Site::Unary { of } => Some((span.start..of.end, Shape::Bracketed, text.get(of.clone())?.to_owned())),
        Site::Guard { condition } => Some((condition.clone(), Shape::Bracketed, new.clone())),
        Site::Arm { pattern_end, condition: None } => Some((*pattern_end..*pattern_end, Shape::Pattern, String::new())),
        Site::Arm { condition: Some(condition), .. } => Some((condition.clone(), Shape::Condition, String::new())),
        Site::Field { name, value, is_short, rest } => Some((
            value.clone(),
            Shape::Value(is_short.then(|| name.clone())),
            format!("({}).{name}", text.get(rest.clone())?),
        )),
    }
}

fn render(text: &str, broken: &[Broken], freed: &BTreeSet<(usize, usize)>) -> Switched {
    let mut insertions = Vec::new();
    for (around, (range, shape, ways)) in broken.iter().enumerate() {
        let (before, after) = written(shape, ways);
        let length = isize::try_from(range.len()).unwrap_or(isize::MAX);
        let turn = isize::try_from(around).unwrap_or(isize::MAX);
        let insertion = |at, order, parts| Insertion { at, order, around, parts };
        insertions.push(insertion(range.start, (true, length.saturating_neg(), turn), before));
        // What stands around nothing ends where it begins, and after it.
        let ending = (range.is_empty(), length, turn.saturating_neg());
        insertions.push(insertion(range.end, ending, vec![(None, after.to_owned())]));
    }
    insertions.sort_by_key(|insertion| (insertion.at, insertion.order));
    let mut switched = Switched { text: String::new(), own: Vec::new(), around: Vec::new() };
    let mut begun: Vec<Option<usize>> = vec![None; broken.len()];
    let mut done = 0;
    for insertion in insertions {
        switched.text.push_str(&without_const(text, done..insertion.at, freed));
        done = insertion.at;
        let start = switched.text.len();
        for (id, part) in insertion.parts {
            let start = switched.text.len();
            switched.text.push_str(&part);
            switched.own.extend(id.map(|id| (start..switched.text.len(), id)));
        }
        let Some(begun) = begun.get_mut(insertion.around) else { continue };
        match *begun {
            None => *begun = Some(start),
            Some(start) => {
                let ids = broken.get(insertion.around).map(|(_, _, ways)| ways.iter().map(|(id, _)| *id).collect());
                switched.around.push((start..switched.text.len(), ids.unwrap_or_default()));
            }
        }
    }
    switched.text.push_str(&without_const(text, done..text.len(), freed));
    switched
}

/// A function that asks for a switch cannot be `const`; what stands there is as long as the word.
fn without_const(text: &str, range: Range<usize>, freed: &BTreeSet<(usize, usize)>) -> String {
    let mut out = text.get(range.clone()).unwrap_or_default().to_owned();
    for (start, end) in freed.iter().filter(|(start, end)| range.start <= *start && *end <= range.end) {
        let within = start.saturating_sub(range.start)..end.saturating_sub(range.start);
        let blank = " ".repeat(within.len());
        out.replace_range(within, &blank);
    }
    out
}

type Parts = Vec<(Option<usize>, String)>;

/// What stands before and behind, one part for each mutant.
fn written(shape: &Shape, ways: &[(usize, String)]) -> (Parts, &'static str) {
    let on = |id: usize| format!("crate::mutant_switch::on({id})");
    let own = |text: &dyn Fn(usize, &str) -> String| -> Parts {
        ways.iter().map(|(id, instead)| (Some(*id), text(*id, instead))).collect()
    };
    let choice = |id: usize, instead: &str| format!("if {} {{ {instead} }} else ", on(id));
    let open = |text: &str| vec![(None, text.to_owned())];
    match shape {
        Shape::Body => (own(&|id, instead| format!("if {} {{ return {instead}; }} ", on(id))), ""),
        Shape::Bracketed => ([open("("), own(&choice), open("{ ")].concat(), " })"),
        Shape::Value(name) => {
            let name = name.as_ref().map_or(String::new(), |name| format!("{name}: "));
            ([open(&name), own(&choice), open("{ ")].concat(), " }")
        }
        Shape::Pattern => (own(&|id, _| format!(" if !{}", on(id))), ""),
        Shape::Condition => ([own(&|id, _| format!("!{} && ", on(id))), open("(")].concat(), ")"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::listed::{Genre, Mutant, Place, Span};
    use super::{Switched, Without, switched};

    fn mutant(text: &str, genre: Genre, part: &str, replacement: &str) -> Mutant {
        let place = |byte: usize| Place { line: 1, column: text[..byte].chars().count() + 1 };
        let start = text.find(part).unwrap();
        let span = Span { start: place(start), end: place(start + part.len()) };
        Mutant { file: String::new(), name: String::new(), genre, replacement: replacement.to_owned(), span }
    }

    fn written(text: &str, mutants: &[Mutant]) -> (Switched, Vec<(usize, Without)>) {
        let numbered: Vec<(usize, &Mutant)> = mutants.iter().enumerate().collect();
        switched(text, &numbered, &BTreeSet::new()).unwrap()
    }

    #[test]
    fn every_mutant_is_behind_its_own_switch_and_the_text_is_left_as_it_was() {
        let text = "fn f() -> bool { match a { A if !b => S { c, ..r() }.x, B => d == e && g, _ => true } }";
        let body = "match a { A if !b => S { c, ..r() }.x, B => d == e && g, _ => true }";
        let mutants = [
            mutant(text, Genre::FnValue, body, "false"),
            mutant(text, Genre::MatchArmGuard, "!b", "true"),
            mutant(text, Genre::UnaryOperator, "!", ""),
            mutant(text, Genre::MatchArm, "A if !b => S { c, ..r() }.x,", ""),
            mutant(text, Genre::MatchArm, "B => d == e && g,", ""),
            mutant(text, Genre::StructField, "c,", ""),
            mutant(text, Genre::BinaryOperator, "==", "!="),
            mutant(text, Genre::BinaryOperator, "&&", "||"),
        ];
        let (switched, without) = written(text, &mutants);
        assert_eq!(without, []);
        assert!(syn::parse_file(&switched.text).is_ok(), "{}", switched.text);
        for id in 0..mutants.len() {
            assert_eq!(switched.text.matches(&format!("on({id})")).count(), 1, "{id}: {}", switched.text);
        }
        for expected in ["{ return false; }", "{ b }", "{ true } else", "c: if", "(r()).c", "d != e", "d == e || g"] {
            assert!(switched.text.contains(expected), "`{expected}`: {}", switched.text);
        }
    }

    #[test]
    fn a_complaint_is_about_the_mutant_it_points_at() {
        let text = "fn f() -> u8 { a + b + c }";
        let mutants = [
            mutant(text, Genre::BinaryOperator, "+ b", "-"),
            mutant(text, Genre::BinaryOperator, "+ c", "*"),
            mutant(text, Genre::BinaryOperator, "+ c", "-"),
        ];
        let (switched, _) = written(text, &mutants);
        let at = |part: &str| switched.text.find(part).map(|at| at..at + part.len()).unwrap();
        assert_eq!(switched.blamed(&[at("a + b * c")], &[]), BTreeSet::from([1]));
        assert_eq!(switched.blamed(&[at("fn f")], &[at("a + b - c")]), BTreeSet::from([2]));
        // About what stands there anyway: whatever is broken next to it.
        let whole = switched.text.rfind("a + b").map(|at| at..at + 5).unwrap();
        assert_eq!(switched.blamed(&[whole], &[]), BTreeSet::from([0]));
        assert_eq!(switched.blamed(&[at("fn f")], &[]), BTreeSet::new());
    }

    #[test]
    fn what_the_compiler_works_out_goes_without_a_switch() {
        let text = "const A: u8 = 1 + 2; const fn f() -> u8 { 3 - 4 }";
        let mutants = [mutant(text, Genre::BinaryOperator, "+", "-"), mutant(text, Genre::BinaryOperator, "- 4", "+")];
        let (freed, without) = written(text, &mutants);
        assert_eq!(without, [(0, Without::Constant)]);
        assert!(freed.text.contains("      fn f()"), "{}", freed.text);
        let numbered: Vec<(usize, &Mutant)> = mutants.iter().enumerate().collect();
        let (_, without) = switched(text, &numbered, &BTreeSet::from(["f".to_owned()])).unwrap();
        assert_eq!(without, [(0, Without::Constant), (1, Without::Constant)]);
    }
}
