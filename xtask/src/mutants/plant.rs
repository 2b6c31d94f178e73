//! Plants mutants in a copy of the sources, each behind a switch, and builds the program.

use super::Outcome;
use super::find::Mutant;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variables of a program with mutants: the active mutant, and the file that the
/// program creates when it reaches the mutant for the first time.
pub(super) const CHOSEN: &str = "FAULTLINE_MUTANT";
pub(super) const REACHED: &str = "FAULTLINE_MUTANT_REACHED";

/// The switch. Mutants count from 1.
const SWITCH: &str = r#"//! The switch of mutants.
#![allow(missing_docs, clippy::all, clippy::disallowed_methods)]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
static CHOSEN: OnceLock<u32> = OnceLock::new();
static REACHED: AtomicBool = AtomicBool::new(false);
#[inline]
pub fn mutant(id: u32) -> bool {
    let number = || std::env::var("FAULTLINE_MUTANT").ok().and_then(|it| it.parse().ok());
    let is = *CHOSEN.get_or_init(|| number().unwrap_or(0)) == id;
    if is && !REACHED.swap(true, Ordering::Relaxed) {
        if let Ok(path) = std::env::var("FAULTLINE_MUTANT_REACHED") {
            let _ = std::fs::write(path, "");
        }
    }
    is
}
"#;

/// The mutants in a program; stored in the folder of the run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Planted {
    /// The date and the commit of the sources.
    pub(super) stand: (String, String),
    /// The number of each, and its name.
    pub(super) mutants: Vec<(u32, String)>,
}

/// The name of its file.
const PLANTED: &str = "planted.json";

impl Planted {
    /// The program that an earlier run has built.
    pub(super) fn read(out: &Path) -> Outcome<Self> {
        let path = out.join(PLANTED);
        let text = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }
}

/// The program with mutants in the folder of a run.
pub(super) fn program(out: &Path) -> PathBuf {
    out.join("faultline")
}

/// Plants mutants in a copy of the tree at `root`, and builds it.
pub(super) fn plant(
    root: &Path,
    out: &Path,
    mutants: Vec<Mutant>,
    stand: (String, String),
) -> Outcome<Planted> {
    let tree = out.join("tree");
    copy(root, &tree)?;
    let engine = tree.join("engine/src");
    let lib = fs::read_to_string(engine.join("lib.rs"))?;
    fs::write(engine.join("lib.rs"), format!("{lib}\n#[doc(hidden)]\npub mod mutant;\n"))?;
    fs::write(engine.join("mutant.rs"), SWITCH)?;
    let originals = originals(&root.join("engine/src"), &mutants)?;
    let mut mutants: Vec<(u32, Mutant)> = (1..).zip(mutants).collect();
    loop {
        let places = write(&engine, &originals, &mutants)?;
        let broken = broken(&tree, &places)?;
        if broken.is_empty() {
            break;
        }
        println!("{} do not compile and are left out", broken.len());
        mutants.retain(|(id, _)| !broken.contains(id));
    }
    println!("building a program with {} mutants", mutants.len());
    let built = cargo(&tree).args(["build", "--release", "--bin", "faultline"]).status()?;
    if !built.success() {
        return Err("the program with mutants cannot be built".into());
    }
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => root.join(target),
        None => tree.join("target"),
    };
    // A later build in the same target directory must not change the judged program.
    fs::copy(target.join("release/faultline"), program(out))?;
    let mutants = mutants.into_iter().map(|(id, mutant)| (id, mutant.name())).collect();
    let planted = Planted { stand, mutants };
    fs::write(out.join(PLANTED), serde_json::to_string(&planted)?)?;
    Ok(planted)
}

/// Copies the files that git tracks, as they are in the working tree. Unchanged files are not
/// written again, so that cargo rebuilds only what changed.
fn copy(root: &Path, tree: &Path) -> Outcome<()> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()?;
    for name in String::from_utf8(listed.stdout)?.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root.join(name), tree.join(name));
        let Ok(bytes) = fs::read(&from) else { continue };
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        fs::create_dir_all(to.parent().ok_or("a file is in a folder")?)?;
        fs::write(to, bytes)?;
    }
    Ok(())
}

fn originals(engine: &Path, mutants: &[Mutant]) -> Outcome<BTreeMap<String, String>> {
    let files: BTreeSet<&String> = mutants.iter().map(|mutant| &mutant.file).collect();
    let read = |file: &String| Ok((file.clone(), fs::read_to_string(engine.join(file))?));
    files.into_iter().map(read).collect()
}

/// Writes the files with mutants, and returns the place of each mutant in them.
fn write(
    engine: &Path,
    originals: &BTreeMap<String, String>,
    mutants: &[(u32, Mutant)],
) -> Outcome<Vec<(String, Range<usize>, u32)>> {
    let mut places = Vec::new();
    for (file, text) in originals {
        let own = mutants.iter().filter(|(_, it)| it.file == *file);
        let mut own: Vec<&(u32, Mutant)> = own.collect();
        own.sort_by_key(|(_, it)| (it.range.start, std::cmp::Reverse(it.range.end)));
        let mut planted = String::with_capacity(text.len() * 2);
        let mut found = Vec::new();
        render(text, 0..text.len(), &own, &mut planted, &mut found);
        places.extend(found.into_iter().map(|(range, id)| (file.clone(), range, id)));
        let path = engine.join(file);
        if fs::read_to_string(&path).is_ok_and(|there| there == planted) {
            continue;
        }
        fs::write(path, planted)?;
    }
    Ok(places)
}

/// Writes a part of a text with its mutants, which are sorted, outer ones before inner ones.
fn render(
    text: &str,
    part: Range<usize>,
    mutants: &[&(u32, Mutant)],
    out: &mut String,
    places: &mut Vec<(Range<usize>, u32)>,
) {
    let mut at = part.start;
    let mut i = 0;
    while let Some((id, mutant)) = mutants.get(i) {
        let Range { start, end } = mutant.range;
        out.push_str(&text[at..start]);
        let begin = out.len();
        let inner = mutants[i + 1..].iter().take_while(|(_, it)| it.range.start < end).count();
        let inner = &mutants[i + 1..][..inner];
        let switch = format!("crate::mutant::mutant({id})");
        match mutant.is_statement {
            true => out.push_str(&format!("if !{switch} {{ ")),
            false => out.push_str(&format!("(if {switch} {{ {} }} else {{ ", mutant.wrong)),
        }
        render(text, start..end, inner, out, places);
        out.push_str(if mutant.is_statement { " }" } else { " })" });
        places.push((begin..out.len(), *id));
        at = end;
        i += 1 + inner.len();
    }
    out.push_str(&text[at..part.end]);
}

/// The mutants that do not compile.
fn broken(tree: &Path, places: &[(String, Range<usize>, u32)]) -> Outcome<BTreeSet<u32>> {
    let checked = cargo(tree).args(["check", "-p", "engine", "--message-format=json"]).output()?;
    let mut broken = BTreeSet::new();
    for line in String::from_utf8_lossy(&checked.stdout).lines() {
        let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let message = &line["message"];
        if message["level"] != "error" {
            continue;
        }
        for span in message["spans"].as_array().into_iter().flatten() {
            broken.extend(innermost(span, places));
        }
    }
    if broken.is_empty() && !checked.status.success() {
        let told = String::from_utf8_lossy(&checked.stderr).into_owned();
        return Err(
            format!("the engine does not compile, whatever mutants are in it:\n{told}").into()
        );
    }
    Ok(broken)
}

/// The innermost mutant around a place that the compiler names.
fn innermost(span: &serde_json::Value, places: &[(String, Range<usize>, u32)]) -> Option<u32> {
    let byte = |key: &str| usize::try_from(span[key].as_u64()?).ok();
    let (file, start, end) = (span["file_name"].as_str()?, byte("byte_start")?, byte("byte_end")?);
    let around = places.iter().filter(|(name, range, _)| {
        file.ends_with(&format!("engine/src/{name}")) && range.start < end && start < range.end
    });
    around.min_by_key(|(_, range, _)| range.len()).map(|(_, _, id)| *id)
}

fn cargo(tree: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(tree);
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::find::of_file;

    #[test]
    fn an_outer_mutant_contains_the_inner_ones_where_it_is_off() {
        let text = "fn f(a: i64, b: i64) -> bool { g(); a < b && b > 1 }";
        let found = of_file("f.rs", text).expect("it is Rust");
        let mutants: Vec<(u32, Mutant)> = (1..).zip(found).collect();
        let own: Vec<&(u32, Mutant)> = mutants.iter().collect();
        let (mut out, mut places) = (String::new(), Vec::new());
        render(text, 0..text.len(), &own, &mut out, &mut places);
        let expected = "fn f(a: i64, b: i64) -> bool { if !crate::mutant::mutant(1) { g(); } \
            (if crate::mutant::mutant(2) { a < b || b > 1 } else { \
            (if crate::mutant::mutant(3) { a <= b } else { a < b }) && \
            (if crate::mutant::mutant(4) { b >= 1 } else { b > 1 }) }) }";
        assert_eq!(out, expected);
        syn::parse_file(&out).expect("it is Rust still");
        assert_eq!(places.len(), 4);
    }
}
