//! Where in a file the expressions lie that a mutant's operator, guard or field belongs to:
//! cargo-mutants says only where the operator is.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context, Result};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::listed::{Genre, Place};

/// Places as bytes of the text.
struct Lines<'text> {
    text: &'text str,
    starts: Vec<usize>,
}

impl<'text> Lines<'text> {
    fn of(text: &'text str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        Self { text, starts: std::iter::once(0).chain(ends).collect() }
    }

    fn byte(&self, place: Place) -> Option<usize> {
        let start = *self.starts.get(place.line.checked_sub(1)?)?;
        let line = self.text.get(start..)?;
        let within = line.char_indices().nth(place.column.checked_sub(1)?).map_or(line.len(), |(at, _)| at);
        start.checked_add(within)
    }
}

/// What stands at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Site {
    /// `left OPERATOR right`, whole.
    Binary { left: Range<usize>, right: Range<usize> },
    /// `OPERATOR of`.
    Unary { of: Range<usize> },
    /// The condition of a match arm.
    Guard { condition: Range<usize> },
    /// An arm: the end of its pattern, and its condition.
    Arm { pattern_end: usize, condition: Option<Range<usize>> },
    /// `name: value` of a struct that takes the rest from elsewhere.
    Field { name: String, value: Range<usize>, is_short: bool, rest: Range<usize> },
}

/// A `const fn`, which cannot ask which mutant is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConstFn {
    pub(super) name: String,
    /// The word `const`.
    pub(super) word: Range<usize>,
    pub(super) whole: Range<usize>,
}

/// What a file holds.
pub(super) struct Sites<'text> {
    lines: Lines<'text>,
    /// By the first byte of what cargo-mutants points at.
    found: HashMap<(Genre, usize), Site>,
    pub(super) const_fns: Vec<ConstFn>,
    /// What is worked out by the compiler.
    constants: Vec<Range<usize>>,
}

impl<'text> Sites<'text> {
    pub(super) fn of(text: &'text str) -> Result<Self> {
        let file = syn::parse_file(text).context("the file does not parse")?;
        let lines = Lines::of(text);
        let mut sites = Self { lines, found: HashMap::new(), const_fns: Vec::new(), constants: Vec::new() };
        sites.visit_file(&file);
        Ok(sites)
    }

    /// A place of cargo-mutants as a byte of the text.
    pub(super) fn byte(&self, place: Place) -> Option<usize> {
        self.lines.byte(place)
    }

    /// What stands there, unless the compiler works it out.
    pub(super) fn at(&self, genre: Genre, byte: usize) -> Option<&Site> {
        self.found.get(&(genre, byte)).filter(|_| !self.is_constant(byte))
    }

    pub(super) fn is_constant(&self, byte: usize) -> bool {
        self.constants.iter().any(|constant| constant.contains(&byte))
    }

    fn range(&self, of: &impl Spanned) -> Option<Range<usize>> {
        let span = of.span();
        // Columns are counted from none there.
        let byte =
            |at: proc_macro2::LineColumn| self.byte(Place { line: at.line, column: at.column.saturating_add(1) });
        Some(byte(span.start())?..byte(span.end())?)
    }

    fn add(&mut self, genre: Genre, at: Option<usize>, site: Option<Site>) {
        if let (Some(at), Some(site)) = (at, site) {
            self.found.insert((genre, at), site);
        }
    }

    fn constant(&mut self, of: &impl Spanned) {
        self.constants.extend(self.range(of));
    }

    fn function(&mut self, signature: &syn::Signature, whole: &impl Spanned) {
        if let (Some(word), Some(whole)) =
            (signature.constness.as_ref().and_then(|word| self.range(word)), self.range(whole))
        {
            self.const_fns.push(ConstFn { name: signature.ident.to_string(), word, whole });
        }
    }
}

/// `let` in a chain of conditions: neither brackets nor another operator may stand around it.
fn has_let(expr: &syn::Expr) -> bool {
    match expr {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Sites<'_> {
    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        if !has_let(&binary.left) && !has_let(&binary.right) {
            let (at, left, right) = (self.range(&binary.op), self.range(&*binary.left), self.range(&*binary.right));
            self.add(
                Genre::BinaryOperator,
                at.map(|at| at.start),
                left.zip(right).map(|(left, right)| Site::Binary { left, right }),
            );
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        let (at, of) = (self.range(&unary.op), self.range(&*unary.expr));
        self.add(Genre::UnaryOperator, at.map(|at| at.start), of.map(|of| Site::Unary { of }));
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_match(&mut self, whole: &'ast syn::ExprMatch) {
        // Without an arm for everything else there is none that may be left out.
        let is_rest = |arm: &syn::Arm| matches!(arm.pat, syn::Pat::Wild(_));
        let has_rest = whole.arms.iter().any(is_rest);
        for arm in &whole.arms {
            let (pattern, condition) = match &arm.pat {
                syn::Pat::Guard(guarded) => (self.range(&*guarded.pat), self.range(&*guarded.guard)),
                pattern => (self.range(pattern), None),
            };
            let start = condition.as_ref().map(|condition| condition.start);
            let guard = condition.clone().map(|condition| Site::Guard { condition });
            self.add(Genre::MatchArmGuard, start, guard);
            if has_rest && !is_rest(arm) {
                let at = pattern.as_ref().map(|pattern| pattern.start);
                self.add(Genre::MatchArm, at, pattern.map(|pattern| Site::Arm { pattern_end: pattern.end, condition }));
            }
        }
        visit::visit_expr_match(self, whole);
    }

    fn visit_expr_struct(&mut self, whole: &'ast syn::ExprStruct) {
        if let Some(rest) = whole.rest.as_ref().and_then(|rest| self.range(&**rest)) {
            for field in &whole.fields {
                let (at, value) = (self.range(&field.member), self.range(&field.expr));
                let name = match &field.member {
                    syn::Member::Named(name) => name.to_string(),
                    syn::Member::Unnamed(index) => index.index.to_string(),
                };
                let is_short = field.colon_token.is_none();
                let site = value.map(|value| Site::Field { name, value, is_short, rest: rest.clone() });
                self.add(Genre::StructField, at.map(|at| at.start), site);
            }
        }
        visit::visit_expr_struct(self, whole);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.constant(item);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.constant(item);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.constant(item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, item);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, item);
        visit::visit_impl_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::{Genre, Site, Sites};

    fn at(text: &str, genre: Genre, mark: &str) -> Option<Site> {
        Sites::of(text).unwrap().at(genre, text.find(mark).unwrap()).cloned()
    }

    #[test]
    fn an_operator_knows_what_it_belongs_to() {
        let text = "fn é() { a + b * !c }";
        let range = |part: &str| text.find(part).map(|at| at..at + part.len()).unwrap();
        assert_eq!(
            at(text, Genre::BinaryOperator, "+"),
            Some(Site::Binary { left: range("a"), right: range("b * !c") })
        );
        assert_eq!(at(text, Genre::UnaryOperator, "!"), Some(Site::Unary { of: range("c") }));
    }

    #[test]
    fn arms_fields_and_constants_are_told_apart() {
        let text = "const X: u8 = 1 + 2;\nfn f() { match x { A if b => S { f, ..r() }, _ => 0 } }";
        let range = |part: &str| text.find(part).map(|at| at..at + part.len()).unwrap();
        assert_eq!(
            at(text, Genre::MatchArm, "A if"),
            Some(Site::Arm {
                pattern_end: range("A").end,
                condition: Some(range("b =>").start..range("b =>").start + 1)
            })
        );
        let field = text.find("f, ..").unwrap();
        assert_eq!(
            at(text, Genre::StructField, "f, .."),
            Some(Site::Field { name: "f".to_owned(), value: field..field + 1, is_short: true, rest: range("r()") })
        );
        assert_eq!(at(text, Genre::BinaryOperator, "+"), None, "the compiler works it out");
    }

    #[test]
    fn no_operator_stands_beside_a_let() {
        let text = "fn f() { if let Some(a) = b && c == d {} }";
        assert_eq!(at(text, Genre::BinaryOperator, "&&"), None);
        assert!(at(text, Genre::BinaryOperator, "==").is_some());
    }
}
