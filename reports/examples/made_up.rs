//! Writes the report on a made-up study, to look at the page while changing it:
//! `cargo run -p reports --features made-up --example made_up -- /tmp/report`.

use reports::acks::{OWN, Seeds, files, made_up};
use reports::out::Staging;
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let target = std::env::args_os().nth(1).map_or_else(|| "made-up".into(), PathBuf::from);
    let staging = Staging::new(&target, OWN)?;
    let (_, files) = files(&made_up::study(Seeds { from: 0, to: 500 }));
    files.iter().try_for_each(|file| staging.add(file))?;
    staging.finish().map(drop)
}
