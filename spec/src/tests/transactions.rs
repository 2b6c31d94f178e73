//! Transactional producers, and settings of theirs that Kafka refuses.

use super::*;

/// Reads the good file with `properties` of its producers, followed by `tables`.
fn with(properties: &str, tables: &str) -> Result<Scenario, Box<Diagnostic>> {
    let text = GOOD.replace("acks = \"all\"\n", &format!("{properties}\n{tables}\n"));
    Scenario::parse("transactions.toml", &text).map(|(scenario, _)| scenario)
}

const ID: &str = "transactional.id = \"orders\"";

#[test]
fn a_transactional_id_makes_transactions_of_four_records() {
    let scenario = with(ID, "").unwrap();
    let config = scenario.producers[0].config();
    assert_eq!(config.transactional_id.0.as_deref(), Some("orders"));
    assert_eq!(scenario.producers[0].transactions, None);
    let table = "[producers.transactions]\naborted = \"12.5%\"\nwhen_fenced = \"stop\"";
    let transactions = with(ID, table).unwrap().producers[0].transactions.clone().unwrap();
    assert_eq!((transactions.records, transactions.aborted), (4, Share(125_000)));
    assert_eq!(transactions.when_fenced, WhenFenced::Stop);
}

#[test]
fn impossible_transactions_are_refused() {
    let refused = |properties: &str, table: &str, part: &str| {
        let error = with(properties, table).expect_err(part);
        assert!(error.message.contains(part), "{error}");
        assert!(error.line.is_some_and(|line| line > 1), "{error}");
    };
    let table = |line: &str| format!("[producers.transactions]\n{line}");
    refused("linger.ms = 5", &table("records = 4"), "without `transactional.id`");
    refused(ID, &table("records = 0"), "1 record or more");
    refused(ID, &table("aborted = \"60%\"\nabandoned = \"41%\""), "above 100% together");
    let timeout = |ms: u32| format!("{ID}\ntransaction.timeout.ms = {ms}");
    refused(&timeout(900_001), "", "`transaction.max.timeout.ms`");
    assert!(with(&timeout(900_000), "").is_ok());
}

/// `ProducerConfig.postProcessAndValidateIdempotenceConfigs`
#[test]
fn kafka_refuses_a_transactional_producer_that_is_not_idempotent() {
    for other in ["acks = 1", "retries = 0", "enable.idempotence = false"] {
        let error = with(&format!("{ID}\n{other}"), "").expect_err(other);
        assert!(error.message.contains("has to be idempotent (ProducerConfig)"), "{error}");
    }
}

#[test]
fn faults_can_target_transaction_coordinators_if_there_are_transactions() {
    let text = GOOD.replace("leader(orders-0)", "leader(__transaction_state-0)");
    let error = Scenario::parse("none.toml", &text).unwrap_err();
    assert!(error.message.contains("has a `transactional.id`"), "{error}");
    let text = text.replace("acks = \"all\"", ID);
    assert!(Scenario::parse("some.toml", &text).is_ok());
    let text = text.replace("__transaction_state-0", "__transaction_state-50");
    let error = Scenario::parse("beyond.toml", &text).unwrap_err();
    assert!(error.message.contains("it has 0 to 49"), "{error}");
}

#[test]
fn internal_topics_are_not_for_a_scenario_to_create() {
    let text = GOOD.replace("name = \"orders\"", "name = \"__transaction_state\"");
    let error = Scenario::parse("internal.toml", &text).unwrap_err();
    assert!(error.message.contains("is an internal topic"), "{error}");
}

/// `ReplicationControlManager`: the topic cannot be created, and no transaction begins.
#[test]
fn a_state_log_with_more_replicas_than_brokers_is_refused() {
    let factor = "[clusters.broker]\ntransaction.state.log.replication.factor = 4\n";
    let text = GOOD.replace("[clusters.topic]", &format!("{factor}\n[clusters.topic]"));
    assert!(Scenario::parse("none.toml", &text).is_ok(), "there are no transactions");
    let error = Scenario::parse("some.toml", &text.replace("acks = \"all\"", ID)).unwrap_err();
    assert!(error.message.contains("INVALID_REPLICATION_FACTOR"), "{error}");
    let (excerpt, _) = error.excerpt.as_ref().expect("it has a place");
    assert!(excerpt.starts_with("transaction.state.log.replication.factor = 4"), "{error}");
    // The default of 3 is too much for two brokers.
    let text =
        GOOD.replace("acks = \"all\"", ID).replace("partitions = 3", "replication_factor = 1");
    let error =
        Scenario::parse("two.toml", &text.replace("brokers = 3", "brokers = 2")).unwrap_err();
    assert!(error.message.contains("factor=3` with 2 brokers"), "{error}");
    assert_eq!(
        error.excerpt.as_ref().map(|(text, _)| text.as_str()),
        Some("brokers = 2"),
        "{error}"
    );
}

#[test]
fn settings_of_transactions_are_reported_where_there_are_none() {
    let warned = |settings: &[&str]| -> Vec<String> {
        let (_, warnings) = set(settings).unwrap_or_else(|error| panic!("{error}"));
        warnings.into_iter().map(|warning| warning.message).collect()
    };
    for setting in ["transaction.version=1", "transaction.timeout.ms=9000"] {
        let warnings = warned(&[setting]);
        let expected = format!("`{setting}` has no effect: no producer has a `transactional.id`");
        assert!(warnings.len() == 1 && warnings[0].ends_with(&expected), "{warnings:?}");
        assert_eq!(warned(&[setting, "transactional.id=orders"]), [""; 0]);
    }
    let consumer = "[[consumers]]\n[consumers.properties]\nisolation.level = \"read_committed\"";
    let warnings = |properties: &str| {
        let text = format!("{properties}\n{consumer}\n");
        let text = GOOD.replace("acks = \"all\"\n", &text);
        Scenario::parse("consumer.toml", &text).unwrap().1
    };
    let (without, with_id) = (warnings("linger.ms = 5"), warnings(ID));
    assert_eq!((without.len(), with_id.len()), (1, 0));
    assert!(without[0].message.starts_with("`isolation.level=read_committed` has no effect"));
}

#[test]
fn a_coordinator_is_a_target_by_a_transactional_id_that_there_is() {
    let with_target = |target: &str, count: &str| {
        let text = GOOD.replace("leader(orders-0)", target).replace("acks = \"all\"", ID);
        Scenario::parse("target.toml", &text.replace("rate = 100", count))
    };
    let (scenario, _) = with_target("coordinator(orders)", "rate = 100").unwrap();
    let target = scenario.faults[0].kind.targets()[0].1.to_string();
    assert_eq!(target, "coordinator(orders)");
    assert!(with_target("coordinator(orders-2)", "count = 2").is_ok());
    let error = with_target("coordinator(orders-4)", "count = 3").unwrap_err();
    let expected = "there is no transactional id `orders-4`; there are 3: orders-1 to orders-3";
    assert_eq!((error.message.as_str(), error.kind), (expected, Kind::UnknownName));
    let error = with_target("coordinator()", "rate = 100").unwrap_err();
    assert!(error.message.contains("a transactional id, as in"), "{error}");
    let text = GOOD.replace("leader(orders-0)", "coordinator(orders)");
    let error = Scenario::parse("none.toml", &text).unwrap_err();
    assert!(error.message.contains("there are none"), "{error}");
}

#[test]
fn keys_of_transactions_can_be_set() {
    let mut scenario = with(ID, "").unwrap();
    let settings = [
        "transactions.records=6",
        "transactions.aborted=10%",
        "transactions.abandoned=2%",
        "transactions.transfer=true",
        "transactions.shared.id=true",
        "producers=2",
        "transactions.when.fenced=stop",
    ];
    scenario.set_all(&settings.map(str::to_owned)).unwrap();
    let expected = Transactions {
        records: 6,
        transfer: true,
        aborted: Share(100_000),
        abandoned: Share(20_000),
        shared_id: true,
        when_fenced: WhenFenced::Stop,
    };
    assert_eq!(scenario.producers[0].transactions, Some(expected));
    let refused = |setting: &str, part: &str| {
        let mut scenario = with(ID, "").unwrap();
        let error = scenario.set_all(&[setting.to_owned()]).expect_err(setting);
        assert!(error.message.contains(part), "{error}");
    };
    refused("transactions.aborted=ten", "expects a share");
    refused("transactions.when.fenced=wait", "expects restart or stop");
    refused("transactions.records=0", "1 record or more");
    assert!(set(&["transactions.records=6"]).is_err(), "there are no transactions");
}

#[test]
fn a_transfer_has_two_records_in_two_partitions() {
    let refused = |properties: &str, table: &str, marked: &str| {
        let error = with(properties, &format!("[producers.transactions]\n{table}")).unwrap_err();
        assert!(error.excerpt.as_ref().is_some_and(|(text, _)| text == marked), "{error}");
    };
    refused(ID, "records = 3\ntransfer = true", "records = 3");
    refused(ID, "aborted = \"40%\"\nabandoned = \"70%\"", "abandoned = \"70%\"");
    let text = GOOD
        .replace("acks = \"all\"\n", &format!("{ID}\n[producers.transactions]\ntransfer = true\n"));
    let error = Scenario::parse("keys.toml", &text.replace("rate = 100", "keys = 5")).unwrap_err();
    assert!(error.message.contains("without `keys` and `partition`"), "{error}");
}

/// The limit is in the file, the time-out is not.
#[test]
fn a_time_out_above_the_limit_is_reported_at_the_time_out_or_the_limit() {
    let limit = "[clusters.broker]\ntransaction.max.timeout.ms = 5000\n";
    let text = GOOD.replace("[clusters.topic]", &format!("{limit}\n[clusters.topic]"));
    let error = Scenario::parse("limit.toml", &text.replace("acks = \"all\"", ID)).unwrap_err();
    let (excerpt, _) = error.excerpt.as_ref().expect("it has a place");
    assert_eq!(excerpt, "transaction.max.timeout.ms = 5000");
}
