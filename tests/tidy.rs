//! What CONTRIBUTING.md says about sizes, names and words, as far as a program can see it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this test reads the sources and asks git"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// No file is longer than this, and only one in [`ONE_IN`] files is longer than [`USUAL`].
const LONGEST: usize = 650;
const USUAL: usize = 400;
const ONE_IN: usize = 20;
/// The longest subject of a commit.
const SUBJECT: usize = 72;
/// Subjects of commits before this day were not held to that.
const SINCE: &str = "--since=2026-12-01";

/// Words of the glossary in CONTRIBUTING.md that are not written, and how often each still is. The
/// numbers only go down.
const NOT_WRITTEN: &[(&str, usize)] = &[
    ("whom", 1),
    ("those who", 2),
    ("nobody", 0),
    ("is told", 1),
    ("are told", 0),
    (" tells", 0),
    (" tell ", 0),
    ("cannot be told", 0),
    ("the same again", 0),
    ("mistake of ours", 0),
    ("our own mistake", 0),
    ("answers ", 6),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of the project with one of these extensions, and their text.
fn files(extensions: &[&str]) -> Vec<(PathBuf, String)> {
    fn gather(folder: &Path, extensions: &[&str], all: &mut Vec<(PathBuf, String)>) {
        let mut entries: Vec<PathBuf> = fs::read_dir(folder)
            .expect("readable")
            .map(|it| it.expect("readable").path())
            .collect();
        entries.sort();
        for path in entries {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                let is_ours = name == ".github" || !name.starts_with('.');
                if is_ours && name != "target" && name != "results" {
                    gather(&path, extensions, all);
                }
            } else if path.extension().is_some_and(|it| extensions.iter().any(|e| it == *e)) {
                let text = fs::read_to_string(&path).expect("text");
                all.push((path, text));
            }
        }
    }
    let mut all = Vec::new();
    gather(root(), extensions, &mut all);
    assert!(all.len() > 20, "the sources are here");
    all
}

#[test]
fn files_are_short() {
    let mut long = Vec::new();
    let all = files(&["rs"]);
    let count = all.len();
    for (path, text) in all {
        let lines = text.lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines: split it", path.display());
        if lines > USUAL {
            long.push(path);
        }
    }
    assert!(long.len() * ONE_IN <= count, "files of over {USUAL} lines are rare: {long:#?}");
}

#[test]
fn every_file_begins_with_a_description() {
    for (path, text) in files(&["rs"]) {
        // The tests of a module are about that module.
        let parts = path.strip_prefix(root()).expect("below it").components();
        let is_of_module = |part: &str| part == "tests" || part == "tests.rs";
        if parts.skip(1).any(|part| part.as_os_str().to_str().is_some_and(is_of_module)) {
            continue;
        }
        let first = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
        assert!(first.starts_with("//!"), "{} begins with `{first}`", path.display());
    }
}

#[test]
fn files_have_names_of_the_field() {
    for (path, _) in files(&["rs"]) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for not in ["misc", "util", "utils", "helpers", "common"] {
            assert_ne!(name, not, "{}", path.display());
        }
    }
}

#[test]
fn unsafe_code_is_in_the_allocator_only() {
    let switch = format!("allow({}", "unsafe_code");
    for (path, text) in files(&["rs"]) {
        let is_allocator = path.ends_with("src/memory.rs");
        assert!(is_allocator || !text.contains(&switch), "{}", path.display());
    }
}

#[test]
fn words_that_are_not_written_become_fewer() {
    let all = files(&["rs", "md", "toml"]);
    let pages: Vec<&str> = all
        .iter()
        .filter(|(path, _)| !path.ends_with("CONTRIBUTING.md") && !path.ends_with("tests/tidy.rs"))
        .map(|(_, text)| text.as_str())
        .collect();
    for (word, most) in NOT_WRITTEN {
        let count: usize = pages.iter().map(|text| text.matches(word).count()).sum();
        assert!(
            count <= *most,
            "`{word}` is written {count} times; the glossary has a better word"
        );
    }
}

#[test]
fn subjects_of_commits_are_short() {
    let mut git = Command::new("git");
    git.args(["log", "--no-merges", "--format=%s", SINCE]).current_dir(root());
    // Without git, or in a shallow clone, there is nothing to look at.
    let Some(log) = git.output().ok().filter(|log| log.status.success()) else { return };
    for subject in String::from_utf8_lossy(&log.stdout).lines() {
        let length = subject.chars().count();
        assert!(length <= SUBJECT, "a subject of {length} characters: {subject}");
    }
}

#[test]
fn the_changelog_says_what_was_added_changed_and_fixed() {
    let text = fs::read_to_string(root().join("CHANGELOG.md")).expect("it is there");
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(heads.first(), Some(&"# Changelog"));
    for head in heads.iter().filter(|head| head.starts_with("### ")) {
        let known = ["### Added", "### Changed", "### Fixed"];
        assert!(known.contains(head), "{head}");
    }
    for section in text.split("\n## ").skip(1) {
        for kind in ["Added", "Changed", "Fixed"] {
            let count = section.matches(&format!("\n### {kind}\n")).count();
            assert!(count <= 1, "{kind} stands {count} times in one release");
        }
    }
}
