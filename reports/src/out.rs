//! Files of a report, written to disk together or not at all.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A file of a report, not yet written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutFile {
    /// The file name.
    pub name: String,
    /// The content.
    pub bytes: Vec<u8>,
}

impl OutFile {
    /// A file with this name and content.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

/// How an earlier report is recognised: only such a directory is ever replaced.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    /// The file that every such report has.
    pub mark: &'static str,
    /// Whether the content of `mark` is that of a Faultline report.
    pub is_marked: fn(&[u8]) -> bool,
    /// Whether such a report has a file of this name.
    pub has_file: fn(&str) -> bool,
    /// Describes a report by the content of `mark`.
    pub in_words: fn(&[u8]) -> String,
}

/// The outcome of [`Staging::finish`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The report that was replaced, in words.
    pub replaced: Option<String>,
    /// The message about files of the replaced report that could not be removed.
    pub left: Option<String>,
}

/// A directory that is filled beside its final place and moved there when it is complete.
#[derive(Debug)]
pub struct Staging {
    target: PathBuf,
    staged: PathBuf,
    own: Own,
    done: bool,
}

impl Staging {
    /// Makes sure that a report can be written to `target`. Call it before the runs begin.
    ///
    /// # Errors
    ///
    /// If nothing can be written beside `target`; if `target` is a file, a dangling link, or a
    /// directory with anything but such a report, since it would be replaced.
    pub fn new(target: &Path, own: Own) -> io::Result<Self> {
        // The target of a link is replaced, not the link.
        let behind = match std::fs::symlink_metadata(target) {
            Ok(there) if there.is_symlink() => Some(std::fs::canonicalize(target)?),
            _ => None,
        };
        let target = behind.as_deref().unwrap_or(target);
        check_replaceable(target, own)?;
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(parent)?;
        let name = target
            .file_name()
            .ok_or_else(|| io::Error::other("the path does not end in a name"))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", std::process::id()));
        let staged = parent.join(hidden);
        // A left-over of an earlier process with the same id.
        match std::fs::remove_dir_all(&staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => std::fs::create_dir(&staged)?,
        }
        Ok(Self { target: target.to_owned(), staged, own, done: false })
    }

    /// The directory to which files are written for now.
    pub fn path(&self) -> &Path {
        &self.staged
    }

    /// Adds a file.
    ///
    /// # Errors
    ///
    /// Any error of the file system.
    pub fn add(&self, file: &OutFile) -> io::Result<()> {
        let mut out = std::fs::File::options()
            .write(true)
            .create_new(true)
            .open(self.staged.join(&file.name))?;
        out.write_all(&file.bytes)?;
        out.sync_data()
    }

    /// Moves the directory to its final place and removes an earlier report there. If the earlier
    /// report cannot be removed, the new one is in place all the same.
    ///
    /// # Errors
    ///
    /// Any error of the file system, or if `target` meanwhile holds something other than a report.
    /// Then `target` is left unchanged.
    pub fn finish(mut self) -> io::Result<Finished> {
        check_replaceable(&self.target, self.own)?;
        // An empty directory has no mark.
        let replaced = read(&self.target.join(self.own.mark)).ok();
        let replaced = replaced.map(|bytes| (self.own.in_words)(&bytes));
        let mut old = self.staged.clone().into_os_string();
        old.push(".old");
        let had_old = match std::fs::rename(&self.target, &old) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if let Err(error) = std::fs::rename(&self.staged, &self.target) {
            if had_old {
                std::fs::rename(&old, &self.target)?;
            }
            return Err(error);
        }
        self.done = true;
        let old = Path::new(&old);
        let left = match had_old.then(|| remove_report(old, self.own)) {
            Some(Err(error)) => {
                Some(format!("the earlier report is left in {}: {error}", old.display()))
            }
            Some(Ok(())) | None => None,
        };
        Ok(Finished { replaced, left })
    }
}

/// Removes the files of a report one by one, and then their directory, which is kept if it holds
/// anything else.
fn remove_report(report: &Path, own: Own) -> io::Result<()> {
    for entry in std::fs::read_dir(report)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(own.has_file) {
            std::fs::remove_file(entry.path())?;
        }
    }
    std::fs::remove_dir(report)
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.done {
            // Nothing more can be done about a directory that cannot be removed.
            let _ = std::fs::remove_dir_all(&self.staged);
        }
    }
}

/// Only a Faultline report without other files, or an empty directory, is ever replaced.
fn check_replaceable(target: &Path, own: Own) -> io::Result<()> {
    let entries = match std::fs::read_dir(target) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut is_empty = true;
    for entry in entries {
        let (entry, foreign) = (entry?, "which no report has; choose another directory");
        let name = entry.file_name();
        if !name.to_str().is_some_and(own.has_file) || !entry.file_type()?.is_file() {
            let name = name.to_string_lossy();
            return Err(io::Error::other(format!("the directory holds {name}, {foreign}")));
        }
        is_empty = false;
    }
    let is_marked = |bytes: Vec<u8>| (own.is_marked)(&bytes);
    if is_empty || read(&target.join(own.mark)).is_ok_and(is_marked) {
        return Ok(());
    }
    let message = format!("its {} was not written by Faultline for a report", own.mark);
    Err(io::Error::other(message))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::options().read(true).open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> PathBuf {
        let place = std::env::temp_dir().join(format!("faultline-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&place);
        place
    }

    fn put(path: &Path, text: &str) {
        std::fs::File::create_new(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    const OWN: Own = Own {
        mark: "report.json",
        is_marked: |bytes| bytes.starts_with(b"ours"),
        has_file: |name| ["report.json", "index.html"].contains(&name),
        in_words: |bytes| String::from_utf8_lossy(bytes).into_owned(),
    };

    fn staged(target: &Path, text: &str) -> Staging {
        let staging = Staging::new(target, OWN).unwrap();
        staging.add(&OutFile::new("report.json", text)).unwrap();
        staging
    }

    /// Writes a report and returns which report it replaces.
    fn write(target: &Path, text: &str) -> Option<String> {
        let Finished { replaced, left } = staged(target, text).finish().unwrap();
        assert_eq!(left, None);
        replaced
    }

    #[test]
    fn a_report_replaces_a_report_and_an_unfinished_one_leaves_no_trace() {
        let root = place("replace");
        let target = root.join("report");
        assert_eq!(write(&target, "ours, one"), None);
        drop(staged(&target, "half"));
        let read = || std::fs::read_to_string(target.join("report.json")).unwrap();
        assert_eq!(read(), "ours, one");
        assert_eq!(write(&target, "ours, two").as_deref(), Some("ours, one"));
        assert_eq!(read(), "ours, two");
        assert_eq!(std::fs::read_dir(&root).unwrap().count(), 1, "nothing is left beside it");
        let empty = root.join("empty");
        std::fs::create_dir(&empty).unwrap();
        assert_eq!(write(&empty, "ours, three"), None);
        std::fs::remove_dir_all(root).unwrap();
    }

    /// A link to a report still leads to a report afterwards, to the new one.
    #[cfg(unix)]
    #[test]
    fn a_link_is_followed() {
        let root = place("link");
        let (target, link) = (root.join("kept/report"), root.join("link"));
        assert_eq!(write(&target, "ours, one"), None);
        std::os::unix::fs::symlink("kept/report", &link).unwrap();
        assert_eq!(write(&link, "ours, two").as_deref(), Some("ours, one"));
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        for path in [&target, &link] {
            let read = std::fs::read_to_string(path.join("report.json")).unwrap();
            assert_eq!(read, "ours, two");
        }
        std::os::unix::fs::symlink("nowhere", root.join("dangling")).unwrap();
        assert!(Staging::new(&root.join("dangling"), OWN).is_err());
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn only_a_report_is_ever_replaced() {
        let root = place("keep");
        std::fs::create_dir_all(&root).unwrap();
        std::fs::File::create_new(root.join("thesis.tex")).unwrap();
        assert!(Staging::new(&root, OWN).is_err());
        assert!(Staging::new(&root.join("thesis.tex"), OWN).is_err());
        assert!(Staging::new(&root.join("thesis.tex/report"), OWN).is_err());
        assert!(root.join("thesis.tex").is_file());
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_report_of_another_program_is_not_replaced() {
        let root = place("another");
        std::fs::create_dir_all(&root).unwrap();
        put(&root.join("report.json"), "{\"coverage\": 80}");
        let refused = Staging::new(&root, OWN).unwrap_err().to_string();
        assert!(refused.contains("not written by Faultline for a report"), "{refused}");
        assert_eq!(std::fs::read_dir(&root).unwrap().count(), 1);
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn notes_beside_a_report_are_kept_even_if_they_are_written_during_the_runs() {
        let root = place("notes");
        let target = root.join("report");
        assert_eq!(write(&target, "ours, one"), None);
        let staging = staged(&target, "ours, two");
        let notes = target.join("notes.md");
        put(&notes, "what I think of it");
        for refused in [staging.finish().unwrap_err(), Staging::new(&target, OWN).unwrap_err()] {
            assert!(refused.to_string().contains("holds notes.md"), "{refused}");
        }
        assert!(notes.is_file());
        assert_eq!(std::fs::read_to_string(target.join("report.json")).unwrap(), "ours, one");
        // A directory is kept whatever its name.
        std::fs::remove_file(&notes).unwrap();
        std::fs::create_dir(target.join("index.html")).unwrap();
        assert!(Staging::new(&target, OWN).is_err());
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn files_that_an_earlier_report_does_not_have_are_kept() {
        let root = place("left");
        std::fs::create_dir_all(&root).unwrap();
        put(&root.join("report.json"), "ours");
        put(&root.join("late.txt"), "came at the last moment");
        let error = remove_report(&root, OWN).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::DirectoryNotEmpty);
        assert!(root.join("late.txt").is_file());
        std::fs::remove_dir_all(root).unwrap();
    }
}
