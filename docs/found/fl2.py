#!/usr/bin/env python3
"""FL-2 on a real cluster: a follower in the ISR does not show committed records to consumers.

    python3 fl2.py [--control] [--kafka 4.1.1] [--folder kafka-4.1.1] [--base-port 19000]

docs/found.md says what happens and where. With --control broker 3 does not lead before it dies; then
it learns its high watermark again as soon as it is back.

Needs Python 3.9, Java 17 and, for the first run, Maven: it downloads Apache Kafka's published jars
(about 120 MB) into --folder. One controller and three brokers run for about two minutes, with data in
--folder/run. Everything listens on 127.0.0.1 only, on ports from --base-port to --base-port + 30.

Exit status: 0 if the records stay hidden (with --control: if they show), 1 if not, 2 if the run did
not get that far.
"""

import os
import sys
import time

from kafka import (NotReached, brokers, create_topic, elect_preferred, main, nearest_read,
                   partition_state, produce, say, until)

# How long a consumer waits at broker 3: forty fetches that find nothing.
PATIENCE = 20


def checkpointed(cluster):
    """When broker 3 last wrote its high watermarks; it does so every five seconds."""
    return os.stat(f'{cluster.run}/3/replication-offset-checkpoint').st_mtime_ns


def steps(cluster, control):
    """Returns the high watermark that broker 3 shows in the end, of ten committed records."""
    port = cluster.client

    def state():
        return partition_state(port(2))
    until('three brokers are up', lambda: brokers(port(2)) == 3, 120)
    until('the topic is created, broker 3 preferred', lambda: create_topic(port(2), [3, 1, 2]), 120)
    until('the ISR is complete', lambda: state() == (3, {1, 2, 3}))
    cluster.stop(3)
    until('broker 3 was shut down cleanly: broker 1 leads epoch 1', lambda: state()[0] == 1)
    cluster.process[3].wait()
    cluster.start(3)
    until('broker 3 is back in the ISR', lambda: state() == (1, {1, 2, 3}))

    last = checkpointed(cluster)
    until('broker 3 has written its checkpoints', lambda: checkpointed(cluster) > last, 10)
    last = checkpointed(cluster)
    error, _ = produce(port(1), [b'record-%d' % number for number in range(10)])
    if error:
        raise NotReached(f'the records get error {error}')
    say('10 records are acknowledged, acks=all')
    until('a consumer reads them from broker 3', lambda: nearest_read(port(3)) == (10, 10), 3)
    if not control:
        elect_preferred(port(2))
        until('broker 3 leads epoch 2', lambda: partition_state(port(3))[0] == 3, 3)
    cluster.kill(3)
    if checkpointed(cluster) > last:
        raise NotReached('broker 3 wrote its checkpoints too early; try again')
    cluster.start(3)
    say('broker 3 is killed before it has written its checkpoints again, and started at once')
    until('the session of its last life is over', lambda: state()[0] != 3 and 3 not in state()[1])
    until('broker 3 is back in the ISR', lambda: 3 in state()[1])
    end = time.time() + PATIENCE
    while time.time() < end:
        mark, count = nearest_read(port(3))
        if mark == 10:
            break
    say(f'at broker 3 the high watermark is {mark}; a consumer reads {count} of 10 records there')
    mark_of_leader, count_of_leader = nearest_read(port(state()[0]))
    say(f'at the leader it is {mark_of_leader}; a consumer reads {count_of_leader}')
    produce(port(state()[0]), [b'another'])
    until('after another record broker 3 shows all 11', lambda: nearest_read(port(3)) == (11, 11), 5)
    return mark


if __name__ == '__main__':
    sys.exit(main(__doc__, 'broker 3 does not lead before it dies', steps, lambda mark: mark < 10))
