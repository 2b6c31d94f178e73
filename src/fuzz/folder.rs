//! The results directory of a fuzz run:
//!
//! ```text
//! journal.jsonl                     every run, from the moment it is finished
//! fuzz.json                         the result, as --json prints it
//! <scenario>-<seed>-<digest8>/      the smallest seed of each signature
//! ```

use crate::exit::Failure;
use spec::{Diagnostic, Kind};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The name of the journal.
pub(super) const JOURNAL: &str = "journal.jsonl";

/// Where results go unless that is given.
const BASE: &str = "results";

/// A results directory.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// What was not there before, of it and of what it is in, itself first.
    created: Vec<PathBuf>,
}

impl Folder {
    /// The folder `out`, or a new one called after `label`.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or holds a fuzz run already.
    pub(super) fn new(out: Option<&Path>, label: &str) -> Result<Self, Failure> {
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| Failure::unwritable(&path, &error)
        };
        let Some(out) = out else {
            let mut created = not_there(Path::new(BASE));
            fs::create_dir_all(BASE).map_err(unwritable(Path::new(BASE)))?;
            let path = fresh(Path::new(BASE), label).map_err(unwritable(Path::new(BASE)))?;
            created.insert(0, path.clone());
            return Ok(Self { path, created });
        };
        let journal = out.join(JOURNAL);
        if fs::metadata(&journal).is_ok_and(|journal| journal.len() == 0) {
            // A full disk may have left it.
            fs::remove_file(&journal).map_err(unwritable(&journal))?;
        }
        if journal.exists() {
            let message = format!("{} holds a fuzz run already", out.display());
            let hint = "give another --out, or delete it".to_owned();
            return Err(Diagnostic::new(Kind::Unwritable, message).with_hint(Some(hint)).into());
        }
        let created = not_there(out);
        fs::create_dir_all(out).map_err(unwritable(out))?;
        scenarios::result::files::probe(out).map_err(unwritable(out))?;
        Ok(Self { path: out.to_owned(), created })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A new journal.
    pub(super) fn journal(&self) -> Result<Journal, Failure> {
        Journal::create(self.path.join(JOURNAL))
    }

    /// A new journal that is not there before it is whole ([`Draft::keep`]).
    pub(super) fn draft(&self) -> Result<Draft, Failure> {
        let path = self.path.join(format!(".{JOURNAL}.{}", std::process::id()));
        let journal = Journal::create(path)?;
        Ok(Draft { journal, place: self.path.join(JOURNAL) })
    }

    /// Takes back that it was made, if nothing is in it.
    pub(super) fn discard(self) {
        for path in self.created {
            let _ = fs::remove_dir(path);
        }
    }

    /// Writes a file of JSON, whole or not at all.
    pub(super) fn write_json(
        &self,
        name: &str,
        value: &impl serde::Serialize,
    ) -> Result<(), Failure> {
        let path = self.path.join(name);
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::unwritable(&path, &io::Error::other(error)))?;
        replace(&path, &(text + "\n"))
    }
}

/// The folders on a path that are not there, the innermost first.
fn not_there(path: &Path) -> Vec<PathBuf> {
    let all = path.ancestors().take_while(|path| *path != Path::new("") && !path.exists());
    all.map(Path::to_owned).collect()
}

/// A folder in `base` that was not there before.
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

/// Writes a file beside its place and moves it there.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let draft = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = fs::write(&draft, text).and_then(|()| fs::rename(&draft, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&draft);
        Failure::unwritable(path, &error)
    })
}

/// A journal that is being written. Nothing is held back: what has been appended survives the end
/// of the process, whatever ends it.
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

    pub(super) fn append(&mut self, lines: &str) -> Result<(), Failure> {
        self.file
            .write_all(lines.as_bytes())
            .map_err(|error| Failure::unwritable(&self.path, &error))
    }
}

/// A journal that is written beside its place.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) journal: Journal,
    place: PathBuf,
}

impl Draft {
    /// It is whole: moves it to its place.
    pub(super) fn keep(self) -> Result<(), Failure> {
        fs::rename(&self.journal.path, &self.place)
            .map_err(|error| Failure::unwritable(&self.place, &error))
    }

    /// It is not.
    pub(super) fn discard(self) {
        let _ = fs::remove_file(&self.journal.path);
    }
}
