//! Where a report is written.

use crate::exit::{self, Failure};
use reports::out::{OutFile, Own, Staging};
use scenarios::result::files as results;
use std::path::{Path, PathBuf};

/// The directory of reports without `--out`.
const RESULTS: &str = "results";

/// The destination of the report.
pub(super) enum Out {
    /// A given directory. It is prepared before anything is run.
    Named(String, Staging),
    /// A directory in [`RESULTS`], named by the digests of the runs.
    Results(Own),
}

impl Out {
    pub(super) fn new(named: Option<&Path>, own: Own) -> Result<Self, Failure> {
        match named {
            Some(path) => {
                let staging =
                    Staging::new(path, own).map_err(|error| Failure::unwritable(path, &error))?;
                Ok(Self::Named(path.display().to_string(), staging))
            }
            None => {
                let base = Path::new(RESULTS);
                results::probe(base).map_err(|error| Failure::unwritable(base, &error))?;
                Ok(Self::Results(own))
            }
        }
    }

    /// Writes the files and returns their directory, which `name` names in [`RESULTS`].
    pub(super) fn write(
        self,
        name: impl FnOnce() -> String,
        files: &[OutFile],
    ) -> Result<String, Failure> {
        let (folder, staging, name) = match self {
            Self::Named(folder, staging) => (folder, Ok(staging), None),
            Self::Results(own) => {
                let name = name();
                let path = PathBuf::from(RESULTS).join(&name);
                (path.display().to_string(), Staging::new(&path, own), Some(name))
            }
        };
        let written = staging.and_then(|staging| {
            files.iter().try_for_each(|file| staging.add(file))?;
            staging.finish()
        });
        let finished = written.map_err(|error| Failure::unwritable(Path::new(&folder), &error))?;
        if let Some(replaced) = finished.replaced {
            exit::say(&format!("replaces {replaced} that was there"));
        }
        if let Some(left) = finished.left {
            exit::say(&format!("warning: {left}"));
        }
        if let Some(name) = name {
            exit::point_latest_at(Path::new(RESULTS), &name);
        }
        Ok(folder)
    }
}
