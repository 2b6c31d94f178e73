#!/usr/bin/env python3
"""FL-1 on a real cluster: records acknowledged with acks=all are lost by a clean election.

    python3 fl1.py [--control] [--kafka 4.1.1] [--folder kafka-4.1.1] [--base-port 19000]

docs/found.md says what happens and where. With --control the leader learns of each leader change as
it happens; then nothing is acknowledged, and nothing is lost.

Needs Python 3.9, Java 17 and, for the first run, Maven: it downloads Apache Kafka's published jars
(about 120 MB) into --folder. One controller and three brokers run for about two minutes, with data in
--folder/run. Everything listens on 127.0.0.1 only, on ports from --base-port to --base-port + 30.

Exit status: 0 if the records are lost (with --control: if none is), 1 if not, 2 if the run did not
get that far.
"""

import sys
import threading
import time

from kafka import (CONTROLLER, NotReached, brokers, create_topic, elect_preferred, main,
                   partition_state, produce, read_all, say, until)


def steps(cluster, control):
    """Returns the acknowledged records and those that a consumer reads at the end."""
    port = cluster.client

    def state():
        return partition_state(port(2))
    until('three brokers are up', lambda: brokers(port(2)) == 3, 120)
    until('the topic is created, broker 3 preferred', lambda: create_topic(port(2), [3, 1, 2]), 120)
    until('the ISR is complete', lambda: state() == (3, {1, 2, 3}))
    cluster.stop(3)
    until('broker 3 was shut down cleanly: broker 1 leads', lambda: state()[0] == 1)
    cluster.process[3].wait()
    cluster.start(3)
    until('broker 3 is back in the ISR', lambda: state() == (1, {1, 2, 3}))
    error, _ = produce(port(1), [b'before-%d' % number for number in range(10)])
    if error:
        raise NotReached(f'the first records get error {error}')
    say('10 records are acknowledged')
    time.sleep(1.5)

    cluster.links[1].held = ['broker-3-']
    time.sleep(0.6)
    late = time.time()
    if not control:
        cluster.links[CONTROLLER].held = ['1', 'raft-client-1']
    say('broker 1 answers broker 3 late' + ('' if control else '; the controller answers broker 1 late'))
    outcome = []
    doomed = [f'doomed-{number}' for number in range(5)]
    writing = threading.Thread(
        target=lambda: outcome.append(produce(port(1), [value.encode() for value in doomed])))
    writing.start()
    time.sleep(0.5)
    say('5 records are sent to broker 1; acknowledged:', bool(outcome))
    threading.Thread(target=elect_preferred, args=(port(2),), daemon=True).start()
    until('broker 3 leads epoch 2', lambda: state()[0] == 3, 3)
    time.sleep(2)
    cluster.links[1].held = ['broker-3-', 'broker-2-']
    cluster.stop(3)
    until('broker 3 is shut down cleanly: broker 1 leads epoch 3', lambda: state()[0] == 1, 3)
    cluster.links[CONTROLLER].held = ()
    say(f'the controller answers broker 1 again, after {time.time() - late:.1f} s')
    writing.join(8)
    error, base = outcome[0] if outcome else (7, -1)
    acknowledged = [] if error else [(base + at, value) for at, value in enumerate(doomed)]
    say('acknowledged with acks=all:', acknowledged or f'nothing, error {error}')
    if acknowledged:
        say('a consumer reads from broker 1 up to', read_all(port(1))[-1])
    cluster.kill(1)
    cluster.links[1].cut()
    say('broker 1 is killed')
    until('broker 2 leads', lambda: state()[0] == 2)
    cluster.process[3].wait()
    cluster.start(3)
    until('broker 3 is in the ISR', lambda: state()[1] >= {2, 3})
    produce(port(2), [b'after-%d' % number for number in range(3)])
    final = read_all(port(2))
    say('a consumer reads from broker 2, from offset 8 on:', final[8:])
    return acknowledged, final


def is_shown(outcome):
    """Whether acknowledged records are lost."""
    acknowledged, final = outcome
    lost = [record for record in acknowledged if record not in final]
    say('acknowledged and lost:', lost or 'nothing')
    return bool(lost)


if __name__ == '__main__':
    sys.exit(main(__doc__, 'the leader learns of each change', steps, is_shown))
