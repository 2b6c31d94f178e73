#!/usr/bin/env python3
"""FL-4 on a real cluster: Kafka's producer with default settings stores records twice, and in another order.

    python3 fl4.py [--control] [--kafka 4.1.1] [--folder kafka-4.1.1] [--base-port 19000]

docs/found.md describes the defect. A producer sends its first two records to a partition whose leader
changes while the first is on its way. With --control the producer has written to the partition before,
and each record is stored once and in order.

Needs Python 3.9, a JDK 17 and, for the first run, Maven: it downloads Apache Kafka's published jars
(about 120 MB) into --folder. One controller and three brokers run for about a minute, with data in
--folder/run. Everything listens on 127.0.0.1 only, on ports from --base-port to --base-port + 40.

Exit status: 0 if a record is stored twice (with --control: if none is), 1 if not, 2 if the run did not
get that far.
"""

import os
import struct
import subprocess
import sys
import threading
import time

from kafka import (HOST, TOPIC, Cluster, Link, NotReached, brokers, close, create_topic, main,
                   partition_state, produce, read_all, say, until)

# The API key of metadata requests.
METADATA = 3


class Door(Link):
    """A proxy between the producer and a broker. It can be blocked, and then keeps data in flight."""

    def __init__(self, port, target):
        super().__init__(port, target)
        self.blocked = self.deaf = False
        # The number of metadata requests.
        self.asked = 0

    def requests(self, near, far, client):
        self.forward(near, far, lambda: self.blocked, self.count)

    def responses(self, far, near, client):
        self.forward(far, near, lambda: self.blocked or self.deaf)

    def count(self, frame):
        self.asked += frame[4:6] == struct.pack('>h', METADATA)

    def forward(self, source, sink, is_held, seen=lambda frame: None):
        data = b' '
        try:
            while data:
                data = source.recv(65536)
                # The end of a connection is delayed like data.
                while is_held() and source in self.open:
                    time.sleep(0.002)
                if source not in self.open:
                    break
                seen(data)
                sink.sendall(data)
        except OSError:
            pass
        close(source, sink)

    def reset(self):
        """Ends all connections, and drops the data that it keeps."""
        ended, self.open = self.open, []
        self.blocked = self.deaf = False
        close(*ended)


class WithProducer(Cluster):
    """A cluster whose addresses for clients are those of proxies."""

    def __init__(self, *args):
        super().__init__(*args)
        self.doors = {node: Door(self.door(node), self.client(node)) for node in (1, 2, 3)}

    def door(self, node):
        return self.base + 30 + node

    def properties(self, node):
        found = super().properties(node)
        address = 'advertised.listeners'
        if node in (1, 2, 3):
            found[address] = found[address].replace(str(self.client(node)), str(self.door(node)))
        return found

    def producer(self):
        """Kafka's producer; returns a function that sends a record and a list of outcomes."""
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'Writer.java')
        with open(f'{self.run}/producer.log', 'ab') as log:
            self.process['producer'] = process = subprocess.Popen(
                ['java', '-cp', f'{self.folder}/libs/*', source, f'{HOST}:{self.door(3)}'],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        outcomes = []

        def collect():
            for line in process.stdout:
                outcomes.append(line.strip())
                say('producer:', line.strip())
        threading.Thread(target=collect, daemon=True).start()

        def send(value, topic=TOPIC):
            process.stdin.write(f'{topic} {value}\n')
            process.stdin.flush()
        return send, outcomes

    def close(self):
        super().close()
        for door in self.doors.values():
            door.cut()


def steps(cluster, control):
    """Returns the records that a consumer reads at the end."""
    port, doors = cluster.client, cluster.doors

    def state():
        return partition_state(port(3))

    def stored(node):
        return [value for _, value in read_all(port(node))]
    until('three brokers are up', lambda: brokers(port(3)) == 3, 120)
    until('the topic is created, broker 1 leads', lambda: create_topic(port(3), [1, 2, 3]), 120)
    until('the ISR is complete', lambda: state() == (1, {1, 2, 3}))
    error, _ = produce(port(1), [b'of another producer'])
    if error:
        raise NotReached(f'another producer gets error {error}')
    for node in (1, 2, 3):
        until(f'a topic of broker {node} is created',
              lambda: create_topic(port(3), [node], min_isr=1, topic=f'of-{node}'))
    send, outcomes = cluster.producer()
    for node in (1, 2, 3):
        send(f'to-{node}', f'of-{node}')
    until('the producer is connected to all brokers', lambda: len(outcomes) == 3)
    if control:
        send('zeroth')
        until('a record is acknowledged', lambda: len(outcomes) == 4)

    doors[1].blocked = True
    send('first')
    say('the way to broker 1 is blocked; the first record is sent there')
    time.sleep(1)
    cluster.stop(1)
    until('broker 1 is shut down in order: broker 2 leads', lambda: state()[0] == 2)
    cluster.process[1].wait()
    before = doors[2].asked + doors[3].asked
    doors[3].reset()
    until('the connection to broker 3 ends: the producer asks for metadata',
          lambda: doors[2].asked + doors[3].asked > before)
    time.sleep(1)
    doors[2].deaf = True
    send('second')
    if control:
        time.sleep(2)
    else:
        until('the second record is stored at broker 2', lambda: 'second' in stored(2))
    doors[1].reset()
    doors[2].reset()
    say('the connections to broker 1 and 2 end')
    time.sleep(1)
    until('both records are acknowledged', lambda: len(outcomes) == 5 + control, 150)
    final = stored(2)
    say('a consumer reads:', final)
    return final


def is_shown(stored):
    """Whether a record is stored twice."""
    return len(stored) > len(set(stored))


if __name__ == '__main__':
    sys.exit(main(__doc__, 'the producer has written to the partition before', steps, is_shown, WithProducer))
