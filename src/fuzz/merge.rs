//! `faultline fuzz merge`: the parts of a run as if they had been one.

use super::args::MergeArgs;
use super::folder::{Folder, JOURNAL};
use super::{finish, probe_junit};
use crate::execute::is_interrupted;
use crate::exit::{self, Failure};
use scenarios::fuzz::{Merged, Refusal, Writer, merge};
use spec::{Diagnostic, Kind};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

/// Joins parts.
pub(super) fn command(args: &MergeArgs) -> Result<u8, Failure> {
    let mut journals = Vec::new();
    for part in &args.parts {
        let path = if part.is_dir() { part.join(JOURNAL) } else { part.clone() };
        let file = File::open(&path).map_err(|error| match (part.is_dir(), error.kind()) {
            (true, io::ErrorKind::NotFound) => no_journal(part),
            _ => Failure::unreadable(&path, &error),
        })?;
        // What died before its first line has nothing, and the others are joined all the same.
        if file.metadata().is_ok_and(|journal| journal.is_file() && journal.len() == 0) {
            exit::tell(&format!("warning: {} is empty: it has no runs", path.display()));
            continue;
        }
        journals.push((path.display().to_string(), BufReader::new(file)));
    }
    if journals.is_empty() {
        let message = "there is nothing to join: no part has a run";
        return Err(Diagnostic::new(Kind::Malformed, message).into());
    }
    probe_junit(&args.output)?;
    let folder = Folder::new(args.output.out.as_deref(), "fuzz-merged")?;
    let merged = match join(args, journals, &folder) {
        Ok(merged) => merged,
        Err(failure) => {
            folder.discard();
            return match is_interrupted() {
                true => Ok(exit::interrupted("nothing was written", args.output.json)),
                false => Err(failure),
            };
        }
    };
    for note in &merged.notes {
        exit::tell(&format!("warning: {note}"));
    }
    Ok(finish(&args.output, &merged.plan, &folder, merged.report, None))
}

/// Joins the journals into a new one in `folder`.
fn join(
    args: &MergeArgs,
    journals: Vec<(String, BufReader<File>)>,
    folder: &Folder,
) -> Result<Merged, Failure> {
    // Both callbacks write into it.
    let draft = RefCell::new(folder.draft()?);
    let append = |lines: &str| {
        let mut draft = draft.borrow_mut();
        draft.journal.append(lines).map_err(|_| io::Error::other("the disk does not take it"))
    };
    let mut writer = Writer::default();
    let merged = merge(
        journals,
        usize::from(args.output.max_per_signature),
        |header| append(&Writer::default().header(header)),
        |record| match is_interrupted() {
            true => Err(io::Error::from(io::ErrorKind::Interrupted)),
            false => append(&writer.run(record)),
        },
    );
    let merged = merged.map_err(|refusal| refused(&refusal, folder.path()));
    let mut draft = draft.into_inner();
    let ended = merged
        .and_then(|merged| draft.journal.append(&writer.end(merged.end.clone())).map(|()| merged));
    match ended {
        Ok(merged) => draft.keep().map(|()| merged),
        Err(failure) => {
            draft.discard();
            Err(failure)
        }
    }
}

fn refused(refusal: &Refusal, out: &Path) -> Failure {
    match refusal {
        Refusal::Io(error) => Failure::unwritable(out, error),
        Refusal::Misfit(what) => Diagnostic::new(Kind::Usage, what.clone()).into(),
        Refusal::Damaged { journal, .. } => {
            let message = format!("cannot join {refusal}");
            let file = Some(PathBuf::from(journal).display().to_string());
            Diagnostic { file, ..Diagnostic::new(Kind::Malformed, message) }.into()
        }
    }
}

fn no_journal(part: &Path) -> Failure {
    let message = format!("{} holds no fuzz run: there is no {JOURNAL} in it", part.display());
    Diagnostic::new(Kind::Unreadable, message).into()
}
