//! Finds the places in the sources to which an operator applies.
//!
//! | operator | the mistake that it models |
//! |---|---|
//! | another comparison | a bound off by one, an inverted condition |
//! | `&&` for `\|\|`, and the reverse | a condition that is too strong, or too weak |
//! | a condition negated | the same |
//! | `+ 1` and `- 1` left out | off by one |
//! | `true` for `false`, and the reverse | a flag set wrongly |
//! | a statement left out | a forgotten fsync or timer, a state not reset |
//!
//! Tests, their support code, and reports to the judge are not mutated: the reports are evidence,
//! of which `judge/src/check/tests/broken.rs` makes mutants.

use super::Outcome;
use proc_macro2::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A wrong edit.
#[derive(Clone, Debug)]
pub(super) struct Mutant {
    /// The file, relative to `engine/src`.
    pub(super) file: String,
    /// The line, from 1.
    pub(super) line: usize,
    /// The function that contains it.
    function: String,
    /// The number among equal edits in this function, from 1.
    nth: usize,
    /// The bytes of the file that are replaced.
    pub(super) range: Range<usize>,
    /// The original text, and its replacement; empty for a statement that is left out.
    pub(super) right: String,
    pub(super) wrong: String,
    /// Whether it is a statement, not an expression.
    pub(super) is_statement: bool,
}

impl Mutant {
    /// The name of the edit, which does not depend on the sample or on line numbers.
    pub(super) fn name(&self) -> String {
        let short = |text: &str| {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            match text.char_indices().nth(90) {
                Some((end, _)) => format!("{}...", &text[..end]),
                None => text,
            }
        };
        let Self { file, function, nth, right, wrong, .. } = self;
        let edit = match wrong.as_str() {
            "" => format!("without `{}`", short(right)),
            wrong => format!("`{}` for `{}`", short(wrong), short(right)),
        };
        let which = if *nth > 1 { format!(" #{nth}") } else { String::new() };
        format!("{file}: {function}: {edit}{which}")
    }
}

/// All mutants of the files in `folder`, in order.
pub(super) fn all(folder: &Path) -> Outcome<Vec<Mutant>> {
    let mut files = Vec::new();
    gather(folder, &mut files)?;
    files.sort();
    let mut texts = Vec::new();
    let mut for_tests = BTreeSet::new();
    for path in files {
        let text = fs::read_to_string(&path)?;
        for_tests.extend(test_modules(&path, &text)?);
        texts.push((path, text));
    }
    let mut all = Vec::new();
    for (path, text) in texts {
        if !for_tests.contains(&path.with_extension("")) {
            let name = path.strip_prefix(folder)?.display().to_string();
            all.extend(of_file(&name, &text)?);
        }
    }
    Ok(all)
}

/// The modules that a file declares only for tests, as paths without extension.
fn test_modules(path: &Path, text: &str) -> Outcome<Vec<PathBuf>> {
    let syntax = syn::parse_file(text).map_err(|error| format!("{}: {error}", path.display()))?;
    let is_root = path.file_stem().is_some_and(|name| name == "mod" || name == "lib");
    let folder = match (is_root, path.parent()) {
        (true, Some(parent)) => parent.to_owned(),
        _ => path.with_extension(""),
    };
    let modules = syntax.items.iter().filter_map(|item| match item {
        syn::Item::Mod(item) if item.content.is_none() && is_test(&item.attrs) => {
            Some(folder.join(item.ident.to_string()))
        }
        _ => None,
    });
    Ok(modules.collect())
}

/// The source files in a folder, except tests.
fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> Outcome<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests" || name == "testing");
        if is_test {
            continue;
        } else if path.is_dir() {
            gather(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The mutants of a file.
pub(super) fn of_file(name: &str, text: &str) -> Outcome<Vec<Mutant>> {
    let syntax = syn::parse_file(text).map_err(|error| format!("{name}: {error}"))?;
    let mut finder = Finder { file: name, text, function: Vec::new(), found: Vec::new() };
    finder.visit_file(&syntax);
    let mut found = finder.found;
    found.sort_by_key(|it| (it.range.start, std::cmp::Reverse(it.range.end)));
    let mut equal: BTreeMap<String, usize> = BTreeMap::new();
    for mutant in &mut found {
        let nth = equal.entry(mutant.name()).or_default();
        *nth += 1;
        mutant.nth = *nth;
    }
    Ok(found)
}

struct Finder<'a> {
    file: &'a str,
    text: &'a str,
    function: Vec<String>,
    found: Vec<Mutant>,
}

impl Finder<'_> {
    fn add(&mut self, span: Span, wrong: String, is_statement: bool) {
        let range = span.byte_range();
        self.found.push(Mutant {
            file: self.file.to_owned(),
            line: span.start().line,
            function: self.function.join("::"),
            nth: 1,
            right: self.text[range.clone()].to_owned(),
            range,
            wrong,
            is_statement,
        });
    }

    /// The expression with the bytes of `part` replaced.
    fn with(&self, whole: Span, part: Span, other: &str) -> String {
        let (whole, part) = (whole.byte_range(), part.byte_range());
        let (before, after) = (whole.start..part.start, part.end..whole.end);
        format!("{}{other}{}", &self.text[before], &self.text[after])
    }

    fn binary(&mut self, binary: &syn::ExprBinary) {
        use syn::BinOp::*;
        let other = match binary.op {
            Lt(_) => "<=",
            Le(_) => "<",
            Gt(_) => ">=",
            Ge(_) => ">",
            Eq(_) => "!=",
            Ne(_) => "==",
            And(_) if !is_let(&binary.left) && !is_let(&binary.right) => "||",
            Or(_) => "&&",
            Add(_) | Sub(_) if is_one(&binary.right) => {
                let left = self.text[binary.left.span().byte_range()].to_owned();
                self.add(binary.span(), left, false);
                return;
            }
            _ => return,
        };
        let wrong = self.with(binary.span(), binary.op.span(), other);
        self.add(binary.span(), wrong, false);
    }

    /// A condition to which no other operator applies.
    fn condition(&mut self, condition: &syn::Expr) {
        if let syn::Expr::Unary(not) = condition
            && matches!(not.op, syn::UnOp::Not(_))
        {
            let inner = self.text[not.expr.span().byte_range()].to_owned();
            self.add(condition.span(), inner, false);
        }
        if matches!(condition, syn::Expr::MethodCall(_) | syn::Expr::Call(_) | syn::Expr::Field(_))
        {
            let right = &self.text[condition.span().byte_range()];
            self.add(condition.span(), format!("!{right}"), false);
        }
    }

    fn in_function(&mut self, name: String, visit: impl FnOnce(&mut Self)) {
        self.function.push(name);
        visit(self);
        self.function.pop();
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if is_test(&item.attrs) {
            return;
        }
        let name = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|it| it.ident.to_string()),
            _ => None,
        };
        self.in_function(name.unwrap_or_default(), |it| visit::visit_item_impl(it, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) && item.sig.constness.is_none() {
            self.in_function(item.sig.ident.to_string(), |it| visit::visit_block(it, &item.block));
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        let name = item.sig.ident.to_string();
        // Seeds cannot detect how values are displayed, and invariants are asserted by design.
        let is_words = ["fmt", "summary", "invariants"].contains(&name.as_str());
        let is_words = is_words || name.starts_with("observe");
        if !is_test(&item.attrs) && item.sig.constness.is_none() && !is_words {
            self.in_function(name, |it| visit::visit_block(it, &item.block));
        }
    }

    // A constant is computed by the compiler and cannot have a switch.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        self.binary(binary);
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if !reports(call) {
            visit::visit_expr_method_call(self, call);
        }
    }

    fn visit_expr_if(&mut self, item: &'ast syn::ExprIf) {
        self.condition(&item.cond);
        visit::visit_expr_if(self, item);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if let Some((_, guard)) = &arm.guard {
            self.condition(guard);
        }
        visit::visit_arm(self, arm);
    }

    fn visit_lit_bool(&mut self, literal: &'ast syn::LitBool) {
        self.add(literal.span(), (!literal.value).to_string(), false);
    }

    fn visit_stmt(&mut self, statement: &'ast syn::Stmt) {
        use syn::Expr::{Assign, Await, Binary, Call, MethodCall, Try};
        if let syn::Stmt::Expr(expr, Some(_)) = statement
            && matches!(expr, Assign(_) | Await(_) | Binary(_) | Call(_) | MethodCall(_) | Try(_))
            && !matches!(expr, MethodCall(call) if reports(call))
        {
            self.add(statement.span(), String::new(), true);
        }
        visit::visit_stmt(self, statement);
    }
}

/// Whether a call reports something to the judge.
fn reports(call: &syn::ExprMethodCall) -> bool {
    call.method.to_string().starts_with("observe")
}

fn is_let(expr: &syn::Expr) -> bool {
    match expr {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => is_let(&binary.left) || is_let(&binary.right),
        _ => false,
    }
}

fn is_one(expr: &syn::Expr) -> bool {
    match expr {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) => {
            number.base10_digits() == "1"
        }
        _ => false,
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        syn::Meta::NameValue(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator_has_its_place() {
        let text = "impl Log { fn cut(&mut self, to: i64) -> bool {
            if self.is_open() && to < self.end { self.end = to + 1; }
            self.sync();
            self.out.observe(true);
            if !self.open {}
            const ONE: bool = 1 < 2;
            true
        } }
        #[cfg(test)] mod tests { fn no() { let _ = 1 < 2; } }";
        let found = of_file("log.rs", text).expect("it is Rust");
        let names: Vec<String> = found.iter().map(Mutant::name).collect();
        let edits: Vec<&str> =
            names.iter().map(|name| name.split(": ").nth(2).expect("an edit")).collect();
        let expected = [
            "`self.is_open() || to < self.end` for `self.is_open() && to < self.end`",
            "`to <= self.end` for `to < self.end`",
            "without `self.end = to + 1;`",
            "`to` for `to + 1`",
            "without `self.sync();`",
            "`self.open` for `!self.open`",
            "`false` for `true`",
        ];
        assert_eq!(edits, expected);
        assert!(names[0].starts_with("log.rs: Log::cut: "), "{names:?}");
        assert_eq!(found[0].line, 2);
    }

    #[test]
    fn equal_edits_of_a_function_have_different_names() {
        let text = "fn f() { g(); h(); g(); } fn k() { g(); }";
        let found = of_file("f.rs", text).expect("it is Rust");
        let names: Vec<String> = found.iter().map(Mutant::name).collect();
        let expected = ["f: without `g();`", "f: without `h();`", "f: without `g();` #2"];
        assert_eq!(names[..3], expected.map(|name| format!("f.rs: {name}")));
        assert_eq!(names[3], "f.rs: k: without `g();`");
    }

    #[test]
    fn modules_for_tests_are_left_out() {
        let text = "mod a; #[cfg(test)] mod b; #[cfg(test)] mod c { fn f() {} }";
        let of = |path| test_modules(Path::new(path), text).expect("it is Rust");
        assert_eq!(of("src/log/mod.rs"), [Path::new("src/log/b")]);
        assert_eq!(of("src/log.rs"), [Path::new("src/log/b")]);
    }
}
