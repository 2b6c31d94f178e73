//! Lists the scenario files of the catalogue folder, so that a new file needs no other
//! registration, and computes the fingerprint of all sources that affect a run.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a build script reads its arguments and files and prints to cargo"
)]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let folder = Path::new(&root).join("catalog");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the catalogue is part of the sources")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    let mut list = "&[\n".to_owned();
    for path in files {
        let name = path.file_stem().expect("it has an extension").to_string_lossy().into_owned();
        writeln!(list, "    ({name:?}, include_str!({:?})),", path.display().to_string())
            .expect("a string takes everything");
    }
    list.push_str("]\n");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("catalog.rs"), list).expect("cargo's folder is writable");
    println!("cargo::rustc-env=FAULTLINE_BUILD={:016x}", fingerprint(Path::new(&root)));
}

/// The fingerprint of the sources of all crates that take part in a run, and of the versions of
/// their dependencies. It is the same in debug and release, and on every machine.
fn fingerprint(root: &Path) -> u64 {
    let workspace = root.parent().expect("the crate is in a workspace");
    let mut files = vec![workspace.join("Cargo.lock")];
    for folder in [
        "machine/src",
        "engine/src",
        "sim/src",
        "spec/src",
        "judge/src",
        "scenarios/src",
        "scenarios/catalog",
    ] {
        println!("cargo::rerun-if-changed={}", workspace.join(folder).display());
        gather(&workspace.join(folder), &mut files);
    }
    println!("cargo::rerun-if-changed={}", files[0].display());
    files.sort();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for file in files {
        let name = file.strip_prefix(workspace).expect("it is below").to_string_lossy();
        // FNV-1a: the fingerprint need not resist attacks.
        let content = fs::read(&file).unwrap_or_default();
        for byte in name.bytes().chain(content).filter(|byte| *byte != b'\r') {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

/// All files below `folder`.
fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, files);
        } else if path
            .extension()
            .is_some_and(|it| ["rs", "toml", "tsv"].iter().any(|known| it == *known))
        {
            files.push(path);
        }
    }
}
