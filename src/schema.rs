//! `faultline schema`: the formats of files and of output.

use crate::args::{Format, SchemaArgs};
use crate::exit::{Failure, print_json};
use crate::list::Listing;
use reports::acks::Summary;
use scenarios::fuzz::FuzzReport;
use scenarios::result::{RunRecord, VERSION, Verdict};
use schemars::{Schema, schema_for};
use spec::{ErrorReport, Scenario};

/// Prints a schema.
pub(crate) fn command(args: &SchemaArgs) -> Result<u8, Failure> {
    let (name, mut schema): (&str, Schema) = match args.format {
        Format::Scenario => ("scenario", schema_for!(Scenario)),
        Format::Run => ("run", schema_for!(RunRecord)),
        Format::Verdict => ("verdict", schema_for!(Verdict)),
        Format::Fuzz => ("fuzz", schema_for!(FuzzReport)),
        Format::Report => ("report", schema_for!(Summary)),
        Format::List => ("list", schema_for!(Listing)),
        Format::Error => ("error", schema_for!(ErrorReport)),
    };
    schema.insert("$id".to_owned(), format!("urn:faultline:{name}:{VERSION}").into());
    print_json(&schema);
    Ok(0)
}
