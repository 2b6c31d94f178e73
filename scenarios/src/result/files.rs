//! The results directory of a run. It is written beside its place and then moved there, so that
//! one that exists is whole.

#![allow(clippy::disallowed_methods, reason = "results go to real files, after the run")]

use super::explain::explain;
use super::record::RunRecord;
use super::verdict::Verdict;
use flate2::{Compression, GzBuilder, read::GzDecoder};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What is written about one run.
pub struct Artefacts<'a> {
    /// The verdict.
    pub verdict: &'a Verdict,
    /// The record.
    pub record: &'a RunRecord,
    /// The lines of the trace, if it was kept.
    pub trace: Option<Lines<'a>>,
    /// The lines of the clients' history, if it was kept.
    pub history: Option<Lines<'a>>,
}

/// Lines of JSON.
pub type Lines<'a> = Box<dyn Iterator<Item = String> + 'a>;

/// The names of the files.
pub mod name {
    /// [`super::RunRecord`].
    pub const RUN: &str = "run.json";
    /// [`super::Verdict`].
    pub const VERDICT: &str = "verdict.json";
    /// The run in words.
    pub const EXPLAIN: &str = "explain.md";
    /// One line to paste.
    pub const REPRO: &str = "repro.txt";
    /// One event a line.
    pub const TRACE: &str = "trace.jsonl.gz";
    /// One thing that a client did or saw a line.
    pub const HISTORY: &str = "history.jsonl";
    /// A link to the directory that was written last.
    pub const LATEST: &str = "latest";
}

/// The name of a run's directory.
pub fn directory_name(scenario: &str, seed: u64, digest: &str) -> String {
    // A panic before the first event leaves none.
    let digest = if digest.is_empty() { "panic" } else { digest };
    format!("{scenario}-{seed}-{}", digest.get(..8).unwrap_or(digest))
}

/// Makes sure that results can be written into `base`. Creates nothing that stays.
///
/// # Errors
///
/// Why not.
pub fn probe(base: &Path) -> io::Result<()> {
    // The nearest folder that is there already decides.
    let mut existing = base;
    while !existing.exists() {
        existing = match existing.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
    }
    if !existing.is_dir() {
        let message = format!("{} is not a folder", existing.display());
        return Err(io::Error::new(io::ErrorKind::NotADirectory, message));
    }
    let probe = existing.join(format!(".faultline-probe-{}", std::process::id()));
    fs::create_dir(&probe)?;
    fs::remove_dir(&probe)
}

/// Writes the results of a run into a directory of its own in `base`, and answers its path.
///
/// # Errors
///
/// If something cannot be written. Nothing half written stays.
pub fn write(base: &Path, artefacts: Artefacts<'_>) -> io::Result<PathBuf> {
    let verdict = artefacts.verdict;
    let name = directory_name(&verdict.scenario, verdict.seed, &verdict.digest);
    let target = base.join(&name);
    let draft = base.join(format!(".{name}.{}", std::process::id()));
    fs::create_dir_all(&draft)?;
    let written = write_into(&draft, artefacts).and_then(|()| {
        if target.exists() {
            fs::remove_dir_all(&target)?;
        }
        fs::rename(&draft, &target)
    });
    if let Err(error) = written {
        let _ = fs::remove_dir_all(&draft);
        return Err(error);
    }
    Ok(target)
}

/// Writes the results of a run into `folder`, which is there, over what it holds.
///
/// # Errors
///
/// If something cannot be written.
pub fn write_into(folder: &Path, artefacts: Artefacts<'_>) -> io::Result<()> {
    let Artefacts { verdict, record, trace, history } = artefacts;
    json(&folder.join(name::RUN), record)?;
    json(&folder.join(name::VERDICT), verdict)?;
    fs::write(folder.join(name::EXPLAIN), explain(verdict, record))?;
    fs::write(folder.join(name::REPRO), format!("{}\n", record.command()))?;
    if let Some(lines) = trace {
        let file = BufWriter::new(File::create(folder.join(name::TRACE))?);
        // Without a time, so that the same run gives the same file.
        let mut packed = GzBuilder::new().mtime(0).write(file, Compression::fast());
        for line in lines {
            writeln!(packed, "{line}")?;
        }
        packed.finish()?.flush()?;
    }
    if let Some(lines) = history {
        let mut file = BufWriter::new(File::create(folder.join(name::HISTORY))?);
        for line in lines {
            writeln!(file, "{line}")?;
        }
        file.flush()?;
    }
    Ok(())
}

fn json(path: &Path, value: &impl serde::Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    text.push('\n');
    fs::write(path, text)
}

/// Makes `latest` in `base` a link to `name`; where there are no links, a file that holds the name.
///
/// # Errors
///
/// If it cannot be written.
pub fn point_latest_at(base: &Path, name: &str) -> io::Result<()> {
    let latest = base.join(name::LATEST);
    let draft = base.join(format!(".latest.{}", std::process::id()));
    let _ = fs::remove_file(&draft);
    #[cfg(unix)]
    std::os::unix::fs::symlink(name, &draft)?;
    #[cfg(not(unix))]
    fs::write(&draft, name)?;
    fs::rename(&draft, &latest).inspect_err(|_| drop(fs::remove_file(&draft)))
}

/// Reads the record in `path`: a results directory, or its `run.json`.
///
/// # Errors
///
/// If there is none, or it is not a record of this version.
pub fn read_record(path: &Path) -> io::Result<RunRecord> {
    let file = if path.is_dir() { path.join(name::RUN) } else { path.to_owned() };
    let text = fs::read_to_string(file)?;
    serde_json::from_str(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The lines of the trace in the results directory `folder`; `None` if none was kept.
///
/// # Errors
///
/// If it cannot be read.
pub fn read_trace(folder: &Path) -> io::Result<Option<impl Iterator<Item = io::Result<String>>>> {
    match File::open(folder.join(name::TRACE)) {
        Ok(file) => Ok(Some(BufReader::new(GzDecoder::new(file)).lines())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
