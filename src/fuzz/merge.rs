//! `faultline fuzz merge`: merges the parts of a run into the result of the whole.

use super::args::MergeArgs;
use super::folder::{Draft, Folder, JOURNAL};
use super::{finish, probe_junit};
use crate::execute::is_interrupted;
use crate::exit::{self, Failure};
use scenarios::fuzz::{Merged, Refusal, Writer, merge};
use scenarios::result::files;
use spec::{Diagnostic, Kind};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

/// Merges parts.
pub(super) fn command(args: &MergeArgs) -> Result<u8, Failure> {
    let mut journals = Vec::new();
    for part in &args.parts {
        let path = if part.is_dir() { part.join(JOURNAL) } else { part.clone() };
        let file = files::open(&path).map_err(|error| match (part.is_dir(), error.kind()) {
            (true, io::ErrorKind::NotFound) => no_journal(part),
            _ => Failure::unreadable(&path, &error),
        })?;
        // A part that was killed before its first line has no runs; the others are merged.
        if file.metadata().is_ok_and(|journal| journal.len() == 0) {
            exit::say(&format!("warning: {} is empty: it has no runs", path.display()));
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
        exit::say(&format!("warning: {note}"));
    }
    Ok(finish(&args.output, &merged.plan, &folder, merged.report, None))
}

/// The merged journal, as far as it is written.
struct Joined {
    draft: Draft,
    writer: Writer,
}

impl Joined {
    fn append(&mut self, lines: impl FnOnce(&mut Writer) -> String) -> io::Result<()> {
        self.draft.journal.append(&lines(&mut self.writer))
    }
}

/// Merges the journals into a new one in `folder`.
fn join(
    args: &MergeArgs,
    journals: Vec<(String, BufReader<File>)>,
    folder: &Folder,
) -> Result<Merged, Failure> {
    // Both callbacks write into the journal.
    let joined = RefCell::new(Joined { draft: folder.draft()?, writer: Writer::default() });
    let merged = merge(
        journals,
        usize::from(args.output.max_per_signature),
        |header| joined.borrow_mut().append(|writer| writer.header(header)),
        |record| match is_interrupted() {
            true => Err(io::Error::from(io::ErrorKind::Interrupted)),
            false => joined.borrow_mut().append(|writer| writer.run(record)),
        },
    );
    let mut joined = joined.into_inner();
    let merged = merged.and_then(|merged| {
        let ended = joined.append(|writer| writer.end(merged.end.clone()));
        ended.map(|()| merged).map_err(Refusal::Io)
    });
    match merged.map_err(|refusal| refused(&refusal, folder.path())) {
        Ok(merged) => joined.draft.keep().map(|()| merged),
        Err(failure) => {
            joined.draft.discard();
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
            let file = Some(journal.clone());
            Diagnostic { file, ..Diagnostic::new(Kind::Malformed, message) }.into()
        }
    }
}

fn no_journal(part: &Path) -> Failure {
    let message = format!("{} holds no fuzz run: there is no {JOURNAL} in it", part.display());
    Diagnostic::new(Kind::Unreadable, message).into()
}
