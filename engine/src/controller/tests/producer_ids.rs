//! Blocks of producer ids (KIP-730).

use super::bench::Bench;
use crate::error::ErrorCode;
use crate::ids::BrokerId;
use crate::metadata::MetadataRecord;
use crate::protocol::{AllocateProducerIdsRequest, Response};
use crate::rules::Rules;

fn allocate(bench: &mut Bench, broker: BrokerId) -> Result<(i64, i32), ErrorCode> {
    let broker_epoch = bench.epoch(broker);
    match bench.ask(AllocateProducerIdsRequest { broker, broker_epoch })? {
        Response::AllocateProducerIds(block) => Ok((block.first_producer_id, block.count)),
        other => panic!("no block: {other:?}"),
    }
}

#[test]
fn blocks_follow_one_another_and_the_log_records_the_start_of_the_next() {
    let (mut bench, _) = Bench::three(Rules::kafka(), &[]);
    assert_eq!(allocate(&mut bench, 1), Ok((0, 1000)));
    assert_eq!(allocate(&mut bench, 2), Ok((1000, 1000)));
    let (broker, broker_epoch) = (2, bench.epoch(2));
    let record = MetadataRecord::ProducerIds { broker, broker_epoch, next_producer_id: 2000 };
    assert_eq!(bench.log.last(), Some(&record));
    assert_eq!(bench.replayed().next_producer_id(), 2000);
}

#[test]
fn the_next_controller_continues_after_the_last_block_in_the_log() {
    let (mut bench, _) = Bench::three(Rules::kafka(), &[]);
    assert_eq!(allocate(&mut bench, 1), Ok((0, 1000)));
    bench.fail_over();
    assert_eq!(allocate(&mut bench, 1), Ok((1000, 1000)), "KAFKA-13357");

    let first_of_block = |next: i64| (next - 1000).max(0);
    let (mut bench, _) = Bench::three(Rules { first_of_block, ..Rules::kafka() }, &[]);
    assert_eq!(allocate(&mut bench, 1), Ok((0, 1000)));
    assert_eq!(allocate(&mut bench, 2), Ok((0, 1000)), "the block in use is not the next one");
}

#[test]
fn an_earlier_life_gets_no_block() {
    let (mut bench, _) = Bench::three(Rules::kafka(), &[]);
    let broker_epoch = bench.epoch(1) - 1;
    let asked = bench.ask(AllocateProducerIdsRequest { broker: 1, broker_epoch });
    assert_eq!(asked.err(), Some(ErrorCode::StaleBrokerEpoch));
}
