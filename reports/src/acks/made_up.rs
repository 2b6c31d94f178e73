//! A made-up study, for tests and for looking at the page while changing it. No cluster ran: the
//! numbers are drawn so that every part of the page has something to show.

use super::confirm::{Acks, Setting};
use super::study::{
    FORMAT, Header, Latencies, Loss, NotDefault, Produce, RecordCounts, Run, Seeds, Study,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

const FAMILIES: [&str; 6] =
    ["crash", "power-loss", "partition", "pause", "lossy-link", "delay-metadata"];

/// The settings that are compared.
pub fn settings() -> Vec<Setting> {
    let each = |acks| [1, 2].map(|min_isr| Setting { acks, min_isr, idempotence: true });
    let off = Setting { acks: Acks::All, min_isr: 2, idempotence: false };
    Acks::EACH.into_iter().flat_map(each).chain([off]).collect()
}

/// A study of these seeds.
pub fn study(seeds: Seeds) -> Study {
    let settings = settings();
    let header = Header {
        kind: Header::kind(),
        version: FORMAT,
        faultline: "0.0.0-made-up".to_owned(),
        build: "none".to_owned(),
        scenario: "made-up".to_owned(),
        title: "numbers that no cluster produced".to_owned(),
        seeds,
        cut_short: None,
        settings: settings.clone(),
        replication_factor: 3,
        partitions: 3,
        unclean_leader_election: false,
        flush_messages: None,
        linger_ms: 5,
        rate_per_s: 100,
        families: FAMILIES.map(str::to_owned).to_vec(),
        lone_leaders: "10%".to_owned(),
        not_default: vec![NotDefault {
            of: "brokers".to_owned(),
            property: "replica.lag.time.max.ms".to_owned(),
            value: "2000".to_owned(),
            default: "30000".to_owned(),
        }],
        overrides: BTreeMap::new(),
        command: format!("faultline report acks --seeds {}", seeds.text()),
    };
    let one = |seed| settings.iter().map(move |setting| run(*setting, seed));
    let runs = (seeds.from..seeds.to).flat_map(one).collect();
    Study::new(header, runs)
}

fn run(setting: Setting, seed: u64) -> Run {
    // The faults depend on the seed alone, not on the setting.
    let mut plan = ChaCha8Rng::seed_from_u64(seed);
    let faults: BTreeMap<String, u64> = FAMILIES
        .iter()
        .filter(|_| plan.next_u32().is_multiple_of(2))
        .map(|family| ((*family).to_owned(), 1))
        .collect();
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0xacc5);
    let mut below = |n: u64| random.next_u64() % n;
    let sent = 4_000 + below(50);
    let (chance, most, hazard) = match (setting.acks, setting.min_isr) {
        (Acks::None, _) => (3, 90, "acks0-unreplicated"),
        (Acks::Leader, _) => (12, 20, "acks1-unreplicated"),
        (Acks::All, 1) => (80, 8, "isr-of-one"),
        (Acks::All, _) => (u64::MAX, 1, ""),
    };
    let lost = if below(chance) == 0 && chance != u64::MAX { 1 + below(most) } else { 0 };
    let unknown = if setting.acks == Acks::None { 0 } else { below(5) };
    let acks_none = setting.acks == Acks::None;
    let least = match setting.acks {
        Acks::None => 5,
        Acks::Leader => 1_400,
        Acks::All => 2_900 + u64::from(setting.min_isr) * 150,
    };
    let latencies = (0..sent - unknown).map(|_| {
        let slow = if below(400) == 0 { below(900_000) } else { 0 };
        least + below(least) + slow
    });
    let latency = Latencies::of(latencies.collect::<Vec<_>>());
    let cause =
        "in-sync replica 2 lacked the record, and broker 3 began to lead in epoch 5 at 7.204 s";
    let losses = (lost > 0).then(|| Loss {
        hazard: hazard.to_owned(),
        broken: false,
        count: lost,
        because: cause.to_owned(),
    });
    Run {
        setting,
        seed,
        outcome: "pass".to_owned(),
        digest: format!("{:032x}", u128::from(below(u64::MAX)) << 9),
        records: RecordCounts {
            sent,
            acked: if acks_none { 0 } else { sent - unknown },
            unconfirmed: if acks_none { sent } else { 0 },
            failed: 0,
            unknown,
            lost,
            duplicated: if acks_none || setting.is_idempotent() { 0 } else { below(3) },
            reordered: if acks_none || setting.is_idempotent() { 0 } else { below(2) },
        },
        faults,
        lone_leader: seed.is_multiple_of(9),
        leader_replaced: true,
        isr_shrunk: !seed.is_multiple_of(4),
        losses: losses.into_iter().collect(),
        latency,
        produce: Produce { batches: 800, retries: below(9), errors: below(2) },
        offered_ns: 20_000_000_000,
        written_meanwhile: sent - unknown - below(40),
        unavailable_ns: below(4_000_000_000) * u64::from(setting.min_isr),
        violations: Vec::new(),
        reproduce: format!(
            "faultline scenario made-up --seed {seed} --set acks={}",
            setting.acks.name()
        ),
    }
}
