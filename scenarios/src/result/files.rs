//! The results directory of a run. Every file is written elsewhere and then moved to its place, so
//! that an existing file is complete. In an existing directory only the files of a run are
//! replaced: notes beside them stay.

#![allow(clippy::disallowed_methods, reason = "results go to real files, after the run")]

use super::explain::explain;
use super::record::RunRecord;
use super::verdict::Verdict;
use crate::escape;
use flate2::{Compression, GzBuilder, read::GzDecoder};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// The files about one run.
pub struct Artefacts<'a> {
    /// The verdict.
    pub verdict: &'a Verdict,
    /// The record.
    pub record: &'a RunRecord,
    /// The lines of the trace, if it was kept.
    pub trace: Option<Lines<'a>>,
    /// The lines of the clients' history, if it was kept.
    pub history: Option<Lines<'a>>,
    /// The page, if one was made.
    pub page: Option<String>,
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
    /// The command that repeats the run.
    pub const REPRO: &str = "repro.txt";
    /// The trace, one event per line.
    pub const TRACE: &str = "trace.jsonl.gz";
    /// The history, one operation or observation of a client per line.
    pub const HISTORY: &str = "history.jsonl";
    /// The page of the run.
    pub const PAGE: &str = "index.html";
    /// A link to the latest directory.
    pub const LATEST: &str = "latest";
}

/// The maximum size of a record that is read, in bytes: far more than is ever written.
const LONGEST_RECORD: u64 = 64 << 20;
/// The maximum size of a trace that is read, and of one of its lines, in uncompressed bytes.
const LONGEST_TRACE: (u64, u64) = (16 << 30, 16 << 20);

/// The name of a run's directory.
///
/// # Errors
///
/// If it would not be a single path component, for example for the scenario `../x`. Scenarios are
/// also checked where they are read.
pub fn directory_name(scenario: &str, seed: u64, digest: &str) -> io::Result<String> {
    // There is no digest after a panic before the first event.
    let digest = if digest.is_empty() { "panic" } else { digest };
    let name = format!("{scenario}-{seed}-{}", digest.get(..8).unwrap_or(digest));
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match name.chars().all(fits) {
        true => Ok(name),
        false => {
            let message = format!("`{}` is no name for a directory", escape::line(&name));
            Err(io::Error::new(io::ErrorKind::InvalidInput, message))
        }
    }
}

/// Makes sure that results can be written into `base`. Leaves nothing behind.
///
/// # Errors
///
/// If results cannot be written there.
pub fn probe(base: &Path) -> io::Result<()> {
    // The nearest existing directory decides.
    let mut existing = base;
    while !is_there(existing)? {
        existing = match existing.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
    }
    if !existing.is_dir() {
        let message = format!("{} is not a directory", existing.display());
        return Err(io::Error::new(io::ErrorKind::NotADirectory, message));
    }
    let probe = existing.join(format!(".faultline-probe-{}", std::process::id()));
    fs::create_dir(&probe)?;
    fs::remove_dir(&probe)
}

/// Whether a path exists. A dangling link is an error, since no directory can be created there, and
/// so is a name that the file system does not accept.
fn is_there(path: &Path) -> io::Result<bool> {
    if path.try_exists()? {
        return Ok(true);
    }
    match fs::symlink_metadata(path) {
        Ok(_) => {
            let message = format!("{} is a link that leads nowhere", path.display());
            Err(io::Error::new(io::ErrorKind::NotFound, message))
        }
        Err(_) => Ok(false),
    }
}

/// The maximum number of directories for different runs with one digest.
const MOST_OF_ONE_NAME: u32 = 1_000;

/// The name of the directory in `base` for the results of a run: that of [`directory_name`], with a
/// number if another run has that name. Runs of two files may have the same events and yet differ,
/// for example in the steps that they have to reach.
///
/// # Errors
///
/// Those of [`directory_name`], or if too many runs have the name.
pub fn free_name(base: &Path, record: &RunRecord) -> io::Result<String> {
    let name = directory_name(&record.scenario.name, record.seed, &record.digest)?;
    let is_free = |name: &str| match read_record(&base.join(name)) {
        Ok(there) => there.is_of_the_same_run(record),
        // In an unreadable directory only the files of a run would be replaced.
        Err(_) => true,
    };
    names_like(&name).find(|name| is_free(name)).ok_or_else(|| {
        let message = format!("{MOST_OF_ONE_NAME} other runs are called `{name}`");
        io::Error::new(io::ErrorKind::AlreadyExists, message)
    })
}

/// A name, and the same with numbers from 2 on: [`MOST_OF_ONE_NAME`] in all.
fn names_like(name: &str) -> impl Iterator<Item = String> {
    let numbered = (2..=MOST_OF_ONE_NAME).map(move |number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered)
}

/// Writes the results of a run into a directory of its own in `base`, and returns its path; `name`
/// comes from [`free_name`].
///
/// # Errors
///
/// If anything cannot be written. No partial results remain.
pub fn write(base: &Path, name: &str, artefacts: Artefacts<'_>) -> io::Result<PathBuf> {
    let target = base.join(name);
    let draft = base.join(format!(".{name}.{}", std::process::id()));
    fs::create_dir_all(&draft)?;
    let digest = artefacts.record.digest.clone();
    let written = fill(&draft, artefacts).and_then(|()| {
        // An empty directory is replaced as if it did not exist.
        match fs::rename(&draft, &target) {
            Err(_) if target.is_dir() => replace(&draft, &target, &digest),
            result => result,
        }
    });
    if let Err(error) = written {
        let _ = fs::remove_dir_all(&draft);
        return Err(error);
    }
    Ok(target)
}

/// Moves the files of `draft` into `target`, replacing files of the same names. An existing trace or
/// page stays if it is of this run and there is no newer one.
fn replace(draft: &Path, target: &Path, digest: &str) -> io::Result<()> {
    let same = read_record(target).is_ok_and(|record| record.digest == digest);
    for name in [name::TRACE, name::HISTORY, name::PAGE] {
        if !same && !draft.join(name).exists() {
            match fs::remove_file(target.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    for entry in fs::read_dir(draft)? {
        let entry = entry?;
        fs::rename(entry.path(), target.join(entry.file_name()))?;
    }
    fs::remove_dir(draft)
}

/// Writes the results of a run into the empty directory `folder`.
fn fill(folder: &Path, artefacts: Artefacts<'_>) -> io::Result<()> {
    let Artefacts { verdict, record, trace, history, page } = artefacts;
    json(&folder.join(name::RUN), record)?;
    json(&folder.join(name::VERDICT), verdict)?;
    let words = explain(verdict, record);
    fs::write(folder.join(name::EXPLAIN), escape::lines(&words).as_bytes())?;
    fs::write(folder.join(name::REPRO), format!("{}\n", record.command()))?;
    if let Some(page) = page {
        fs::write(folder.join(name::PAGE), page)?;
    }
    fill_trace(folder, trace, history)
}

fn fill_trace(
    folder: &Path,
    trace: Option<Lines<'_>>,
    history: Option<Lines<'_>>,
) -> io::Result<()> {
    if let Some(lines) = trace {
        let file = BufWriter::new(File::create(folder.join(name::TRACE))?);
        // Without a time stamp, so that the same run gives the same file.
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

/// Adds the trace and the history to the results directory `folder`, without touching its other
/// files.
///
/// # Errors
///
/// If they cannot be written. Then nothing has changed.
pub fn add_trace(folder: &Path, trace: Lines<'_>, history: Lines<'_>) -> io::Result<()> {
    let draft = folder.join(format!(".trace.{}", std::process::id()));
    fs::create_dir(&draft)?;
    let written = fill_trace(&draft, Some(trace), Some(history)).and_then(|()| {
        [name::TRACE, name::HISTORY]
            .iter()
            .try_for_each(|name| fs::rename(draft.join(name), folder.join(name)))
    });
    let removed = fs::remove_dir_all(&draft);
    written.and(removed)
}

/// Writes the page of a run into its results directory `folder`, without touching its other files.
///
/// # Errors
///
/// If it cannot be written. Then nothing has changed.
pub fn write_page(folder: &Path, page: &[u8]) -> io::Result<()> {
    let draft = folder.join(format!(".page.{}", std::process::id()));
    let written = fs::write(&draft, page);
    let written = written.and_then(|()| fs::rename(&draft, folder.join(name::PAGE)));
    written.inspect_err(|_| drop(fs::remove_file(&draft)))
}

fn json(path: &Path, value: &impl serde::Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    text.push('\n');
    fs::write(path, escape::json(&text))
}

/// Makes `latest` in `base` a link to `name`; without support for links, a file with the name.
///
/// # Errors
///
/// If it cannot be written, or `latest` exists and is not a link.
pub fn point_latest_at(base: &Path, name: &str) -> io::Result<()> {
    let latest = base.join(name::LATEST);
    if fs::symlink_metadata(&latest).is_ok_and(|there| cfg!(unix) && !there.is_symlink()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it exists and is not a link"));
    }
    let draft = base.join(format!(".latest.{}", std::process::id()));
    let _ = fs::remove_file(&draft);
    #[cfg(unix)]
    std::os::unix::fs::symlink(name, &draft)?;
    #[cfg(not(unix))]
    fs::write(&draft, name)?;
    fs::rename(&draft, &latest).inspect_err(|_| drop(fs::remove_file(&draft)))
}

/// Opens a file to be read completely. Pipes and devices are refused: they may have no end.
///
/// # Errors
///
/// If it cannot be opened, or is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    File::open(path)
}

/// Reads a file of at most `longest` bytes.
///
/// # Errors
///
/// Those of [`open`], or if the file is longer.
pub fn read(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(longest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > longest {
        let message = format!("it is longer than {longest} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// Reads the record in `path`: a results directory, or its `run.json`.
///
/// # Errors
///
/// If there is no record, or it is not of this version.
pub fn read_record(path: &Path) -> io::Result<RunRecord> {
    let file = if path.is_dir() { path.join(name::RUN) } else { path.to_owned() };
    let bytes = read(&file, LONGEST_RECORD)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The lines of the trace in the results directory `folder`; `None` if none was kept.
///
/// # Errors
///
/// If it cannot be read.
pub fn read_trace(folder: &Path) -> io::Result<Option<impl Iterator<Item = io::Result<String>>>> {
    match open(&folder.join(name::TRACE)) {
        Ok(file) => {
            let (most, line) = LONGEST_TRACE;
            Ok(Some(lines(BufReader::new(GzDecoder::new(file)), most, line)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The lines of `reader`, limited to `most` bytes in total and `longest` bytes per line: a few
/// bytes of gzip can expand to any number.
fn lines(
    mut reader: impl BufRead,
    most: u64,
    longest: u64,
) -> impl Iterator<Item = io::Result<String>> {
    let mut left = Some(most);
    std::iter::from_fn(move || {
        let rest = left?;
        let mut line = Vec::new();
        let read = match (&mut reader).take(longest.min(rest) + 1).read_until(b'\n', &mut line) {
            Ok(0) => return None,
            Ok(read) => read as u64,
            Err(error) => return Some(Err(error)),
        };
        if read > longest || read > rest {
            left = None;
            let what = if read > longest { "a line of it" } else { "it" };
            let message = format!("{what} is longer than {} bytes", longest.min(rest));
            return Some(Err(io::Error::new(io::ErrorKind::FileTooLarge, message)));
        }
        left = Some(rest - read);
        let text = String::from_utf8(line);
        let text = text.map(|text| text.trim_end_matches(['\n', '\r']).to_owned());
        Some(text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_runs_may_have_one_name_as_is_said() {
        let names: Vec<String> = names_like("a-1").collect();
        assert_eq!(names.len(), MOST_OF_ONE_NAME as usize);
        assert_eq!((names[0].as_str(), names[1].as_str()), ("a-1", "a-1-2"));
    }

    /// A scenario's name cannot lead out of the results directory.
    #[test]
    fn the_name_of_a_directory_leads_nowhere_else() {
        assert_eq!(
            directory_name("leader-crash", 42, "0123456789").unwrap(),
            "leader-crash-42-01234567"
        );
        assert_eq!(directory_name("a", 1, "").unwrap(), "a-1-panic");
        for (scenario, digest) in
            [("../../evil", "01"), ("a/b", "01"), ("a", "../../x"), ("a\0", "0")]
        {
            let error = directory_name(scenario, 1, digest).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{scenario} {digest}");
        }
    }
}
