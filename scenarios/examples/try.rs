#![allow(missing_docs, clippy::print_stdout, clippy::disallowed_types, clippy::disallowed_methods)]
use scenarios::{catalog, run, spec::Resolved};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let name = &args[1];
    let (a, b) = args[2]
        .split_once("..")
        .map(|(a, b)| (a.parse::<u64>().unwrap(), b.parse().unwrap()))
        .unwrap_or_else(|| {
            let n = args[2].parse().unwrap();
            (n, n + 1)
        });
    let mut bugs = vec![];
    let mut sets = vec![];
    let mut verbose = false;
    let mut trace = false;
    for arg in &args[3..] {
        match arg.as_str() {
            "-v" => verbose = true,
            "-t" => trace = true,
            s if s.contains('=') => sets.push(s.to_string()),
            s => bugs.push(s.to_string()),
        }
    }
    let (mut scenario, _) = if name.ends_with(".toml") {
        scenarios::spec::Scenario::parse(name, &std::fs::read_to_string(name).unwrap())
            .unwrap_or_else(|e| panic!("{e:?}"))
    } else {
        catalog::scenario(name).unwrap_or_else(|e| panic!("{e:?}"))
    };
    scenario.set_all(&sets).unwrap_or_else(|e| panic!("{e:?}"));
    let t = std::time::Instant::now();
    let mut tally = std::collections::BTreeMap::new();
    let mut reached = 0u64;
    let mut events = 0;
    let mut exercised = std::collections::BTreeMap::new();
    for seed in a..b {
        let resolved = Resolved { scenario: scenario.clone(), seed, bugs: bugs.clone(), trace };
        let out = match std::panic::catch_unwind(|| run::run(&resolved)) {
            Ok(out) => out,
            Err(_) => {
                println!("PANIC seed {seed}");
                *tally.entry("panic".to_string()).or_insert(0) += 1;
                continue;
            }
        };
        let v = &out.verdict;
        *tally.entry(v.outcome.name().to_string()).or_insert(0) += 1;
        if !v.permitted.is_empty() {
            *tally.entry("permitted".to_string()).or_insert(0) += 1;
        }
        if v.counts.lost > 0 {
            *tally.entry("lost".to_string()).or_insert(0) += 1;
        }
        reached += v.bugs.iter().map(|b| u64::from(b.reached > 0)).sum::<u64>();
        events += v.events;
        for k in v.exercised.keys() {
            *exercised.entry(k.clone()).or_insert(0u64) += 1;
        }
        if verbose || (v.outcome.exit_code() != 0 && b - a <= 3000) {
            println!(
                "seed {seed} {:?} {} sim {}ms setup {} load {} conv {} events {} counts {:?}",
                v.outcome,
                v.digest,
                v.simulated_ns / 1000000,
                out.stats.setup_ns / 1000000,
                out.stats.load_ns / 1000000,
                out.stats.converge_ns / 1000000,
                v.events,
                v.counts
            );
            for x in v.violations.iter().take(5) {
                println!("   V {} {} | {} | {}", x.at_ns, x.check, x.signature, x.summary);
                if verbose {
                    for l in &x.explanation {
                        println!("        {l}");
                    }
                }
            }
            for x in v.unknown.iter().take(5) {
                println!("   ? {x}");
            }
            for x in &v.not_exercised {
                println!("   not {x}");
            }
            if verbose {
                for x in &v.permitted {
                    println!("   P {} {} {} {}", x.hazard, x.count, x.because, x.summary);
                }
                for p in &out.plan {
                    println!(
                        "   F {:?} {:?} {:?} {} -> {:?}",
                        p.fault.name,
                        p.fault.at,
                        p.fault.lasts,
                        p.fault.when.as_ref().map(|w| w.to_string()).unwrap_or_default(),
                        p.fate
                    );
                }
                println!("   {:?}", v.exercised);
                println!("   {:?}", v.bugs);
            }
        }
        if trace {
            use std::io::Write;
            let mut f = std::fs::File::create("/tmp/run-trace.txt").unwrap();
            for e in &out.trace {
                writeln!(f, "{}", serde_json::to_string(e).unwrap()).unwrap();
            }
            let mut f = std::fs::File::create("/tmp/run-history.txt").unwrap();
            for l in out.history.lines() {
                writeln!(f, "{l}").unwrap();
            }
        }
    }
    let s = t.elapsed().as_secs_f64();
    println!(
        "{tally:?} reached {reached} {:.2} ms/seed {} events/seed",
        s * 1000.0 / (b - a) as f64,
        events / (b - a)
    );
    if b - a > 1 {
        println!("{exercised:?}");
    }
}
