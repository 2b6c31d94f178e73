"""A real Kafka cluster on the loopback interface, and the few requests that the scripts here need.

One controller and three brokers, with proxies that can keep or drop what nodes send. Needs
Python 3.9, Java 17 and, for the first run, Maven.
"""

import argparse
import base64
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid

HOST = '127.0.0.1'
TOPIC = 't'
CONTROLLER = 100
START = time.time()


def say(*words):
    print(f'{time.time() - START:7.2f}', *words, flush=True)


class NotReached(Exception):
    """The cluster did not get to the state that the next step needs."""


def until(what, holds, limit=90):
    """Waits until `holds()` is true; errors of a broker that is not there yet count as false."""
    end = time.time() + limit
    while time.time() < end:
        try:
            if holds():
                return say(what)
        except (OSError, struct.error):
            pass
        time.sleep(0.1)
    raise NotReached(what)


# The requests that the steps need, in versions without tagged fields.

def string(text):
    data = text.encode()
    return struct.pack('>h', len(data)) + data


def array(items):
    return struct.pack('>i', len(items)) + b''.join(items)


def int32s(numbers):
    return array([struct.pack('>i', number) for number in numbers])


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, code):
        return struct.unpack('>' + code, self.take(struct.calcsize('>' + code)))[0]

    def string(self):
        length = self.number('h')
        return None if length < 0 else self.take(length).decode()

    def array(self, item):
        return [item() for _ in range(self.number('i'))]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.number('B')
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)


def exactly(connection, count):
    data = b''
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionError('closed')
        data += more
    return data


def ask(port, api, version, body, timeout=10):
    """Sends one request on a connection of its own and returns a reader of the response."""
    with socket.create_connection((HOST, port), timeout) as connection:
        frame = struct.pack('>hhi', api, version, 1) + string('found') + body
        connection.sendall(struct.pack('>i', len(frame)) + frame)
        response = Reader(exactly(connection, struct.unpack('>i', exactly(connection, 4))[0]))
        response.number('i')
        return response


def brokers(port):
    """The number of brokers in this broker's metadata: those that are registered and unfenced."""
    answer = ask(port, 3, 1, array([]))
    return answer.number('i')


def partition_state(port, topic=TOPIC):
    """Leader and ISR of partition 0, according to this broker's metadata."""
    answer = ask(port, 3, 1, array([string(topic)]))
    number = answer.number
    answer.array(lambda: (number('i'), answer.string(), number('i'), answer.string()))
    number('i')

    def partition():
        number('h'), number('i')
        leader = number('i')
        answer.array(lambda: number('i'))
        return leader, set(answer.array(lambda: number('i')))

    def partitions_of():
        number('h'), answer.string(), number('b')
        return answer.array(partition)
    partitions = answer.array(partitions_of)[0]
    return partitions[0] if partitions else (-1, set())


def create_topic(port, replicas, min_isr=2, topic=TOPIC):
    assignment = array([struct.pack('>i', 0) + int32s(replicas)])
    config = array([string('min.insync.replicas') + string(str(min_isr))])
    wanted = string(topic) + struct.pack('>ih', -1, -1) + assignment + config
    answer = ask(port, 19, 2, array([wanted]) + struct.pack('>ib', 10_000, 0))
    answer.number('i'), answer.number('i'), answer.string()
    return answer.number('h') == 0


def elect_preferred(port, topic=TOPIC):
    partitions = array([string(topic) + int32s([0])])
    ask(port, 43, 0, partitions + struct.pack('>i', 10_000))


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7f:
        out.append((value & 0x7f) | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def batch_of(values, transaction=None):
    """A record batch v2 without keys and headers: of the open transaction of a producer, given as its id,
    its epoch and the sequence number of the first record, or of no producer."""
    records = b''
    for at, value in enumerate(values):
        body = b'\0' + varint(0) + varint(at) + varint(-1) + varint(len(value)) + value + varint(0)
        records += varint(len(body)) + body
    now = int(time.time() * 1000)
    tail = struct.pack('>hiqq', 0x10 if transaction else 0, len(values) - 1, now, now)
    tail += struct.pack('>qhii', *(transaction or (-1, -1, -1)), len(values)) + records
    head = struct.pack('>ibI', -1, 2, crc32c(tail))
    return struct.pack('>qi', 0, len(head) + len(tail)) + head + tail


def produce(port, values):
    """Writes one batch with acks=all; returns error code and base offset."""
    batch = batch_of(values)
    data = array([struct.pack('>i', 0) + struct.pack('>i', len(batch)) + batch])
    body = struct.pack('>hhi', -1, -1, 60_000) + array([string(TOPIC) + data])
    answer = ask(port, 0, 3, body, timeout=60)
    answer.number('i'), answer.string(), answer.number('i'), answer.number('i')
    return answer.number('h'), answer.number('q')


def values_of(batches):
    """Offset and value of each record."""
    found = []
    while batches.at + 61 <= len(batches.data):
        base, length = batches.number('q'), batches.number('i')
        end = batches.at + length
        batches.take(45)
        for _ in range(batches.number('i')):
            batches.varint(), batches.number('b'), batches.varint()
            offset = base + batches.varint()
            batches.take(max(batches.varint(), 0))
            found.append((offset, batches.take(batches.varint()).decode()))
            batches.varint()
        batches.at = end
    return found


def read_all(port):
    """The records that a consumer reads from the beginning up to the high watermark."""
    found, at = [], 0
    while True:
        position = struct.pack('>iqi', 0, at, 1 << 20)
        body = struct.pack('>iiiib', -1, 500, 1, 1 << 20, 0) + array([string(TOPIC) + array([position])])
        answer = ask(port, 1, 4, body)
        answer.number('i'), answer.number('i'), answer.string(), answer.number('i'), answer.number('i')
        error, _, _ = answer.number('h'), answer.number('q'), answer.number('q')
        if error:
            raise NotReached(f'a consumer gets error {error}')
        for _ in range(answer.number('i')):
            answer.take(16)
        records = values_of(Reader(answer.take(max(answer.number('i'), 0))))
        new = [record for record in records if record[0] >= at]
        if not new:
            return found
        found, at = found + new, new[-1][0] + 1


def nearest_read(port):
    """One fetch from the start, here, by a consumer that may read from followers (KIP-392).

    Returns the broker's high watermark and the number of records below it.
    """
    position = struct.pack('>iiqqi', 0, -1, 0, -1, 1 << 20)
    body = struct.pack('>iiiibii', -1, 500, 1, 1 << 20, 0, 0, -1)
    body += array([string(TOPIC) + array([position])]) + array([]) + string('')
    answer = ask(port, 1, 11, body)
    number = answer.number
    number('i'), number('h'), number('i'), number('i'), answer.string(), number('i'), number('i')
    error, mark, _, _ = number('h'), number('q'), number('q'), number('q')
    if error:
        raise OSError(f'fetch: error {error}')
    for _ in range(number('i')):
        answer.take(16)
    number('i')
    return mark, len(values_of(Reader(answer.take(max(number('i'), 0)))))


# The cluster. Its nodes reach broker 1 and the controller through proxies.

class Link:
    """A proxy that can hold back data from `target` to clients with certain names."""

    def __init__(self, port, target):
        self.target = target
        self.held = ()
        self.is_cut = False
        self.open = []
        self.listener = socket.create_server((HOST, port), reuse_port=False)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(near,), daemon=True).start()

    def serve(self, near):
        try:
            far = socket.create_connection((HOST, self.target), 2)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        self.open += [near, far]
        client = []
        for one in (near, far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self.requests, args=(near, far, client), daemon=True).start()
        self.responses(far, near, client)

    def requests(self, near, far, client):
        seen = b''
        try:
            while data := near.recv(65536):
                seen = seen + data if not client else seen
                # Size, API, version, correlation id, then the client's name.
                if not client and len(seen) >= 14:
                    length = max(struct.unpack('>h', seen[12:14])[0], 0)
                    if len(seen) >= 14 + length:
                        client.append(seen[14:14 + length].decode())
                far.sendall(data)
        except OSError:
            pass
        close(near, far)

    def responses(self, far, near, client):
        try:
            while data := far.recv(65536):
                while client and client[0].startswith(tuple(self.held)) and not self.is_cut:
                    time.sleep(0.002)
                if self.is_cut:
                    break
                near.sendall(data)
        except OSError:
            pass
        close(near, far)

    def cut(self):
        """Drops all data in flight."""
        self.is_cut = True
        self.listener.close()
        close(*self.open)


def close(*connections):
    for connection in connections:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Cluster:
    NODES = (CONTROLLER, 1, 2, 3)

    def __init__(self, folder, base, args):
        self.folder, self.base, self.args = os.path.abspath(folder), base, args
        self.run = f'{self.folder}/run'
        self.process = {}
        self.links = {node: Link(self.between(node), self.own(node)) for node in (1, CONTROLLER)}
        # The id must not look like an option.
        self.id = 'F' + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:].rstrip('=')
        shutil.rmtree(self.run, ignore_errors=True)
        os.makedirs(self.run)

    def launch(self):
        for node in self.NODES:
            with open(f'{self.run}/{node}.properties', 'w') as file:
                file.writelines(f'{name}={value}\n' for name, value in self.properties(node).items())
            self.format(node)
            self.start(node)

    def format(self, node, *options):
        code = self.java('kafka.tools.StorageTool', 'format', '-t', self.id, '--ignore-formatted',
                         *options, '-c', f'{self.run}/{node}.properties').wait()
        if code:
            raise NotReached(f'format: status {code}, see {self.run}/{node}.log')

    # The port of a broker for clients, its port for other nodes, and the port of the proxy before it.
    def client(self, node):
        return self.base + node

    def own(self, node):
        return self.base + 10 + node % 10

    def between(self, node):
        return self.base + 20 + node % 10 if node in (1, CONTROLLER) else self.own(node)

    def properties(self, node):
        common = {
            'node.id': node,
            'log.dirs': f'{self.run}/{node}',
            'controller.quorum.voters': f'{CONTROLLER}@{HOST}:{self.between(CONTROLLER)}',
            'controller.listener.names': 'CONTROLLER',
            'listener.security.protocol.map':
                'CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT,BETWEEN:PLAINTEXT',
            # Leadership moves when a step asks for it.
            'auto.leader.rebalance.enable': 'false',
        }
        if node == CONTROLLER:
            return common | {
                'process.roles': 'controller',
                'listeners': f'CONTROLLER://{HOST}:{self.own(node)}',
                'advertised.listeners': f'CONTROLLER://{HOST}:{self.between(node)}',
            }
        return common | {
            'process.roles': 'broker',
            'inter.broker.listener.name': 'BETWEEN',
            'listeners': f'CLIENT://{HOST}:{self.client(node)},BETWEEN://{HOST}:{self.own(node)}',
            'advertised.listeners':
                f'CLIENT://{HOST}:{self.client(node)},BETWEEN://{HOST}:{self.between(node)}',
        }

    def java(self, main, *args):
        name = os.path.basename(args[-1]).removesuffix('.properties')
        with open(f'{self.run}/{name}.log', 'ab') as log:
            return subprocess.Popen(
                ['java', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp',
                 f'{self.folder}/libs/*', main, *args], stdout=log, stderr=log)

    def start(self, node):
        self.process[node] = self.java('kafka.Kafka', f'{self.run}/{node}.properties')

    def stop(self, node):
        """Begins a clean shutdown."""
        self.process[node].send_signal(signal.SIGTERM)

    def kill(self, node):
        self.process[node].kill()
        self.process[node].wait()

    def close(self):
        for process in self.process.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        for link in self.links.values():
            link.cut()


def download(version, folder):
    if os.path.isdir(f'{folder}/libs'):
        return
    os.makedirs(folder, exist_ok=True)
    wanted = [('org.apache.kafka', 'kafka_2.13', version), ('org.slf4j', 'slf4j-simple', '1.7.36')]
    dependencies = ''.join(
        f'<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>'
        f'<version>{number}</version></dependency>' for group, name, number in wanted)
    with open(f'{folder}/pom.xml', 'w') as file:
        file.write('<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
                   '<groupId>found</groupId><artifactId>jars</artifactId><version>1</version>'
                   f'<dependencies>{dependencies}</dependencies></project>')
    say(f'downloading the jars of Kafka {version}')
    subprocess.run(['mvn', '-q', '-B', '-f', f'{folder}/pom.xml', 'dependency:copy-dependencies',
                    f'-DoutputDirectory={os.path.abspath(folder)}/libs'], check=True)


def main(doc, control, steps, is_shown, cluster=Cluster, options=lambda parser: None):
    """Runs `steps(cluster, control)` on a cluster with the options of the command line. Returns the
    exit status: 0 if `is_shown` is true for their result (false with --control), 1 otherwise, 2 if
    they did not reach their end. `doc` is the docstring of the script, `control` describes --control.
    `options` adds options to the parser; their values are the `args` of the cluster, an instance of
    `cluster`."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument('--control', action='store_true', help=control)
    options(parser)
    parser.add_argument('--kafka', default='4.1.1', help='the release')
    parser.add_argument('--folder', help='where the jars are, or are downloaded to')
    parser.add_argument('--base-port', type=int, default=19000)
    args = parser.parse_args()
    folder = args.folder or f'kafka-{args.kafka}'
    download(args.kafka, folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    cluster = cluster(folder, args.base_port, args)
    try:
        cluster.launch()
        outcome = steps(cluster, args.control)
    except NotReached as error:
        say('did not happen:', error)
        return 2
    finally:
        cluster.close()
    return 0 if is_shown(outcome) != args.control else 1
