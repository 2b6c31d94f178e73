//! Files of a report, and how they reach the disk: all of them or none.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file to be, within a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutFile {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl OutFile {
    /// A file.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

/// A directory that is filled beside its final place and moved there when it is whole.
#[derive(Debug)]
pub struct Staging {
    target: PathBuf,
    staged: PathBuf,
    done: bool,
}

impl Staging {
    /// Makes sure that a report can be written to `target`. Call it before the work begins.
    ///
    /// # Errors
    ///
    /// If nothing can be written beside `target`, or `target` is a file, or holds something that
    /// is no report: it would be replaced.
    pub fn new(target: &Path) -> io::Result<Self> {
        check_replaceable(target)?;
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
        // Left over from an earlier process of the same id.
        match std::fs::remove_dir_all(&staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => std::fs::create_dir(&staged)?,
        }
        Ok(Self { target: target.to_owned(), staged, done: false })
    }

    /// Where files are written for now.
    pub fn path(&self) -> &Path {
        &self.staged
    }

    /// Adds a file.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn add(&self, file: &OutFile) -> io::Result<()> {
        let mut out = std::fs::File::options()
            .write(true)
            .create_new(true)
            .open(self.staged.join(&file.name))?;
        out.write_all(&file.bytes)?;
        out.sync_data()
    }

    /// Puts everything in its place, where an earlier report goes away.
    ///
    /// # Errors
    ///
    /// What the file system says. The earlier report is still there then.
    pub fn finish(mut self) -> io::Result<()> {
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
        if had_old { std::fs::remove_dir_all(&old) } else { Ok(()) }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.done {
            // Nothing more can be done about a directory that will not go.
            let _ = std::fs::remove_dir_all(&self.staged);
        }
    }
}

/// Only a report or an empty directory is ever replaced.
fn check_replaceable(target: &Path) -> io::Result<()> {
    let mut entries = match std::fs::read_dir(target) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if entries.next().is_some() && !target.join("report.json").is_file() {
        return Err(io::Error::other("the directory holds something that is no report"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> PathBuf {
        let place = std::env::temp_dir().join(format!("faultline-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&place);
        place
    }

    fn write(target: &Path, text: &str) {
        let staging = Staging::new(target).unwrap();
        staging.add(&OutFile::new("report.json", text)).unwrap();
        staging.finish().unwrap();
    }

    #[test]
    fn a_report_replaces_a_report_and_an_unfinished_one_leaves_no_trace() {
        let root = place("replace");
        let target = root.join("report");
        write(&target, "one");
        let unfinished = Staging::new(&target).unwrap();
        unfinished.add(&OutFile::new("report.json", "half")).unwrap();
        drop(unfinished);
        let read = || std::fs::read_to_string(target.join("report.json")).unwrap();
        assert_eq!(read(), "one");
        write(&target, "two");
        assert_eq!(read(), "two");
        assert_eq!(std::fs::read_dir(&root).unwrap().count(), 1, "nothing is left beside it");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn nothing_else_is_ever_replaced() {
        let root = place("keep");
        std::fs::create_dir_all(&root).unwrap();
        std::fs::File::create_new(root.join("thesis.tex")).unwrap();
        assert!(Staging::new(&root).is_err());
        assert!(Staging::new(&root.join("thesis.tex")).is_err());
        assert!(Staging::new(&root.join("thesis.tex/report")).is_err());
        assert!(root.join("thesis.tex").is_file());
        std::fs::remove_dir_all(root).unwrap();
    }
}
