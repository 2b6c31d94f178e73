//! `docs/fidelity.md` held against the code.

use engine::protocol::{ApiKey, ServedBy};
use std::collections::{BTreeMap, BTreeSet};

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fidelity.md");
    std::fs::read_to_string(path).expect("the page is there")
}

/// The rows of the table in the section called `title`, each as its cells.
fn rows(page: &str, title: &str) -> Vec<Vec<String>> {
    let from = page.split(&format!("\n## {title}\n")).nth(1).expect(title);
    let section = from.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

#[test]
fn the_page_lists_the_requests_that_exist_and_who_serves_them() {
    let listed: BTreeMap<String, String> = rows(&page(), "Requests")
        .into_iter()
        .map(|cells| (cells[0].trim_matches('`').to_owned(), cells[1].clone()))
        .collect();
    let names: Vec<String> = ApiKey::ALL.iter().map(|api| format!("{api:?}")).collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(listed.keys().cloned().collect::<Vec<_>>(), sorted);
    for (api, name) in ApiKey::ALL.iter().zip(&names) {
        let served = &listed[name];
        let meant = match api.served() {
            ServedBy::Broker => served == "brokers",
            ServedBy::Both => served.contains("brokers") && served.contains("controllers"),
            ServedBy::Controller => served.contains("controller") && !served.contains("forward"),
            ServedBy::Forwarded => served.contains("brokers forward it"),
        };
        assert!(meant, "{name} is served by {:?}, not by {served}", api.served());
    }
}

#[test]
fn the_page_has_a_row_for_every_oddity() {
    let numbers: Vec<String> =
        rows(&page(), "Oddities of Kafka 4.1.1").into_iter().map(|row| row[0].clone()).collect();
    let expected: Vec<String> = (1..=28).map(|n| format!("O{n}")).collect();
    assert_eq!(numbers, expected);
}

/// The numbers `FL-n` that a page names.
fn defects(page: &str) -> BTreeSet<String> {
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    let numbers = page.split("FL-").skip(1).map(digits).filter(|number| !number.is_empty());
    numbers.map(|number| format!("FL-{number}")).collect()
}

#[test]
fn defects_that_the_pages_name_are_in_the_museum_and_described() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/found.md");
    let found = std::fs::read_to_string(path).expect("the page is there");
    let (described, named) = (defects(&found), defects(&page()));
    assert!(named.contains("FL-1"), "{named:?}");
    for defect in described.union(&named) {
        assert!(scenarios::museum::find(defect).is_some(), "{defect} is not in the museum");
        assert!(found.contains(&format!("\n## {defect}: ")), "{defect} has no section in found.md");
    }
}

/// U7: the page that people read first says what cannot be tested with Faultline.
#[test]
fn the_readme_says_that_no_client_can_be_plugged_in() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(readme).expect("it is there");
    let words = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("client cannot be plugged in yet"), "{words}");
}
