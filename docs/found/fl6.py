#!/usr/bin/env python3
"""FL-6 on a real cluster: replicas of __transaction_state differ, and a transaction can no longer be ended.

    python3 fl6.py [--control] [--kafka 4.1.1] [--folder kafka-4.1.1] [--base-port 19000]

docs/found.md describes the defect. The transaction coordinator loses power, and with it the last two
records of its log, which both followers have. It is back before its session is over, and completes a
transaction in the leader epoch of the lost records. With --control it is back after its session is over,
and nothing is lost.

Needs Python 3.9, a JDK 17 and, for the first run, Maven: it downloads Apache Kafka's published jars
(about 120 MB) into --folder. One controller and three brokers run for about a minute, with data in
--folder/run. Everything listens on 127.0.0.1 only, on ports from --base-port to --base-port + 40.

Exit status: 0 if the transaction cannot be committed (with --control: if it can), 1 if not, 2 if the run
did not get that far.
"""

import os
import signal
import struct
import sys
import threading

from kafka import (TOPIC, Cluster, NotReached, Reader, array, ask, batch_of, brokers, create_topic,
                   elect_preferred, int32s, main, partition_state, say, string, until)

LOG = '__transaction_state'
# What the key of a record of the transaction log begins with.
STATES = ('empty', 'ongoing', 'prepare commit', 'prepare abort', 'complete commit', 'complete abort')


class Quick(Cluster):
    """A cluster in which a broker can be back before its session is over, also on a slow machine."""

    def properties(self, node):
        return super().properties(node) | {
            'broker.session.timeout.ms': 30_000,
            'transaction.state.log.num.partitions': 1,
            'transaction.state.log.replication.factor': 3,
            'transaction.state.log.min.isr': 2,
        }

    def stopped(self, node, what):
        """Does something while the process of a node is stopped."""
        self.process[node].send_signal(signal.SIGSTOP)
        try:
            what()
        finally:
            self.process[node].send_signal(signal.SIGCONT)

    def segment(self, node):
        return f'{self.run}/{node}/{LOG}-0/{0:020}.log'

    def log(self, node):
        """The records of a replica of the transaction log: offset, position in the file, id and state."""
        with open(self.segment(node), 'rb') as file:
            batches, found = Reader(file.read()), []
        while batches.at + 61 <= len(batches.data):
            at, base, length = batches.at, batches.number('q'), batches.number('i')
            end = batches.at + length
            batches.take(45)
            for _ in range(batches.number('i')):
                batches.varint(), batches.number('b'), batches.varint()
                offset = base + batches.varint()
                key = Reader(batches.take(batches.varint()))
                key.number('h')
                value = batches.take(batches.varint())
                batches.varint()
                # Version, producer id, (tagged: previous and next id,) epoch, time-out, state.
                state = STATES[value[2 + 8 + 2 + 4]]
                found.append((offset, at, key.string(), state))
            batches.at = end
        return found


class Producer:
    """A transactional producer as single requests to the coordinator and to the leader of its partition."""

    def __init__(self, coordinator, leader, name):
        self.coordinator, self.leader, self.name = coordinator, leader, name
        answer = ask(coordinator, 22, 1, string(name) + struct.pack('>i', 600_000))
        answer.number('i')
        if error := answer.number('h'):
            raise OSError(f'InitProducerId: error {error}')
        self.id = answer.number('q'), answer.number('h')

    def identity(self):
        return string(self.name) + struct.pack('>qh', *self.id)

    def add_partition(self):
        topic = string(TOPIC) + int32s([0])
        ask(self.coordinator, 24, 0, self.identity() + array([topic]), timeout=60)

    def produce(self, value):
        batch = batch_of([value], (*self.id, 0))
        data = array([struct.pack('>ii', 0, len(batch)) + batch])
        body = string(self.name) + struct.pack('>hi', -1, 60_000) + array([string(TOPIC) + data])
        answer = ask(self.leader, 0, 3, body, timeout=60)
        answer.number('i'), answer.string(), answer.number('i'), answer.number('i')
        return answer.number('h')

    def commit(self):
        answer = ask(self.coordinator, 26, 0, self.identity() + b'\1', timeout=60)
        answer.number('i')
        return answer.number('h')


def end_offset(port, is_committed):
    """The offset up to which a consumer may read, with or without isolation.level=read_committed."""
    partition = struct.pack('>iq', 0, -1)
    body = struct.pack('>ib', -1, is_committed) + array([string(TOPIC) + array([partition])])
    answer = ask(port, 2, 2, body)
    answer.number('i'), answer.number('i'), answer.string(), answer.number('i')
    answer.number('i'), answer.number('h'), answer.number('q')
    return answer.number('q')


def steps(cluster, control):
    """Returns whether the transaction of producer B is open for good."""
    port = cluster.client

    def coordinator():
        return partition_state(port(3), LOG)

    def producer(name):
        made = []
        until(f'producer {name} has its id', lambda: made.append(Producer(port(1), port(2), name)) or made)
        return made[0]

    def show(node):
        say(f'log of broker {node}:', *(f'{at} {name} {state};' for at, _, name, state in cluster.log(node)))
    until('three brokers are up', lambda: brokers(port(3)) == 3, 120)
    until('broker 1 is the coordinator', lambda: create_topic(port(3), [1, 2, 3], topic=LOG), 120)
    until('the topic is led by broker 2', lambda: create_topic(port(3), [2], min_isr=1), 120)
    until('all replicas are in sync', lambda: coordinator() == (1, {1, 2, 3}))
    a, b = producer('A'), producer('B')
    a.add_partition()
    if error := a.produce(b'of A'):
        raise NotReached(f'producer A gets error {error}')

    def commit_and_begin():
        """A's commit is decided, and B's transaction begins, before A's commit is complete."""
        requests = [threading.Thread(target=a.commit), threading.Thread(target=b.add_partition)]
        for request, state in zip(requests, (('A', 'prepare commit'), ('B', 'ongoing'))):
            request.start()
            until(f'producer {state[0]}: {state[1]}', lambda: cluster.log(1)[-1][2:] == state)
        return requests
    requests = []
    cluster.stopped(3, lambda: requests.extend(commit_and_begin()))
    for request in requests:
        request.join()
    until('the commit of A is complete', lambda: cluster.log(3)[-1][2:] == ('A', 'complete commit'))
    if error := b.produce(b'of B'):
        raise NotReached(f'producer B gets error {error}')
    show(1)
    show(2)

    last = cluster.log(1)[-2:]
    cluster.kill(1)
    os.truncate(cluster.segment(1), last[0][1])
    say('broker 1 loses power, and with it the last two records of its log')
    if control:
        until('its session is over, and broker 2 is the coordinator', lambda: coordinator()[0] == 2)
        cluster.start(1)
    else:
        cluster.start(1)
        until('it is back, and completes the commit of A again',
              lambda: cluster.log(1)[-1][2:] == ('A', 'complete commit'))
        if coordinator()[0] != 1:
            raise NotReached('it was back after its session was over')
        until('its session is over, and broker 2 is the coordinator', lambda: coordinator()[0] == 2)
    until('broker 1 is in sync again', lambda: coordinator() == (2, {1, 2, 3}), 120)
    show(1)
    show(2)
    until('broker 1 is the coordinator again',
          lambda: elect_preferred(port(3), LOG) or coordinator()[0] == 1)

    errors = []

    def has_answer():
        """Not while the coordinator is loading or not known, or another request is pending."""
        errors.append(b.commit())
        return errors[-1] not in (14, 15, 16, 51)
    until('producer B has its answer', has_answer)
    say('producer B commits: error', errors[-1])
    until('the markers are written', lambda: errors[-1] or end_offset(port(2), True) == end_offset(port(2), False))
    say('read_committed reads up to', end_offset(port(2), True), 'of', end_offset(port(2), False))
    return errors[-1] != 0 and end_offset(port(2), True) < end_offset(port(2), False)


if __name__ == '__main__':
    sys.exit(main(__doc__, 'the broker is back after its session is over', steps, bool, Quick))
