//! Properties as scenarios set them: values that Kafka refuses, unmodelled properties, values that
//! cannot work.

use super::*;

/// A scenario with `server` in its cluster and `client` in its producers and consumers.
fn read(
    server: &str,
    producer: &str,
    consumer: &str,
) -> Result<(Scenario, Vec<Diagnostic>), Box<Diagnostic>> {
    let text = format!(
        "name = 'p'\ntitle = 'p'\n[[clusters]]\n{server}\n[[topics]]\nname = 'orders'\n\
         [[producers]]\n[producers.properties]\n{producer}\n\
         [[consumers]]\n[consumers.properties]\n{consumer}\n"
    );
    Scenario::parse("p.toml", &text)
}

fn on_brokers(properties: &str) -> Result<(Scenario, Vec<Diagnostic>), Box<Diagnostic>> {
    read(&format!("[clusters.broker]\n{properties}"), "", "")
}

fn with(settings: &[&str]) -> Result<(Scenario, Vec<Diagnostic>), Box<Diagnostic>> {
    let (mut scenario, _) = read("", "", "").unwrap();
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    scenario.set_all(&settings).map(|warnings| (scenario, warnings))
}

/// The message names both properties and Kafka's rule, and points at one of the properties.
#[test]
fn values_that_kafka_refuses_are_refused_with_its_rule() {
    let error = on_brokers("replica.fetch.wait.max.ms = 3000\nreplica.socket.timeout.ms = 2000")
        .unwrap_err();
    assert_eq!(error.kind, Kind::Impossible);
    assert_eq!((error.line, error.column), (Some(5), Some(1)));
    let rule = "Kafka refuses `replica.fetch.wait.max.ms=3000` with \
                `replica.socket.timeout.ms=2000`: `replica.fetch.wait.max.ms` has to be at most \
                `replica.socket.timeout.ms` (KafkaConfig)";
    assert_eq!(error.message, rule);
    for setting in [
        "segment.bytes=1000",
        "flush.messages=0",
        "flush.messages=-5",
        "segment.ms=0",
        "segment.index.bytes=0",
        "fetch.max.bytes=10",
        "replica.lag.time.max.ms=400",
        "delivery.timeout.ms=29999",
        "max.in.flight.requests.per.connection=6",
    ] {
        let error = with(&[setting]).expect_err(setting);
        assert!(error.message.contains("Kafka refuses `"), "{setting}: {error}");
        assert!(error.message.contains(setting), "{setting}: {error}");
    }
    with(&["max.in.flight.requests.per.connection=6", "enable.idempotence=false"]).unwrap();
}

/// Settings that contradict idempotence are refused where it is set explicitly, and turn it off
/// where it is Kafka's default (`ProducerConfig.postProcessAndValidateIdempotenceConfigs`).
#[test]
fn settings_that_contradict_idempotence_are_refused_or_turn_it_off() {
    let asked = "enable.idempotence=true";
    for (setting, rule) in [
        ("acks=1", "an idempotent producer needs `acks=all`"),
        ("acks=0", "an idempotent producer needs `acks=all`"),
        ("retries=0", "an idempotent producer needs `retries` above 0"),
    ] {
        let error = with(&[asked, setting]).expect_err(setting);
        assert_eq!(error.kind, Kind::Impossible);
        let (name, value) = setting.split_once('=').expect("a setting");
        assert!(error.message.contains(&format!("`{name}={value}`")), "{error}");
        assert!(error.message.contains("`enable.idempotence=true`"), "{error}");
        assert!(error.message.contains(rule), "{error}");
        assert!(error.message.ends_with("(ProducerConfig)"), "{error}");
        let (scenario, _) = with(&[setting]).unwrap_or_else(|error| panic!("{error}"));
        assert!(!scenario.producers[0].properties.config().is_idempotent(), "{setting}");
    }
    // The limit holds before idempotence is turned off: with acks=1 as well.
    for settings in [
        &["max.in.flight.requests.per.connection=6"][..],
        &["max.in.flight.requests.per.connection=6", asked],
        &["max.in.flight.requests.per.connection=6", "acks=1"],
    ] {
        let error = with(settings).expect_err("Kafka refuses that");
        assert!(error.message.contains("of at most 5 (ProducerConfig)"), "{error}");
    }
    let (scenario, _) = with(&[asked, "acks=-1"]).unwrap_or_else(|error| panic!("{error}"));
    assert!(scenario.producers[0].properties.config().is_idempotent());
}

/// The switch allows values of modelled properties that Faultline can simulate, and no others.
#[test]
fn beyond_kafka_allows_only_values_that_can_be_simulated() {
    let (scenario, _) = with(&["beyond.kafka=true", "segment.bytes=1000"]).unwrap();
    assert_eq!(scenario.topic_config(&scenario.topics[0]).segment_bytes, 1000);
    assert!(scenario.beyond_kafka);
    with(&["beyond.kafka=true", "max.poll.records=0"]).expect_err("no such consumer");
    with(&["beyond.kafka=true", "background.threads=0"]).expect_err("the property is not modelled");
    let (scenario, _) = read("[clusters.topic]\nsegment.bytes = 1048576", "", "").unwrap();
    assert!(!scenario.beyond_kafka);
}

/// A value that Kafka has and that is not modelled.
#[test]
fn a_choice_of_kafka_that_is_not_modelled_is_known() {
    let error = with(&["auto.offset.reset=by_duration:PT1H"]).expect_err("it is not modelled");
    let message = "--set auto.offset.reset=by_duration:PT1H: \
                   `auto.offset.reset=by_duration:PT1H` is a value of Kafka that is not modelled; \
                   expected earliest, latest or none";
    assert_eq!((error.kind, error.message.as_str()), (Kind::Impossible, message));
    for value in ["by_duration:", "by_duration:-PT1H", "newest"] {
        let error = with(&[&format!("auto.offset.reset={value}")]).expect_err(value);
        assert!(error.message.contains("Kafka refuses"), "{error}");
    }
}

#[test]
fn a_heartbeat_interval_above_the_session_timeout_is_refused() {
    for setting in ["broker.heartbeat.interval.ms=10000", "broker.session.timeout.ms=2000"] {
        let error = with(&[setting]).expect_err(setting);
        assert_eq!(error.kind, Kind::Impossible);
        assert!(error.message.contains(setting), "{error}");
        assert!(error.message.contains("is not below"), "{error}");
    }
}

/// The hint describes the behaviour of Faultline.
#[test]
fn an_unmodelled_property_is_refused_with_a_hint() {
    for (setting, hint) in [
        ("log.dir=/a", "`log.dirs`"),
        ("metadata.max.idle.ms=5000", "do not forget topics"),
        ("compression.type=lz4", "not compressed"),
        ("log.flush.interval.messages=1", "`flush.messages` under `[clusters.topic]`"),
        ("consumer.session.timeout.ms=50000", "groups use the classic protocol here"),
    ] {
        let error = with(&[setting]).expect_err(setting);
        assert!(error.message.contains("is a Kafka property that is not modelled"), "{error}");
        assert!(error.hint.as_deref().unwrap_or("").contains(hint), "{setting}: {error}");
    }
    for (setting, meant) in
        [("message.timeout.ms=5", "delivery.timeout.ms"), ("min.isr=1", "min.insync.replicas")]
    {
        let error = with(&[setting]).expect_err(setting);
        assert_eq!(error.hint, Some(format!("did you mean `{meant}`?")));
    }
    let error = with(&["background.threads=0"]).expect_err("Kafka refuses that");
    assert!(error.message.contains("Kafka refuses `background.threads=0`"), "{error}");
    let error = on_brokers("min.insync.replicas = 2").expect_err("a topic's property");
    assert_eq!(error.hint.as_deref(), Some("`min.insync.replicas` is a property of topics"));
}

#[test]
fn an_unmodelled_property_accepts_the_value_of_the_model() {
    for setting in [
        "enable.idempotence=false",
        "compression.type=none",
        "compression.type=producer",
        "unstable.api.versions.enable=false",
        "cleanup.policy=delete",
    ]
    .iter()
    .filter(|setting| !setting.starts_with("cleanup"))
    {
        let (scenario, _) = with(&[setting]).unwrap_or_else(|error| panic!("{error}"));
        let json = serde_json::to_string(&scenario).unwrap();
        assert_eq!(serde_json::from_str::<Scenario>(&json).unwrap(), scenario);
    }
}

/// Fetches of a quorum time out before an idle leader responds, which it does after half a second
/// or when it writes an empty record. A response at the very moment of the time-out is late.
#[test]
fn a_fetch_timeout_below_the_wait_of_an_idle_quorum_leader_is_a_warning() {
    for (idle, timeout, is_late) in [
        (500, 499, true),
        (500, 500, false),
        (0, 500, true),
        (1_000, 500, true),
        (0, 501, false),
        (400, 450, false),
    ] {
        let settings = [
            format!("metadata.max.idle.interval.ms={idle}"),
            format!("controller.quorum.fetch.timeout.ms={timeout}"),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let (_, warnings) = with(&settings).unwrap_or_else(|error| panic!("{error}"));
        let found = warnings.iter().any(|it| it.message.contains("an idle quorum leader"));
        assert_eq!(found, is_late, "{settings:?}: {warnings:?}");
    }
}

/// Kafka accepts these settings, although they cannot work.
#[test]
fn settings_that_cannot_work_are_warnings_with_their_values() {
    let warned = |producer: &str, consumer: &str, part: &str| {
        let (_, warnings) = read("", producer, consumer).unwrap_or_else(|error| panic!("{error}"));
        let found = warnings.iter().any(|warning| warning.message.contains(part));
        assert!(found, "{part}: {warnings:?}");
    };
    warned("", "request.timeout.ms = 300", "`fetch.max.wait.ms=500` is not below");
    warned("buffer.memory = 100", "", "above `buffer.memory=100`: every record fails");
    warned("max.request.size = 100", "", "above `max.request.size=100`: every record fails");
    warned("retry.backoff.ms = 5000", "", "every back-off takes 1000 ms");
    warned("", "auto.offset.reset = 'none'", "without a position");
    let (_, slow) = with(&["replica.fetch.backoff.ms=0"]).expect("Kafka starts");
    assert!(slow.iter().any(|it| it.message.contains("`no-livelock` does not look")), "{slow:?}");
    let (_, warnings) = with(&["max.message.bytes=100"]).unwrap();
    assert!(warnings[0].message.contains("above `max.message.bytes=100` of topic `orders`"));
    let (_, warnings) = read("", "linger.ms = 0", "fetch.max.wait.ms = 29999").unwrap();
    assert_eq!(warnings, []);
}

/// `KafkaProducer.configureDeliveryTimeout`.
#[test]
fn a_delivery_timeout_that_is_not_set_is_raised() {
    let (scenario, _) = read("", "request.timeout.ms = 150000", "").unwrap();
    assert_eq!(scenario.producers[0].config().delivery_timeout, machine::Span::millis(150_005));
    let (scenario, _) = read("", "reconnect.backoff.ms = 5000", "").unwrap();
    assert_eq!(scenario.producers[0].config().reconnect_backoff_max, machine::Span::secs(5));
}

/// The engine's defaults are Kafka's.
#[test]
fn defaults_are_those_of_kafka() {
    use crate::kafka::facts;
    let mut wrong = Vec::new();
    for listed in property_list().iter().filter(|listed| listed.origin == Origin::Kafka) {
        let of = |plural: &str| {
            match plural {
                "controllers" => "brokers",
                plural => plural,
            }
            .to_owned()
        };
        let mut facts = facts().filter(|fact| fact.name == listed.name);
        let fact = facts.find(|fact| fact.scope.plural() == of(listed.of));
        let default = fact.and_then(|fact| fact.default).unwrap_or("null");
        if listed.default != default {
            wrong.push(format!("{} {}: {default}", listed.name, listed.default));
        }
    }
    assert_eq!(
        wrong,
        ["partitioner.class default: null",].map(str::to_owned),
        "other than Kafka's"
    );
}

/// As the help says: what the file says counts as if it were in force.
#[test]
fn beyond_kafka_can_be_requested_beside_a_file() {
    let text = "name = 'x'\ntitle = 'x'\n[[clusters]]\n[clusters.topic]\nsegment.bytes = 1000\n\
                [[topics]]\nname = 'orders'\n";
    let none = |_: &str, _: &str| Err(String::new());
    let error = Scenario::parse_beyond(("x.toml", text), &[], &none, false).unwrap_err();
    assert!(error.hint.is_some_and(|hint| hint.contains("--set beyond.kafka=true")));
    let (scenario, _) = Scenario::parse_beyond(("x.toml", text), &[], &none, true).unwrap();
    assert!(scenario.beyond_kafka);
}
