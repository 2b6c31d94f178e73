//! A process for tests: it performs the actions that it is poked with, and passes tokens around a
//! ring, writing each to its disk.

#![allow(dead_code, reason = "each test uses a part of it")]

use bytes::Bytes;
use machine::{
    Boot, CloseReason, ConnId, Digest, Disk, DiskError, FileId, Halt, Input, Lane, Message, Mono,
    NodeId, Now, Outbox, Process, Span, Vocabulary,
};
use sim::{Fault, HostConfig, Observation, Seen, SimTime, World, WorldConfig};
use std::collections::BTreeMap;

/// The vocabulary of toys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words;

impl Vocabulary for Words {
    type Message = Mail;
    type Timer = Wake;
    type Fact = Fact;
    type Lock = u8;
}

/// The messages between toys.
#[derive(Clone, Debug)]
pub(crate) enum Mail {
    /// A number, which the receiver reports.
    Number(u64),
    /// A token, to be written and passed on.
    Token { hops: u64, bytes: Bytes },
    /// A number to be written to a file, under a lock and on a lane of its own.
    Write { lane: Lane, lock: u8, bytes: Bytes },
}

impl Message for Mail {
    fn wire_size(&self) -> u64 {
        match self {
            Self::Number(_) => 50,
            Self::Token { bytes, .. } | Self::Write { bytes, .. } => 50 + bytes.len() as u64,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Number(_) => "Number",
            Self::Token { .. } => "Token",
            Self::Write { .. } => "Write",
        }
    }

    fn fold(&self, digest: &mut Digest) {
        match self {
            Self::Number(n) => digest.fold(*n),
            Self::Token { hops, bytes } => {
                digest.fold(*hops);
                digest.fold_bytes(bytes);
            }
            Self::Write { lock, bytes, .. } => {
                digest.fold(u64::from(*lock));
                digest.fold_bytes(bytes);
            }
        }
    }
}

/// The timers of toys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wake {
    /// An action, for now.
    Do(Act),
    /// A timer that is reported when it fires.
    Alarm(u8),
    /// Starts a token.
    Round,
}

/// The actions of a toy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Act {
    Connect(NodeId),
    Send(NodeId, u64),
    Close(NodeId),
    Alarm(u8, u64),
    Mono(Lane),
    Append(&'static str, &'static [u8]),
    /// Appends and connects in one handler.
    AppendAndConnect(&'static str, NodeId),
    /// Several operations in one handler.
    AppendAll(&'static str, Vec<&'static [u8]>),
    Sync(&'static str),
    SyncDir(&'static str),
    Halt,
    /// A message to be written, on a lane and under a lock.
    Write(NodeId, Lane, u8, &'static [u8]),
}

/// The facts that toys report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    Got(NodeId, u64),
    Opened(NodeId),
    Closed(NodeId, CloseReason),
    Alarm(u8, Mono),
    Wrote(Vec<u8>),
    Failed(DiskError),
    Hops(u64),
}

/// The configuration of a toy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    /// Where tokens go.
    pub(crate) next: Option<NodeId>,
    /// Starts a token at this interval.
    pub(crate) every: Option<Span>,
    /// Syncs after this many tokens.
    pub(crate) sync_every: u64,
    /// Does not start.
    pub(crate) broken: bool,
    /// Does not stop when asked to.
    pub(crate) stubborn: bool,
}

/// The process.
#[derive(Clone, Debug)]
pub(crate) struct Toy {
    config: Config,
    conns: BTreeMap<NodeId, ConnId>,
    log: FileId,
    next: Option<ConnId>,
    tokens: u64,
    rounds: u64,
}

impl Toy {
    /// The number of tokens that it has seen.
    pub(crate) fn tokens(&self) -> u64 {
        self.tokens
    }

    fn forward(&mut self, hops: u64, bytes: Bytes, out: &mut Outbox<Words>) {
        let Some(next) = self.config.next else { return };
        let conn = *self.next.get_or_insert_with(|| out.connect(next));
        out.send(conn, Mail::Token { hops: hops + 1, bytes });
    }

    fn token(&mut self, bytes: Bytes, disk: &mut dyn Disk) -> Result<(), DiskError> {
        self.tokens += 1;
        disk.append(self.log, bytes)?;
        if self.config.sync_every > 0 && self.tokens.is_multiple_of(self.config.sync_every) {
            disk.sync(self.log)?;
        }
        Ok(())
    }

    fn act(
        &mut self,
        now: Now,
        act: Act,
        disk: &mut dyn Disk,
        out: &mut Outbox<Words>,
    ) -> Result<(), DiskError> {
        match act {
            Act::Connect(peer) => drop(self.conns.insert(peer, out.connect(peer))),
            Act::Send(peer, n) => {
                let conn = *self.conns.entry(peer).or_insert_with(|| out.connect(peer));
                out.send(conn, Mail::Number(n));
            }
            Act::Write(peer, lane, lock, bytes) => {
                let conn = *self.conns.entry(peer).or_insert_with(|| out.connect(peer));
                out.send(conn, Mail::Write { lane, lock, bytes: Bytes::from_static(bytes) });
            }
            Act::Close(peer) => {
                if let Some(conn) = self.conns.remove(&peer) {
                    out.close(conn);
                }
            }
            Act::Alarm(name, millis) => {
                out.set_timer(Wake::Alarm(name), now.mono + Span::millis(millis));
            }
            Act::Mono(_) => out.observe(Fact::Alarm(255, now.mono)),
            Act::Append(path, bytes) => {
                let file = open_or_create(disk, path)?;
                disk.append(file, Bytes::from_static(bytes))?;
                out.observe(Fact::Wrote(bytes.to_vec()));
            }
            Act::AppendAndConnect(path, peer) => {
                let file = open_or_create(disk, path)?;
                disk.append(file, Bytes::from_static(b"x"))?;
                self.conns.insert(peer, out.connect(peer));
            }
            Act::AppendAll(path, all) => {
                let file = open_or_create(disk, path)?;
                for bytes in all {
                    disk.append(file, Bytes::from_static(bytes))?;
                    out.observe(Fact::Wrote(bytes.to_vec()));
                }
            }
            Act::Sync(path) => {
                let file = disk.open(path)?;
                disk.sync(file)?;
                out.observe(Fact::Wrote(Vec::new()));
            }
            Act::SyncDir(path) => disk.sync_dir(path)?,
            Act::Halt => out.halt(Halt::Failed("poked".to_owned())),
        }
        Ok(())
    }
}

fn open_or_create(disk: &mut dyn Disk, path: &str) -> Result<FileId, DiskError> {
    match disk.open(path) {
        Err(DiskError::NotFound) => disk.create(path),
        opened => opened,
    }
}

impl Process for Toy {
    type Vocabulary = Words;
    type Config = Config;

    fn boot(
        config: &Config,
        boot: Boot,
        disk: &mut dyn Disk,
        out: &mut Outbox<Words>,
    ) -> Result<Self, Halt> {
        if config.broken {
            return Err(Halt::Failed("broken".to_owned()));
        }
        let log = open_or_create(disk, "log").map_err(|e| Halt::Failed(e.to_string()))?;
        disk.sync_dir("").map_err(|e| Halt::Failed(e.to_string()))?;
        if let Some(every) = config.every {
            out.set_timer(Wake::Round, boot.now.mono + every);
        }
        let (config, conns) = (config.clone(), BTreeMap::new());
        Ok(Self { config, conns, log, next: None, tokens: 0, rounds: 0 })
    }

    fn handle(
        &mut self,
        now: Now,
        input: Input<Words>,
        disk: &mut dyn Disk,
        out: &mut Outbox<Words>,
    ) {
        let done = match input {
            Input::Message { conn, from, message } => match message {
                Mail::Number(n) => {
                    self.conns.entry(from).or_insert(conn);
                    out.observe(Fact::Got(from, n));
                    Ok(())
                }
                Mail::Token { hops, bytes } => {
                    let done = self.token(bytes.clone(), disk);
                    out.observe(Fact::Hops(hops));
                    if hops < 50 {
                        self.forward(hops, bytes, out);
                    }
                    done
                }
                Mail::Write { bytes, .. } => {
                    out.observe(Fact::Wrote(bytes.to_vec()));
                    disk.append(self.log, bytes).and_then(|_| disk.sync(self.log))
                }
            },
            Input::Timer(Wake::Do(act)) => self.act(now, act, disk, out),
            Input::Timer(Wake::Alarm(name)) => {
                out.observe(Fact::Alarm(name, now.mono));
                Ok(())
            }
            Input::Timer(Wake::Round) => {
                self.rounds += 1;
                let bytes = self.rounds.to_le_bytes().repeat(16);
                self.forward(0, bytes.into(), out);
                if let Some(every) = self.config.every {
                    out.set_timer(Wake::Round, now.mono + every);
                }
                Ok(())
            }
            Input::Opened { peer, .. } => {
                out.observe(Fact::Opened(peer));
                Ok(())
            }
            Input::Closed { conn, peer, reason } => {
                self.next = self.next.filter(|next| *next != conn);
                self.conns.retain(|_, known| *known != conn);
                out.observe(Fact::Closed(peer, reason));
                Ok(())
            }
            Input::Stop => {
                if !self.config.stubborn {
                    out.halt(Halt::Clean);
                }
                Ok(())
            }
        };
        if let Err(error) = done {
            out.observe(Fact::Failed(error));
        }
    }

    fn lane(&self, input: &Input<Words>) -> Lane {
        match input {
            Input::Message { message: Mail::Write { lane, .. }, .. } => *lane,
            Input::Message { .. } => Lane::Request,
            Input::Timer(Wake::Do(Act::Mono(lane))) => *lane,
            Input::Timer(Wake::Do(Act::Send(..) | Act::Connect(_))) => Lane::Background,
            Input::Timer(_) | Input::Stop => Lane::Control,
            Input::Opened { .. } | Input::Closed { .. } => Lane::Network,
        }
    }

    fn locks(&self, input: &Input<Words>, locks: &mut Vec<u8>) {
        if let Input::Message { message: Mail::Write { lock, .. }, .. } = input {
            locks.push(*lock);
        }
    }

    fn invariants(&self) {
        assert!(self.conns.len() < 1_000);
    }
}

/// The `n`-th node.
pub(crate) fn node(n: u16) -> NodeId {
    NodeId::new(0, n)
}

/// The process on a node dies.
pub(crate) fn crash(n: u16) -> Fault<NodeId> {
    sim::Crash { target: node(n).into(), at_disk_operation: None, during_stop: false }.into()
}

/// The host of a node loses power.
pub(crate) fn power_loss(n: u16) -> Fault<NodeId> {
    let target = node(n).into();
    sim::PowerLoss { target, at_disk_operation: None, during_stop: false, stagger: None }.into()
}

/// A world of `count` idle toys, numbered from one and started.
pub(crate) fn idle(seed: u64, count: u16) -> World<Toy> {
    idle_with(seed, count, WorldConfig::default(), HostConfig::default())
}

/// [`idle`] with these settings.
pub(crate) fn idle_with(seed: u64, count: u16, world: WorldConfig, host: HostConfig) -> World<Toy> {
    let mut world = World::new(seed, world);
    for n in 1..=count {
        world.add_node(node(n), Config::default(), host.clone());
        world.start(node(n));
    }
    world.run_until(SimTime::millis(100));
    world.take_observations();
    world
}

/// A world of toys that pass tokens around a ring.
pub(crate) fn ring(seed: u64, count: u16, config: WorldConfig) -> World<Toy> {
    let mut world = World::new(seed, config);
    for n in 1..=count {
        let next = Some(node(n % count + 1));
        let config =
            Config { next, every: Some(Span::millis(20)), sync_every: 4, ..Config::default() };
        let host = HostConfig { mono_drift_ppm: i32::from(n) * 20, ..HostConfig::default() };
        world.add_node(node(n), config, host);
    }
    (1..=count).for_each(|n| world.start(node(n)));
    world
}

/// Makes a toy perform an action, and gives it the time.
pub(crate) fn poke(world: &mut World<Toy>, n: u16, act: Act) {
    world.poke(node(n), Wake::Do(act));
}

/// Lets some time pass.
pub(crate) fn pass(world: &mut World<Toy>, millis: u64) {
    let until = world.now() + Span::millis(millis);
    world.run_until(until);
}

/// The facts reported since the last call, with the nodes that reported them.
pub(crate) fn facts(world: &mut World<Toy>) -> Vec<(u16, Fact)> {
    let fact = |seen: Observation<Words>| match seen.what {
        Seen::Fact { node, fact, .. } => Some((node.node, fact)),
        Seen::Node { .. } | Seen::Fault { .. } => None,
    };
    world.take_observations().into_iter().filter_map(fact).collect()
}
