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
    assert!(Scenario::parse("none.toml", &text).is_err());
    let text = text.replace("acks = \"all\"", ID);
    assert!(Scenario::parse("some.toml", &text).is_ok());
}
