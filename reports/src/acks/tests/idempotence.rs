//! The section of the page about `enable.idempotence=false`.

use super::*;

/// The page shows the duplicates and reorderings without idempotence; charts of losses leave the
/// setting out.
#[test]
fn the_effect_of_idempotence_is_on_the_page() {
    let off = Setting { idempotence: false, ..ACKS_ALL };
    let each = |seed| {
        let mut doubled = run(off, seed, 100, 0, "crash");
        doubled.records.duplicated = 3 * u64::from(seed < 2);
        doubled.records.reordered = u64::from(seed == 1);
        [run(ACKS_1, seed, 100, 0, "crash"), run(ACKS_ALL, seed, 100, 0, "crash"), doubled]
    };
    let mut head = header(Seeds { from: 0, to: 4 });
    head.settings.push(off);
    let (summary, written) = files(&Study::new(head, (0..4).flat_map(each).collect()));
    let words = "With enable.idempotence=false (acks=all, min ISR 2, not idempotent) 6 records were \
                 stored more than once (2 runs) and 1 in another order than sent (1 run), of 404 \
                 records in 4 runs. With Kafka's default, under the same faults, no record was stored \
                 twice or in another order than it was sent.";
    let [on, without] = summary.idempotence().expect("both are compared");
    assert_eq!(idempotence(on, without), words);
    let page = file(&written, "index.html");
    assert!(page.contains(words));
    assert!(page.contains("id=\"acks-all-min-isr-2-not-idempotent\""));
    assert!(page.contains("may be stored twice, or after later ones."));
    assert!(!file(&written, "lost-per-million.csv").contains("not idempotent"));
    assert_eq!(summary.pairs, vec![], "the two differ in more than min ISR");
    // Without the second setting there is no comparison.
    let page = made_up::study(Seeds { from: 0, to: 3 });
    assert!(file(&files(&page).1, "index.html").contains("id=\"idempotence\""));
    assert!(!file(&files(&small()).1, "index.html").contains("id=\"idempotence\""));
}
