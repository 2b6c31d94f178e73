//! Files with consumers that are members of a group.

use crate::diagnostic::Kind;
use crate::{Commit, Diagnostic, OnRevoke, Scenario};

const GOOD: &str = "name = 'x'\ntitle = 'x'\n[[topics]]\nname = 'orders'\npartitions = 2\n\
    [[topics]]\nname = 'results'\npartitions = 2\n[[producers]]\ntopics = ['orders']\n\
    [[consumers]]\ngroup = 'app'\ncount = 3\ntopics = ['orders']\n";
const BY_HAND: &str = "[consumers.properties]\nenable.auto.commit = false\n";

fn read(more: &str) -> Result<(Scenario, Vec<Diagnostic>), Box<Diagnostic>> {
    let text = format!("{GOOD}{more}");
    Scenario::parse("x.toml", &text)
}

fn good(more: &str) -> Scenario {
    let (scenario, warnings) = read(more).unwrap_or_else(|error| panic!("{error}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    scenario
}

fn refused(more: &str) -> Box<Diagnostic> {
    read(more).map(|(scenario, _)| scenario.name).expect_err(more)
}

#[test]
fn a_consumer_that_commits_by_itself_needs_no_commits_of_its_application() {
    let by_itself = good("");
    let group = &by_itself.consumers[0];
    assert_eq!((group.commit(), group.on_revoke()), (Commit::Never, OnRevoke::Nothing));
    let by_hand = good(BY_HAND);
    let group = &by_hand.consumers[0];
    assert_eq!((group.commit(), group.on_revoke()), (Commit::After, OnRevoke::Commit));
    let both = read("commit = 'after'\n").expect("that is possible").1;
    assert!(both[0].message.contains("commit by themselves"), "{both:?}");
}

#[test]
fn several_static_members_have_a_number_each() {
    let scenario = good("[consumers.properties]\ngroup.instance.id = 's'\n");
    assert_eq!(scenario.consumers[0].instance_ids(), ["s-1", "s-2", "s-3"]);
    let error = refused("[consumers.properties]\ngroup.instance.id = 'a/b'\n");
    assert!(error.message.contains("group.instance.id"), "{error}");
}

#[test]
fn keys_of_members_are_refused_without_a_group() {
    let text = GOOD.replace("group = 'app'\n", "process_time = '1ms'\n");
    let error = Scenario::parse("x.toml", &text).expect_err("there is no group");
    assert_eq!(error.kind, Kind::Impossible);
    assert!(error.message.contains("is for members of a group"), "{error}");
}

/// What Kafka's consumer refuses, and what its coordinator would refuse for ever.
#[test]
fn time_outs_that_no_group_works_with_are_refused() {
    let error = refused(
        "[consumers.properties]\nsession.timeout.ms = 6000\nheartbeat.interval.ms = 6000\n",
    );
    assert!(error.message.contains("heartbeat.interval.ms"), "{error}");
    let error =
        refused("[consumers.properties]\nsession.timeout.ms = 3500\nheartbeat.interval.ms = 500\n");
    assert!(error.message.contains("a coordinator allows 6000 to"), "{error}");
    let shorter = "[consumers.properties]\nsession.timeout.ms = 3500\n\
        heartbeat.interval.ms = 500\n[[clusters]]\n[clusters.broker]\n\
        group.min.session.timeout.ms = 1000\n";
    good(shorter);
    let slow = "process_time = '3s'\n[consumers.properties]\n\
        max.poll.interval.ms = 1000\nsession.timeout.ms = 6000\n";
    assert!(refused(slow).message.contains("the group never settles"));
    let backlog =
        read("process_time = '100ms'\n[consumers.properties]\nmax.poll.interval.ms = 6000\n");
    assert!(backlog.expect("it may work").1[0].message.contains("max.poll.records=500"));
}

/// `ReplicationControlManager`: the topic cannot be created, and no consumer joins.
#[test]
fn offsets_with_more_replicas_than_brokers_are_refused() {
    let error = refused("[[clusters]]\n[clusters.broker]\noffsets.topic.replication.factor = 5\n");
    assert!(error.message.contains("cannot create `__consumer_offsets`"), "{error}");
    assert!(refused("[[clusters]]\nbrokers = 2\n[clusters.topic]\n").message.contains("factor"));
}

#[test]
fn other_protocols_and_unknown_assignors_are_refused() {
    let error = refused("[consumers.properties]\ngroup.protocol = 'streams'\n");
    assert!(error.message.contains("group.protocol"), "{error}");
    good("[consumers.properties]\ngroup.protocol = 'classic'\n");
    let error = refused("[consumers.properties]\npartition.assignment.strategy = 'range'\n");
    assert!(error.message.contains("org.apache.kafka.clients.consumer.RangeAssignor"), "{error}");
    let error = refused("[consumers.properties]\ngroup.id = 'app'\n");
    assert!(
        error.hint.as_ref().is_some_and(|hint| hint.contains("`group = \"name\"`")),
        "it has a key"
    );
}

/// KIP-848: the coordinator has the time-outs, and assigns.
#[test]
fn what_the_consumer_protocol_lacks_is_refused() {
    let consumer =
        |more: &str| format!("[consumers.properties]\ngroup.protocol = 'consumer'\n{more}");
    good(&consumer("group.remote.assignor = 'range'\n"));
    for absent in [
        "session.timeout.ms = 10000\n",
        "heartbeat.interval.ms = 1000\n",
        "partition.assignment.strategy = 'org.apache.kafka.clients.consumer.RangeAssignor'\n",
    ] {
        let error = refused(&consumer(absent));
        assert!(error.message.contains("cannot be set where `group.protocol`"), "{error}");
    }
    let error = refused(&consumer("group.remote.assignor = 'sticky'\n"));
    assert!(error.message.contains("no assignor `sticky`"), "{error}");
    let error = refused("[consumers.properties]\ngroup.remote.assignor = 'range'\n");
    assert!(error.message.contains("where `group.protocol` is classic"), "{error}");
    let error =
        refused("[[clusters]]\n[clusters.broker]\ngroup.consumer.session.timeout.ms = 9000\n");
    assert!(error.message.contains("group.consumer.min.session.timeout.ms"), "{error}");
}

#[test]
fn a_pipeline_writes_to_another_topic_and_commits_in_transactions() {
    let pipeline = |to: &str| {
        format!(
            "{BY_HAND}[consumers.pipeline]\nto = '{to}'\n\
             [consumers.pipeline.properties]\ntransactional.id = 'p'\n"
        )
    };
    let scenario = good(&pipeline("results"));
    let group = &scenario.consumers[0];
    assert_eq!(group.transactional_ids(), ["p-1", "p-2", "p-3"]);
    assert_eq!(group.commit(), Commit::Never);
    assert!(refused(&pipeline("orders")).message.contains("they read `orders` themselves"));
    assert!(refused(&pipeline("result")).message.contains("no topic `result`"));
    let back = "[[consumers]]\ngroup = 'back'\ntopics = ['results']\n[consumers.properties]\n\
        enable.auto.commit = false\n[consumers.pipeline]\nto = 'orders'\n";
    let ring = refused(&(pipeline("results") + back));
    assert!(ring.message.contains("come back to `orders` through other pipelines"), "{ring}");
    let aborted = "[consumers.pipeline]\nto = 'results'\naborted = '5%'\n";
    assert!(refused(aborted).message.contains("no transactions to abort"));
}

#[test]
fn members_subscribe_by_a_pattern_that_some_topic_matches() {
    let by = |more: &str| {
        GOOD.replace("topics = ['orders']\n[[consumers]]", "[[consumers]]")
            .replace("count = 3\ntopics = ['orders']\n", &format!("count = 3\n{more}"))
            + BY_HAND
    };
    let parse = |more: &str| Scenario::parse("x.toml", &by(more));
    let (scenario, warnings) = parse("topic_pattern = 'ord.*'\n").expect("it matches");
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(scenario.consumers[0].topic_pattern.as_deref(), Some("ord.*"));
    let wrong = |more: &str| parse(more).map(|_| ()).expect_err(more).to_string();
    assert!(wrong("topic_pattern = 'rders'\n").contains("no topic matches"));
    assert!(wrong("topic_pattern = '(orders'\n").contains("not closed"));
    let both = wrong("topic_pattern = 'orders'\ntopics = ['orders']\n");
    assert!(both.contains("not both"), "{both}");
    let typo = wrong("topic_patern = 'orders'\n");
    assert!(typo.contains("`topic_pattern`"), "{typo}");
}

#[test]
fn clients_of_a_topic_that_is_created_later_begin_afterwards() {
    let later = |more: &str| {
        let text = format!("{GOOD}{BY_HAND}[[topics]]\nname = 'late'\ncreated_at = '3s'\n{more}");
        Scenario::parse("x.toml", &text)
    };
    later("[[producers]]\ntopics = ['late']\nstart = '3s'\n").expect("they begin then");
    later("[[consumers]]\ngroup = 'b'\ntopics = ['late']\n").expect("a group waits for it");
    for early in ["[[producers]]", "[[consumers]]"] {
        let error = later(&format!("{early}\ntopics = ['late']\nstart = '2s'\n"));
        assert!(error.expect_err(early).message.contains("they begin before"));
    }
    let text = GOOD.replace("name = 'results'\n", "name = 'results'\ncreated_at = '99h'\n");
    let error = Scenario::parse("x.toml", &text).expect_err("it is too late");
    assert!(error.message.contains("load is over"), "{error}");
}

#[test]
fn a_group_has_one_store_or_none() {
    let scenario = good(&format!("store = {{}}\n{BY_HAND}"));
    let group = &scenario.consumers[0];
    assert_eq!((group.store, group.commit()), (Some(crate::Store { fenced: true }), Commit::Never));
    let by_itself = read("store = { fenced = false }\n").expect("that is possible").1;
    assert!(by_itself[0].message.contains("have no effect"), "{by_itself:?}");
    let typo = refused("store = { fence = true }\n");
    assert!(typo.to_string().contains("`fenced`"), "{typo}");
    let other = |store: &str| {
        format!(
            "store = {{}}\n{BY_HAND}[[consumers]]\ngroup = 'app'\ntopics = ['orders']\n{store}{BY_HAND}"
        )
    };
    assert!(refused(&other("")).message.contains("others have none"));
    assert!(refused(&other("store = { fenced = false }\n")).message.contains("one store"));
    let both = format!("store = {{}}\n{BY_HAND}[consumers.pipeline]\nto = 'results'\n");
    assert!(refused(&both).message.contains("not to both"));
}

#[test]
fn a_scenario_with_members_survives_being_written_and_read() {
    let text = "process_time = '2ms'\nstalls = [{ at = '3s', lasts = '9s', members = 1 }]\n\
        leaves = [{ at = '5s', lasts = '1s', every = '4s', stagger = '1s' }]\n[consumers.pipeline]\n\
        to = 'results'\nresults = 2\n[consumers.pipeline.properties]\nlinger.ms = 5\n";
    let scenario = good(text);
    let (again, _) = Scenario::parse("y.toml", &scenario.to_toml())
        .unwrap_or_else(|error| panic!("{error}\n{}", scenario.to_toml()));
    assert_eq!(again.consumers, scenario.consumers);
}
