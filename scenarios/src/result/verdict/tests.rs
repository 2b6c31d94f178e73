use super::*;

#[test]
fn a_pass_with_losses_says_so_and_why() {
    const UNCLEAN: &str =
        "with unclean.leader.election.enable=true a replica out of sync may lead, and so on";
    let mut verdict = Verdict::of_panic("a", 1, &[], Panic::default());
    verdict.outcome = Outcome::Pass;
    verdict.counts = Counts { acked: 9, read: 9, ..Counts::default() };
    let none = "every promise held: 9 records acknowledged, 9 read back, none lost";
    assert_eq!(verdict.headline(), none);
    verdict.counts.duplicated = 27;
    assert_eq!(verdict.headline(), format!("{none}; 27 duplicated, as permitted"));
    verdict.counts.reordered = 18;
    assert_eq!(verdict.headline(), format!("{none}; 27 duplicated and 18 reordered, as permitted"));
    (verdict.counts.duplicated, verdict.counts.reordered) = (0, 0);
    for name in ["a", "b"] {
        let counts = GroupCounts { skipped: 4, ..GroupCounts::default() };
        verdict.groups.insert(name.to_owned(), counts);
    }
    assert_eq!(verdict.headline(), format!("{none}; 8 skipped by a group, as permitted"));
    verdict.groups.clear();
    verdict.not_read_back = vec!["orders-0".to_owned()];
    let unread = "every promise held: 9 records acknowledged, 9 read; orders-0 could not be read \
                  back";
    assert_eq!(verdict.headline(), unread);
    verdict.not_read_back.clear();
    verdict.counts.failed = 4;
    let refused = "every promise held: 9 records acknowledged, 4 records refused with an error, 9 \
                   read back, none lost";
    assert_eq!(verdict.headline(), refused);
    verdict.counts.failed = 0;
    verdict.counts.lost = 3;
    for (hazard, count, because) in [
        ("retry-duplicate", 8, "producers here are not idempotent, and so on"),
        ("unclean-election", 1, UNCLEAN),
        ("acks1-unreplicated", 2, "with acks=1 the leader confirms alone, and so on"),
    ] {
        let (hazard, because) = (hazard.to_owned(), because.to_owned());
        verdict.permitted.push(Permitted { hazard, count, because, ..Permitted::default() });
    }
    let expected = "every promise held; 3 acknowledged records lost, permitted: with acks=1 the \
                leader confirms alone; and with unclean.leader.election.enable=true a replica \
                out of sync may lead";
    assert_eq!(verdict.headline(), expected);
    verdict.counts.failed = 1;
    assert_eq!(verdict.headline(), format!("{expected}; 1 record refused with an error"));
}

#[test]
fn the_headline_names_lost_records_that_were_sent_with_acks_0() {
    let mut verdict = Verdict::of_panic("a", 1, &[], Panic::default());
    verdict.outcome = Outcome::Pass;
    verdict.counts = Counts { unconfirmed: 9, read: 9, ..Counts::default() };
    let none = "every promise held: 9 records sent with acks=0, 9 read back, none lost";
    assert_eq!(verdict.headline(), none);
    for (hazard, count) in UNCONFIRMED.into_iter().zip(1..) {
        let (hazard, because) = (
            hazard.to_owned(),
            "with acks=0 the producer waits for no response, and so on".to_owned(),
        );
        verdict.permitted.push(Permitted { hazard, count, because, ..Permitted::default() });
    }
    assert_eq!(verdict.unconfirmed_lost(), 10);
    let expected = "every promise held; 10 records sent with acks=0 lost, permitted: with acks=0 \
                the producer waits for no response";
    assert_eq!(verdict.headline(), expected);
}

/// A10: a pass in which a broker stopped says which and why.
#[test]
fn the_headline_names_a_node_that_stopped() {
    let mut verdict = Verdict::of_panic("a", 1, &[], Panic::default());
    verdict.outcome = Outcome::Pass;
    let because = "a full log directory stops a broker, and broker 1 stopped at 3.2 s: full";
    let (hazard, because) = (HAZARDS[0].0.to_owned(), because.to_owned());
    verdict.permitted.push(Permitted { hazard, count: 1, because, ..Permitted::default() });
    assert!(verdict.headline().ends_with(
        "; a full log directory stops a broker, and broker 1 \
                                          stopped at 3.2 s: full"
    ));
}

#[test]
fn losses_are_rows_of_the_permission_table() {
    for name in LOSSES {
        assert!(
            judge::verdict::permission::PERMISSIONS.iter().any(|row| row.hazard == name),
            "{name}"
        );
    }
}

#[test]
fn the_worst_of_several_outcomes_wins() {
    use Outcome::*;
    assert_eq!(Outcome::worst([]), Pass);
    assert_eq!(Outcome::worst([Vacuous, Unknown, Pass]), Unknown);
    assert_eq!(Outcome::worst([Unknown, Violation, Vacuous]), Violation);
    assert_eq!(Outcome::worst([Violation, Nondeterministic]), Nondeterministic);
    assert_eq!(Outcome::worst([Panic, Nondeterministic]), Panic);
}
