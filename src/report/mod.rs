//! `faultline report`: pages for decisions. `reports` decides how they look.

mod acks;
mod args;
mod convert;
mod delivery;
mod make;
mod out;
mod progress;
pub(crate) mod run;
mod summary;

pub(crate) use args::ReportArgs;
use args::What;

use crate::exit::Failure;

/// Makes a report.
pub(crate) fn command(args: &ReportArgs) -> Result<u8, Failure> {
    match &args.what {
        What::Acks(args) => acks::command(args),
        What::Delivery(args) => delivery::command(args),
        What::Run(args) => run::command(args),
    }
}
