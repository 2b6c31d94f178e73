//! The path that was probably meant by one that does not exist.

use spec::nearest;
use std::path::{Path, PathBuf};

/// The existing path that `path`, which does not exist, was probably meant to be: its first part
/// that does not exist is replaced by the most similar name there.
pub(crate) fn nearest_path(path: &Path) -> Option<PathBuf> {
    let mut existing = PathBuf::new();
    let mut parts = path.iter();
    let missing = parts.find(|part| {
        let exists = existing.join(part).exists();
        if exists {
            existing.push(part);
        }
        !exists
    })?;
    let folder = if existing.as_os_str().is_empty() { Path::new(".") } else { &existing };
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let meant = existing.join(nearest(missing.to_str()?, names.iter().map(String::as_str))?);
    let whole: PathBuf = std::iter::once(meant.as_os_str()).chain(parts).collect();
    [whole, meant].into_iter().find(|path| path.exists())
}

/// The hint for a path that does not exist, if another was probably meant.
pub(crate) fn hint(path: &Path) -> Option<String> {
    nearest_path(path).map(|meant| format!("did you mean `{}`?", meant.display()))
}
