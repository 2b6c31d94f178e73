//! `cargo xtask mutants`: wrong edits of the engine, and whether a fixed budget of seeds detects
//! each.
//!
//! The idea is that of cargo-mutants without its cost: cargo-mutants builds the program once for
//! each mutant, which takes a minute or two here. This task builds all mutants of a sample into one
//! program, each behind a switch (`if mutant(17) { wrong } else { right }`), in a copy of the
//! sources, and the environment selects one for a run. So a mutant costs only its seeds.
//!
//! ```text
//! find     every place in engine/src to which an operator applies
//! plant    the sample, into a copy of the tree; mutants that do not compile are left out
//! judge    the same seeds for each: a mutant is caught if they do not pass
//! report   docs/mutants.md: the score, and each survivor with an explanation
//! ```

mod find;
mod judge;
mod plant;
mod report;

use find::Mutant;
use plant::Planted;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::error::Error;
use std::path::{Path, PathBuf};

/// The result of a task, with any error.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// The arguments of `cargo xtask mutants`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The number of mutants, drawn at random; all by default
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// The seed of the sample
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Only every N-th mutant of the sample, starting at the I-th; I counts from 1
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<(usize, usize)>,
    /// Only mutants in files whose path contains this
    #[arg(long, value_name = "TEXT")]
    file: Option<String>,
    /// Seeds of `swarm` for each mutant
    #[arg(long, value_name = "N", default_value_t = 400)]
    swarm: u64,
    /// Seeds of each other scenario of the catalogue for each mutant
    #[arg(long, value_name = "N", default_value_t = 10)]
    catalogue: u64,
    /// Only print the mutants
    #[arg(long)]
    list: bool,
    /// The directory of the copy, the program and the results; an interrupted run is continued
    #[arg(long, value_name = "DIR", default_value = "target/mutants")]
    out: PathBuf,
    /// Judge the mutants that were not caught again, in the present sources
    #[arg(long)]
    again: bool,
    /// Use the program in `--out`, instead of planting and building
    #[arg(long)]
    reuse: bool,
    /// Write docs/mutants.md from the results of `--out`, of all shards, and run nothing
    #[arg(long)]
    report: bool,
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let expected = "expected I/N with I from 1 to N, such as 2/3";
    let (index, of) = text.split_once('/').ok_or(expected)?;
    match (index.parse(), of.parse()) {
        (Ok(index), Ok(of)) if (1..=of).contains(&index) => Ok((index, of)),
        _ => Err(expected.to_owned()),
    }
}

/// Finds, plants and judges mutants, or reports on them.
pub(crate) fn command(args: &Args) -> Outcome<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask is in the workspace")?;
    if args.report {
        return report::write(root, &args.out);
    }
    let all = find::all(&root.join("engine/src"))?;
    let chosen = choose(&all, args);
    println!("{} of {} mutants of engine/src", chosen.len(), all.len());
    if args.list {
        chosen.iter().for_each(|mutant| println!("line {:4}  {}", mutant.line, mutant.name()));
        return Ok(());
    }
    std::fs::create_dir_all(&args.out)?;
    let out = args.out.canonicalize()?;
    let results = judge::results(&out);
    let is_left = |name: &str| match args.again {
        true => judge::has_survived(&results, name),
        false => results.iter().all(|of| of[0].mutant != name),
    };
    let planted = if args.reuse {
        let mut planted = Planted::read(&out)?;
        planted.mutants.retain(|(_, name)| is_left(name));
        planted
    } else {
        // The sample of these sources may differ from that of the results.
        let left = if args.again { all } else { chosen };
        let left: Vec<Mutant> = left.into_iter().filter(|it| is_left(&it.name())).collect();
        if left.is_empty() {
            return Ok(());
        }
        plant::plant(root, &out, left, report::stand()?)?
    };
    println!("{} are judged already; {} are left", results.len(), planted.mutants.len());
    let budget = judge::Budget { swarm: args.swarm, catalogue: args.catalogue };
    judge::judge(&planted, &out, budget)
}

/// The shard of the sample.
fn choose(all: &[Mutant], args: &Args) -> Vec<Mutant> {
    let fits = |mutant: &&Mutant| args.file.as_ref().is_none_or(|text| mutant.file.contains(text));
    let mut chosen: Vec<Mutant> = all.iter().filter(fits).cloned().collect();
    if let Some(sample) = args.sample {
        chosen.shuffle(&mut ChaCha8Rng::seed_from_u64(args.seed));
        // The mutants are judged in this order, so that those of an interrupted run are a sample as
        // well.
        chosen.truncate(sample);
    }
    match args.shard {
        Some((index, of)) => chosen.into_iter().skip(index - 1).step_by(of).collect(),
        None => chosen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shards_of_a_sample_have_every_mutant_of_it_once() {
        let text = "fn f(a: i64) -> bool { a < 1 && a > 2 && a != 3 && a == 4 && a <= 5 }";
        let all = find::of_file("f.rs", text).expect("it is Rust");
        let args = |sample, shard| Args {
            sample,
            seed: 7,
            shard,
            file: None,
            swarm: 1,
            catalogue: 1,
            list: false,
            again: false,
            reuse: false,
            out: PathBuf::new(),
            report: false,
        };
        let names = |sample, shard| {
            let chosen = choose(&all, &args(sample, shard));
            chosen.iter().map(Mutant::name).collect::<Vec<_>>()
        };
        assert_eq!(names(None, None).len(), all.len());
        let sample = names(Some(6), None);
        assert_eq!((sample.len(), &sample), (6, &names(Some(6), None)));
        let mut shards = [names(Some(6), Some((1, 2))), names(Some(6), Some((2, 2)))].concat();
        shards.sort();
        let mut sorted = sample.clone();
        sorted.sort();
        assert_eq!(shards, sorted);
    }
}
