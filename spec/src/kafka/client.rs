//! Cross-checks of producers and consumers, in their configuration classes and constructors.

use super::refusal::{Refusal, Set};
use super::relation::Relation;

/// Checks of all clients (`CommonClientConfigs`).
pub(super) fn common(set: &Set<'_>, source: &'static str) -> Option<Refusal> {
    const PROTOCOL: &str = "security.protocol";
    const MECHANISM: &str = "sasl.mechanism";
    let sasl = set.text(PROTOCOL).is_some_and(|it| it.to_uppercase().starts_with("SASL"));
    if sasl && set.text(MECHANISM).is_none_or(|mechanism| mechanism.is_empty()) {
        let rule = format!("`{MECHANISM}` cannot be empty where `{PROTOCOL}` is SASL");
        return Some(set.refuse(&[MECHANISM, PROTOCOL], rule, source));
    }
    None
}

/// `ProducerConfig.postProcessParsedConfig` and the constructor of `KafkaProducer`.
pub(super) fn producer(set: &Set<'_>) -> Option<Refusal> {
    common(set, "CommonClientConfigs")
        .or_else(|| idempotence(set))
        .or_else(|| two_phase_commit(set))
        .or_else(|| delivery_timeout(set))
}

fn idempotence(set: &Set<'_>) -> Option<Refusal> {
    const SOURCE: &str = "ProducerConfig";
    const IDEMPOTENCE: &str = "enable.idempotence";
    const RETRIES: &str = "retries";
    const IN_FLIGHT: &str = "max.in.flight.requests.per.connection";
    const TRANSACTIONAL: &str = "transactional.id";
    let no_retries = set.whole(RETRIES)? == 0;
    let not_all = !["all", "-1"].contains(&set.text("acks")?.as_str());
    let enabled = set.is_on(IDEMPOTENCE);
    if enabled && set.is_set(IDEMPOTENCE) {
        if no_retries {
            let rule = format!("an idempotent producer needs `{RETRIES}` above 0");
            return Some(set.refuse(&[IDEMPOTENCE, RETRIES], rule, SOURCE));
        }
        if not_all {
            let rule = "an idempotent producer needs `acks=all`";
            return Some(set.refuse(&[IDEMPOTENCE, "acks"], rule, SOURCE));
        }
    }
    // Kafka checks this before it turns idempotence off.
    if enabled && set.whole(IN_FLIGHT)? > 5 {
        let rule = format!("an idempotent producer needs `{IN_FLIGHT}` of at most 5");
        return Some(set.refuse(&[IN_FLIGHT, IDEMPOTENCE], rule, SOURCE));
    }
    if set.is_set(TRANSACTIONAL) && (!enabled || no_retries || not_all) {
        let other = match () {
            () if !enabled => IDEMPOTENCE,
            () if no_retries => RETRIES,
            () => "acks",
        };
        let rule = format!("a producer with `{TRANSACTIONAL}` has to be idempotent");
        return Some(set.refuse(&[TRANSACTIONAL, other], rule, SOURCE));
    }
    None
}

fn two_phase_commit(set: &Set<'_>) -> Option<Refusal> {
    const TWO_PHASE: &str = "transaction.two.phase.commit.enable";
    const TIMEOUT: &str = "transaction.timeout.ms";
    (set.is_on(TWO_PHASE) && set.is_set(TIMEOUT)).then(|| {
        let rule = format!("`{TIMEOUT}` cannot be set with `{TWO_PHASE}`");
        set.refuse(&[TIMEOUT, TWO_PHASE], rule, "ProducerConfig")
    })
}

fn delivery_timeout(set: &Set<'_>) -> Option<Refusal> {
    const DELIVERY: &str = "delivery.timeout.ms";
    const LINGER: &str = "linger.ms";
    const REQUEST: &str = "request.timeout.ms";
    let most = i64::from(i32::MAX);
    let sum = (set.whole(LINGER)?.min(most) + set.whole(REQUEST)?).min(most);
    // If it is not set, Kafka raises it.
    (set.is_set(DELIVERY) && set.whole(DELIVERY)? < sum).then(|| {
        let rule = format!("`{DELIVERY}` has to be at least `{LINGER}` + `{REQUEST}`");
        set.refuse(&[DELIVERY, LINGER, REQUEST], rule, "KafkaProducer")
    })
}

const ASSIGNMENT: &str = "partition.assignment.strategy";

/// `ConsumerConfig.postProcessParsedConfig` and the constructors of `KafkaConsumer`.
pub(super) fn consumer(set: &Set<'_>) -> Option<Refusal> {
    common(set, "CommonClientConfigs")
        .or_else(|| group(set))
        .or_else(|| protocol(set))
        .or_else(|| classic(set))
}

fn group(set: &Set<'_>) -> Option<Refusal> {
    const INSTANCE: &str = "group.instance.id";
    const COMMIT: &str = "enable.auto.commit";
    let fits = |id: &str| {
        let letter = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        id.len() <= 249 && ![".", ".."].contains(&id) && id.chars().all(letter)
    };
    if set.text(INSTANCE).is_some_and(|id| !fits(&id)) {
        let rule = format!("`{INSTANCE}` has to be letters, digits, `.`, `_` and `-`");
        return Some(set.refuse(&[INSTANCE], rule, "JoinGroupRequest"));
    }
    let group = set.text("group.id");
    if group.is_none() && set.is_set(COMMIT) && set.is_on(COMMIT) {
        let rule = format!("`{COMMIT}` cannot be true without `group.id`");
        return Some(set.refuse(&[COMMIT, "group.id"], rule, "ConsumerConfig"));
    }
    if group.is_some_and(|group| group.is_empty()) {
        let rule = "`group.id` cannot be empty";
        return Some(set.refuse(&["group.id"], rule, "KafkaConsumer"));
    }
    None
}

/// Properties that the chosen group protocol does not have.
fn protocol(set: &Set<'_>) -> Option<Refusal> {
    const PROTOCOL: &str = "group.protocol";
    const MODE: &str = "share.acknowledgement.mode";
    let consumer = set.text(PROTOCOL)?.eq_ignore_ascii_case("consumer");
    let absent: &[&str] = match consumer {
        true => &[ASSIGNMENT, "heartbeat.interval.ms", "session.timeout.ms", MODE],
        false => &["group.remote.assignor", MODE],
    };
    let given = |name: &&&str| {
        let blank = || set.text(name).is_some_and(|text| text.is_empty());
        let empty = || **name == ASSIGNMENT && set.list(name).is_empty();
        set.is_set(name) && !blank() && !empty()
    };
    let name = absent.iter().find(given)?;
    let now = if consumer { "consumer" } else { "classic" };
    let rule = format!("`{name}` cannot be set where `{PROTOCOL}` is {now}");
    Some(set.refuse(&[name, PROTOCOL], rule, "ConsumerConfig"))
}

/// Checks of a consumer of the classic protocol when it is created.
fn classic(set: &Set<'_>) -> Option<Refusal> {
    if set.text("group.protocol")?.eq_ignore_ascii_case("consumer") {
        return None;
    }
    let assignors = set.list(ASSIGNMENT);
    if let Some(short) = assignors.iter().find(|class| !class.contains('.')) {
        let mut rule = format!("`{ASSIGNMENT}` has to name classes that Kafka finds");
        // Assignors also have short names, by which they are known in the protocol.
        let class = match short.to_ascii_lowercase().replace('-', "").trim_end_matches("assignor") {
            "range" => Some("RangeAssignor"),
            "roundrobin" => Some("RoundRobinAssignor"),
            "sticky" => Some("StickyAssignor"),
            "cooperativesticky" => Some("CooperativeStickyAssignor"),
            _ => None,
        };
        if let Some(class) = class {
            rule.push_str(&format!(": `org.apache.kafka.clients.consumer.{class}`"));
        }
        return Some(set.refuse(&[ASSIGNMENT], rule, "ConsumerPartitionAssignor"));
    }
    if assignors.iter().enumerate().any(|(i, class)| assignors[..i].contains(class)) {
        let rule = format!("`{ASSIGNMENT}` names an assignor twice");
        return Some(set.refuse(&[ASSIGNMENT], rule, "ConsumerPartitionAssignor"));
    }
    // Only a consumer in a group has a heartbeat.
    set.text("group.id")?;
    Relation::below("heartbeat.interval.ms", "session.timeout.ms").check(set, "Heartbeat")
}
