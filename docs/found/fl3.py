#!/usr/bin/env python3
"""FL-3 on a real cluster: a partition has no leader although the only broker in its ISR is up.

    python3 fl3.py [--control] [--orderly] [--two-dirs] [--second-replica] [--no-elr] [--balance]
                   [--way-out elect|again|other] [--kafka 4.1.1] [--folder kafka-4.1.1] [--base-port 19000]

docs/found.md describes the defect. Broker 1 has the only replica of a partition; it dies, gets
an empty disk and starts again. With --control it starts with its old disk, and leads at once.

--orderly         broker 1 is shut down cleanly, not killed
--two-dirs        it has two log directories, and only the one with the partition is replaced
--second-replica  the partition has another replica, at broker 2, which is up but not in the ISR
--no-elr          without eligible leader replicas (KIP-966), as in clusters from before 4.1
--way-out         what finally gives the partition a leader: a requested election, or a restart of
                  broker 1 or of the other broker
--balance         leader balancing as by default (every 300 seconds); waits until there is a leader

Needs Python 3.9, Java 17 and, for the first run, Maven: it downloads Apache Kafka's published jars
(about 120 MB) into --folder. One controller and two brokers run for about two minutes, with data in
--folder/run. Everything listens on 127.0.0.1 only, on ports from --base-port to --base-port + 30.

Exit status: 0 if the partition stays without leader (with --control: if broker 1 leads), 1 if not,
2 if the run did not get that far.
"""

import os
import re
import shutil
import sys
import time

from kafka import (CONTROLLER, TOPIC, Cluster, NotReached, brokers, create_topic, elect_preferred,
                   main, partition_state, produce, say, until)

# Seconds for which broker 1 is watched after it has been unfenced: without and with leader balancing.
PATIENCE, BALANCED = 30, 400
# A little more than broker.session.timeout.ms.
SESSION = 10


class Replaceable(Cluster):
    """One controller and two brokers; broker 1 can get a new disk."""

    NODES = (CONTROLLER, 1, 2)

    def properties(self, node):
        changed = {}
        if self.args.balance:
            changed['auto.leader.rebalance.enable'] = 'true'
        if self.args.two_dirs and node == 1:
            changed['log.dirs'] = f'{self.run}/1,{self.run}/1b'
        return super().properties(node) | changed

    def format(self, node):
        features = ['--feature', 'eligible.leader.replicas.version=0'] if self.args.no_elr else []
        super().format(node, *features)

    def directory_ids(self):
        """Broker 1's log directories and their ids; the directory with the partition comes first."""
        found = {}
        for folder in self.properties(1)['log.dirs'].split(','):
            with open(f'{folder}/meta.properties') as file:
                found[folder] = re.search('directory.id=(.*)', file.read())[1]
        return sorted(found.items(), key=lambda item: not os.path.isdir(f'{item[0]}/{TOPIC}-0'))

    def records(self):
        """The controller's records about broker 1 and the partition."""
        log = f'{self.run}/{CONTROLLER}/__cluster_metadata-0/00000000000000000000.log'
        self.java('kafka.tools.DumpLogSegments', '--cluster-metadata-decoder', '--files', log,
                  f'{self.run}/metadata').wait()
        wanted = r'offset: (\d+) .*payload: \{"type":"((?:REGISTER_BROKER|BROKER_REG|PARTITION)\w*)".*"data":(.*)\}'
        with open(f'{self.run}/metadata.log') as file:
            for line in file:
                if found := re.search(wanted, line):
                    # Where and with which features a broker registers does not matter here.
                    yield re.sub(r'("endPoints"|"features"):\[.*?\],(?=")', '', ' '.join(found.groups()))


def steps(cluster, control):
    """Returns how many seconds after broker 1 was unfenced it led, or None if it did not."""
    port, args = cluster.client, cluster.args

    def state():
        return partition_state(port(2))
    until('two brokers are up', lambda: brokers(port(2)) == 2, 120)
    replicas = [1, 2] if args.second_replica else [1]
    until(f'the topic is created, replicas {replicas}', lambda: create_topic(port(2), replicas, min_isr=1), 120)
    until('the ISR is complete', lambda: state() == (1, set(replicas)))
    if args.second_replica:
        cluster.kill(2)
        until('broker 2 is killed, broker 1 is alone in the ISR',
              lambda: partition_state(port(1)) == (1, {1}))
    error, _ = produce(port(1), [b'record-%d' % number for number in range(10)])
    if error:
        raise NotReached(f'the records get error {error}')
    if args.two_dirs:
        # Until broker 1 has reported the directory of the replica to the controller.
        time.sleep(5)
    say('10 records are acknowledged, acks=all')
    old = cluster.directory_ids()
    say('log directories of broker 1, first that of the partition:', *[key for _, key in old])

    if args.orderly:
        cluster.stop(1)
        cluster.process[1].wait()
    else:
        cluster.kill(1)
    if args.second_replica:
        cluster.start(2)
    until(f'broker 1 is {"shut down cleanly" if args.orderly else "killed"} and fenced, no leader',
          lambda: brokers(port(2)) == 1 and state()[0] == -1)
    if args.orderly:
        # Replacing a disk takes longer than nine seconds; if broker 1 started during its old session,
        # its registration would have to wait.
        time.sleep(SESSION)
    if not control:
        for folder, _ in old[:1] if args.two_dirs else old:
            shutil.rmtree(folder)
        cluster.format(1)
        say('an empty disk is formatted:', *[key for _, key in cluster.directory_ids()])
    cluster.start(1)
    until('broker 1 is started; now it is unfenced', lambda: brokers(port(2)) == 2)

    unfenced, seen, led = time.time(), None, None
    end = unfenced + (BALANCED if args.balance else PATIENCE)
    while time.time() < end and led is None:
        now = state()
        if now != seen:
            say('leader %d, ISR %s' % (now[0], sorted(now[1])))
            seen = now
        if now[0] != -1:
            led = time.time() - unfenced
        time.sleep(0.05)
    if led is None:
        say(f'still leader {seen[0]}, ISR {sorted(seen[1])}, {time.time() - unfenced:.0f} s after the '
            f'unfencing; unfenced brokers: {brokers(port(2))}')
        say('a producer at broker 1 gets error', produce(port(1), [b'another'])[0])
        if args.way_out == 'elect':
            elect_preferred(port(2))
            until('a preferred election is asked for: broker 1 leads', lambda: state()[0] == 1, 5)
        else:
            node = 1 if args.way_out == 'again' else 2
            cluster.stop(node)
            cluster.process[node].wait()
            cluster.start(node)
            until(f'broker {node} is stopped and started: broker 1 leads', lambda: state()[0] == 1)
        until('a record is acknowledged', lambda: produce(port(1), [b'another'])[0] == 0, 5)
    else:
        say(f'broker {seen[0]} leads {led:.1f} s after the unfencing of broker 1')
    print('The controller wrote, by offset in the metadata log:')
    for record in cluster.records():
        print(' ', record, flush=True)
    return led


def options(parser):
    parser.add_argument('--orderly', action='store_true', help='broker 1 is shut down cleanly')
    parser.add_argument('--two-dirs', action='store_true', help='it has two log directories')
    parser.add_argument('--second-replica', action='store_true', help='broker 2 has a replica, not in the ISR')
    parser.add_argument('--no-elr', action='store_true', help='without eligible leader replicas')
    parser.add_argument('--balance', action='store_true', help='leader balancing as by default')
    parser.add_argument('--way-out', choices=('elect', 'again', 'other'), default='elect',
                        help='what then brings a leader: a preferred election, or stopping and '
                             'starting broker 1 again, or broker 2')


if __name__ == '__main__':
    sys.exit(main(__doc__, 'broker 1 keeps its disk', steps, lambda led: led is None or led > PATIENCE,
                  Replaceable, options))
