//! The results directory of a fuzz run:
//!
//! ```text
//! journal.jsonl                     every run, from the moment it is finished
//! fuzz.json                         the result, as --json prints it
//! <scenario>-<seed>-<digest8>/      failures: the smallest seeds of each signature, and the worst
//! ```
//!
//! The directory is locked while a process writes into it.

use crate::exit::Failure;
use scenarios::escape;
use scenarios::result::files;
use spec::{Diagnostic, Kind};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The name of the journal.
pub(super) const JOURNAL: &str = "journal.jsonl";

/// The directory of results directories, unless `--out` names another.
const BASE: &str = "results";

/// A results directory into which no other process writes.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The directories that were created for it, itself first.
    created: Vec<PathBuf>,
    /// Kept open, since this holds the lock.
    _lock: File,
}

impl Folder {
    /// The directory `out`, or a new one called after `label`.
    ///
    /// # Errors
    ///
    /// If it cannot be created, already holds a fuzz run, or belongs to a fuzz run in progress.
    pub(super) fn new(out: Option<&Path>, label: &str) -> Result<Self, Failure> {
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| Failure::unwritable(&path, &error)
        };
        let Some(out) = out else {
            let base = Path::new(BASE);
            let mut created = not_there(base);
            files::probe(base).map_err(unwritable(base))?;
            fs::create_dir_all(base).map_err(unwritable(base))?;
            let path = fresh(base, label).map_err(unwritable(base))?;
            created.insert(0, path.clone());
            let lock = lock(&path)?;
            return Ok(Self { path, created, _lock: lock });
        };
        let created = not_there(out);
        files::probe(out).map_err(unwritable(out))?;
        fs::create_dir_all(out).map_err(unwritable(out))?;
        let lock = lock(out)?;
        // Decided only under the lock: an empty journal may be one that another process has just
        // begun.
        let journal = out.join(JOURNAL);
        if fs::metadata(&journal).is_ok_and(|journal| journal.len() == 0) {
            // A full disk may have left an empty journal.
            fs::remove_file(&journal).map_err(unwritable(&journal))?;
        }
        if fs::symlink_metadata(&journal).is_ok() {
            return Err(taken(out, "holds a fuzz run already"));
        }
        Ok(Self { path: out.to_owned(), created, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A new journal.
    pub(super) fn journal(&self) -> Result<Journal, Failure> {
        Journal::create(self.path.join(JOURNAL))
    }

    /// A new journal that is moved to its place when it is complete ([`Draft::keep`]).
    pub(super) fn draft(&self) -> Result<Draft, Failure> {
        let path = self.path.join(format!(".{JOURNAL}.{}", std::process::id()));
        let journal = Journal::create(path)?;
        Ok(Draft { journal, place: self.path.join(JOURNAL) })
    }

    /// Removes the created directories if they are empty.
    pub(super) fn discard(self) {
        for path in self.created {
            let _ = fs::remove_dir(path);
        }
    }

    /// Writes a JSON file completely or not at all.
    pub(super) fn write_json(
        &self,
        name: &str,
        value: &impl serde::Serialize,
    ) -> Result<(), Failure> {
        let path = self.path.join(name);
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::unwritable(&path, &io::Error::other(error)))?;
        replace(&path, &(escape::json(&text) + "\n"))
    }
}

/// Locks a directory until the file is closed or the process ends.
fn lock(path: &Path) -> Result<File, Failure> {
    let folder = File::open(path).map_err(|error| Failure::unwritable(path, &error))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => Err(taken(path, "is being written by another fuzz run")),
        // On a file system without locks, an existing journal is the only sign of another run.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(folder),
        Err(TryLockError::Error(error)) => Err(Failure::unwritable(path, &error)),
    }
}

fn taken(path: &Path, how: &str) -> Failure {
    let message = format!("{} {how}", path.display());
    let hint = "give another --out, or delete it".to_owned();
    Diagnostic::new(Kind::Unwritable, message).with_hint(Some(hint)).into()
}

/// The directories on a path that do not exist, the innermost first.
fn not_there(path: &Path) -> Vec<PathBuf> {
    let all = path.ancestors().take_while(|path| *path != Path::new("") && !path.exists());
    all.map(Path::to_owned).collect()
}

/// A new directory in `base`.
fn fresh(base: &Path, label: &str) -> io::Result<PathBuf> {
    let mut path = base.join(label);
    for number in 2_u64.. {
        match fs::create_dir(&path) {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = base.join(format!("{label}-{number}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(path)
}

/// Writes a file elsewhere and moves it to its place. A link is followed.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let unwritable = |error: &io::Error| Failure::unwritable(path, error);
    let place = match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => {
            fs::canonicalize(path).map_err(|error| unwritable(&error))?
        }
        _ => path.to_owned(),
    };
    let name = place.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let draft = place.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = fs::write(&draft, text).and_then(|()| fs::rename(&draft, &place));
    written.map_err(|error| {
        let _ = fs::remove_file(&draft);
        unwritable(&error)
    })
}

/// A journal that is being written, without a buffer: appended lines survive any end of the
/// process.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    fn create(path: PathBuf) -> Result<Self, Failure> {
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err(Failure::unwritable(&path, &error)),
        }
    }

    pub(super) fn append(&mut self, lines: &str) -> io::Result<()> {
        self.file.write_all(lines.as_bytes())
    }

    /// The failure of an [`Journal::append`].
    pub(super) fn unwritten(&self, error: &io::Error) -> Failure {
        Failure::unwritable(&self.path, error)
    }
}

/// A journal that is written elsewhere than its final place.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) journal: Journal,
    place: PathBuf,
}

impl Draft {
    /// Moves the complete journal to its place.
    pub(super) fn keep(self) -> Result<(), Failure> {
        fs::rename(&self.journal.path, &self.place)
            .map_err(|error| Failure::unwritable(&self.place, &error))
    }

    /// Removes it.
    pub(super) fn discard(self) {
        let _ = fs::remove_file(&self.journal.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of two processes that write into one directory at once the second is refused, even while the
    /// journal of the first is still empty.
    #[test]
    fn a_directory_is_written_by_one_process_at_a_time() {
        let path = std::env::temp_dir().join(format!("faultline-lock-{}", std::process::id()));
        let Ok(first) = Folder::new(Some(&path), "") else { panic!("a directory for the test") };
        let Ok(_journal) = first.journal() else { panic!("a journal for the test") };
        let second = Folder::new(Some(&path), "").expect_err("it is locked");
        assert!(format!("{second:?}").contains("is being written by another fuzz run"));
        assert!(path.join(JOURNAL).is_file(), "the journal of the first is still there");
        drop(first);
        let Ok(third) = Folder::new(Some(&path), "") else { panic!("it is free again") };
        let Ok(mut draft) = third.draft() else { panic!("a journal for the test") };
        draft.journal.append("{}\n").expect("it can be written");
        draft.keep().expect("it can be moved");
        drop(third);
        let fourth = Folder::new(Some(&path), "").expect_err("it holds a run");
        assert!(format!("{fourth:?}").contains("holds a fuzz run already"));
        fs::remove_dir_all(path).expect("it can be removed");
    }
}
