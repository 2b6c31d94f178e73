//! Lost records that come back, since a later leader has them.

use super::{acks1, broken, confirm_without_3, finish, hazards, numbers};
use crate::testing::{History, ORDERS};
use engine::fact::ClientFact;

/// 2 has the records that 1 confirms with acks=1, cuts them when 3 leads without them, and lacks
/// them while 1 leads again. Then 2 is elected.
fn led_by_2_in_the_end(fetched_again: bool) -> crate::verdict::Judgement {
    let mut history = acks1(&[2]);
    history.elect(3, 1, &[1, 2, 3], &[]);
    history.cut(2, ORDERS, 4, 4);
    history.elect(1, 2, &[1, 2, 3], &[]);
    if fetched_again {
        history.follow(2, 1, ORDERS);
        history.cut(2, ORDERS, 4, 4);
    }
    history.elect(2, 3, &[2, 3], &[]);
    history.cut(1, ORDERS, 4, 4);
    finish(history, 2)
}

#[test]
fn acks1_permits_the_loss_of_truncated_records_not_fetched_again() {
    let judgement = led_by_2_in_the_end(false);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("acks1-unreplicated", 4)]);
}

#[test]
fn acks1_does_not_permit_the_truncation_of_records_fetched_again() {
    let judgement = led_by_2_in_the_end(true);
    assert!(broken(&judgement).contains(&"acknowledged-survives"), "{judgement:?}");
}

/// A client is shown the end of 1, and that of 3, which lacks four records and leads by an unclean
/// election. 1, which has them, leads again by another. Then `broker` shows the end of 3.
fn shown_again_by(broker: u16) -> crate::verdict::Judgement {
    let mut history = History::new(2);
    history.setup.topics[0].unclean_leader_election = true;
    history.unfence(&[1, 2, 3]);
    confirm_without_3(&mut history);
    let shown = |offset, broker| {
        let (partition, question) = (ORDERS, 0);
        ClientFact::EndShown { partition, offset, broker, question }
    };
    history.client(1003, shown(8, 1));
    [1, 2].into_iter().for_each(|id| history.fence(id, true));
    history.elect(3, 1, &[3], &[]);
    history.client(1003, shown(4, 3));
    history.fence(3, true);
    history.fence(1, false);
    history.elect(1, 2, &[1], &[]);
    history.client(1003, shown(4, broker));
    finish(history, 1)
}

#[test]
fn a_replaced_leader_shows_its_own_end_until_it_knows() {
    let judgement = shown_again_by(3);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert!(hazards(&judgement).iter().all(|(hazard, _)| *hazard == "unclean-election"));
    for broker in [1, 2] {
        let judgement = shown_again_by(broker);
        assert_eq!(broken(&judgement), vec!["end-never-back"], "by {broker}");
    }
}

/// All three lose power and half of the committed records. 1, the leader, continues leading in its
/// epoch as soon as it has loaded its log, before the others have loaded theirs and before it is
/// registered. Then 3 is elected.
fn leads_on_before_it_is_registered(third_loses: bool) -> crate::verdict::Judgement {
    let mut history = History::new(2);
    history.produce(&numbers(0..8));
    history.lose_power(1, 4);
    history.begin(ORDERS, 1, 0);
    history.lose_power(2, 4);
    if third_loses {
        history.lose_power(3, 4);
    }
    history.change(Some(None), &[], &[1, 2, 3]);
    history.come_back(1, 50, &[2, 3]);
    history.come_back(2, 51, &[3]);
    history.come_back(3, 52, if third_loses { &[] } else { &[3] });
    history.elect(3, 2, &[3], &[]);
    finish(history, 3)
}

#[test]
fn a_leader_that_comes_back_in_its_epoch_loses_nothing_before_it_is_registered() {
    let judgement = leads_on_before_it_is_registered(true);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("correlated-power-loss", 8)]);
    // 3 has everything, so that nothing is lost.
    let judgement = leads_on_before_it_is_registered(false);
    assert_eq!((hazards(&judgement), judgement.counts.lost), (vec![], 0));
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
}

/// 2 is elected, and loses power before it has begun to lead. It begins to lead after its restart,
/// before it is registered and without half of the committed records. 3 has all of them.
fn begins_before_it_is_registered(stays_leader: bool) -> crate::verdict::Judgement {
    let mut history = History::new(2);
    history.produce(&numbers(0..8));
    history.change(Some(Some(2)), &[1, 2, 3], &[]);
    history.lose_power(2, 4);
    history.begin(ORDERS, 2, 1);
    if stays_leader {
        history.register(2, 50);
        return finish(history, 2);
    }
    history.change(Some(Some(3)), &[1, 3], &[]);
    history.register(2, 50);
    history.begin(ORDERS, 3, 2);
    finish(history, 3)
}

#[test]
fn a_leader_that_begins_with_an_election_of_its_last_life_loses_nothing_before_it_is_registered() {
    let judgement = begins_before_it_is_registered(false);
    assert_eq!((hazards(&judgement), judgement.counts.lost), (vec![], 0));
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    // A controller that keeps it as the leader at its registration causes the loss of the records
    // that it lacks.
    let judgement = begins_before_it_is_registered(true);
    assert!(broken(&judgement).contains(&"acknowledged-survives"), "{judgement:?}");
}

/// Broker 2 loses power first, and half of the committed records; then 1 loses power. When the
/// session of 1 has ended, that of 2 has not: the controller elects 2, which begins to lead with
/// the records that it has, and registers only afterwards. With 100 brokers this is common, because
/// fencing all of them takes long. Broker 3 has all records.
fn elected_before_it_is_registered(stays_leader: bool) -> crate::verdict::Judgement {
    let mut history = History::new(2);
    history.produce(&numbers(0..8));
    history.lose_power(2, 4);
    history.lose_power(1, 4);
    history.change(Some(Some(2)), &[2, 3], &[1]);
    history.begin(ORDERS, 2, 1);
    if stays_leader {
        history.register(2, 50);
        return finish(history, 2);
    }
    history.change(Some(Some(3)), &[3], &[1]);
    history.register(2, 50);
    history.begin(ORDERS, 3, 2);
    finish(history, 3)
}

#[test]
fn a_leader_that_was_elected_after_its_end_loses_nothing_before_it_is_registered() {
    let judgement = elected_before_it_is_registered(false);
    assert_eq!((hazards(&judgement), judgement.counts.lost), (vec![], 0));
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    // A controller that keeps it as the leader at its registration causes the loss of the records
    // that it lacks.
    let judgement = elected_before_it_is_registered(true);
    assert!(broken(&judgement).contains(&"acknowledged-survives"), "{judgement:?}");
}
