//! A process of your own in the simulator, in one file: a server that counts, a client that asks it
//! to, and a power failure that shows whether the server syncs before it replies.
//!
//!     cargo run -p sim --example counter

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use bytes::Bytes;
use machine::{
    Boot, ConnId, Digest, Disk, DiskError, FileId, Halt, Input, Lane, Message, NodeId, Now, Outbox,
    Process, Span, Vocabulary,
};
use sim::{Fault, HostConfig, PowerLoss, Seen, SimTime, World, WorldConfig, host};

const SERVER: NodeId = NodeId::new(0, 1);
const CLIENT: NodeId = NodeId::new(0, 2);
/// How long the client waits between two requests.
const PACE: Span = Span::millis(10);

/// The types that server and client share.
#[derive(Clone, Copy, Debug)]
struct Counting;

impl Vocabulary for Counting {
    type Message = Mail;
    type Timer = Next;
    type Fact = Fact;
    type Lock = ();
}

/// The client's timer: the next request is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Next;

/// A request, and the reply with how much was counted.
#[derive(Clone, Debug)]
enum Mail {
    Increment,
    Counted(u64),
}

impl Message for Mail {
    fn wire_size(&self) -> u64 {
        16
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Increment => "Increment",
            Self::Counted(_) => "Counted",
        }
    }

    fn fold(&self, digest: &mut Digest) {
        match self {
            Self::Increment => digest.fold(0),
            Self::Counted(count) => digest.fold(1 + count),
        }
    }
}

/// The facts that checks read.
#[derive(Clone, Debug)]
enum Fact {
    /// The client received the reply that confirms this number of increments.
    Confirmed(u64),
    /// The server started with this number of increments on its disk.
    Loaded(u64),
}

/// How a node is configured: as the client, or as the server.
#[derive(Clone, Debug)]
enum Config {
    Server { syncs: bool },
    Client,
}

/// The process on a node. An enum and no trait object, so that the world can be cloned.
#[derive(Clone, Debug)]
enum Node {
    Server { file: FileId, syncs: bool },
    Client { conn: Option<ConnId> },
}

impl Process for Node {
    type Vocabulary = Counting;
    type Config = Config;

    fn boot(
        config: &Config,
        boot: Boot,
        disk: &mut dyn Disk,
        out: &mut Outbox<Counting>,
    ) -> Result<Self, Halt> {
        match config {
            Config::Client => {
                out.set_timer(Next, boot.now.mono + PACE);
                Ok(Self::Client { conn: None })
            }
            Config::Server { syncs } => {
                let (file, count) = load(disk).map_err(|error| Halt::Failed(error.to_string()))?;
                out.observe(Fact::Loaded(count));
                Ok(Self::Server { file, syncs: *syncs })
            }
        }
    }

    fn handle(
        &mut self,
        now: Now,
        input: Input<Counting>,
        disk: &mut dyn Disk,
        out: &mut Outbox<Counting>,
    ) {
        match (self, input) {
            (Self::Server { file, syncs }, Input::Message { conn, .. }) => {
                match count(disk, *file, *syncs) {
                    // The reply leaves when the disk operations have completed.
                    Ok(count) => out.send(conn, Mail::Counted(count)),
                    Err(error) => out.halt(Halt::Failed(error.to_string())),
                }
            }
            (Self::Client { conn }, Input::Timer(Next)) => {
                let conn = *conn.get_or_insert_with(|| out.connect(SERVER));
                out.send(conn, Mail::Increment);
                out.set_timer(Next, now.mono + PACE);
            }
            (Self::Client { .. }, Input::Message { message: Mail::Counted(count), .. }) => {
                out.observe(Fact::Confirmed(count));
            }
            (Self::Client { conn }, Input::Closed { .. }) => *conn = None,
            (_, Input::Stop) => out.halt(Halt::Clean),
            _ => {}
        }
    }

    fn lane(&self, _: &Input<Counting>) -> Lane {
        Lane::Request
    }

    fn locks(&self, _: &Input<Counting>, _: &mut Vec<()>) {}

    fn invariants(&self) {}
}

/// The server's file, and how much was counted in it: one byte each.
fn load(disk: &mut dyn Disk) -> Result<(FileId, u64), DiskError> {
    let file = match disk.open("count") {
        Err(DiskError::NotFound) => disk.create("count")?,
        opened => opened?,
    };
    disk.sync_dir("")?;
    Ok((file, disk.len(file)?))
}

fn count(disk: &mut dyn Disk, file: FileId, syncs: bool) -> Result<u64, DiskError> {
    let before = disk.append(file, Bytes::from_static(b"+"))?;
    if syncs {
        disk.sync(file)?;
    }
    Ok(before + 1)
}

/// The increments confirmed before the server lost power, and those on its disk when it came back.
fn run(seed: u64, syncs: bool) -> (u64, u64) {
    host::run(seed, |clock| {
        let mut world: World<Node> = World::new(seed, WorldConfig::default());
        world.add_node(SERVER, Config::Server { syncs }, HostConfig::default());
        world.add_node(CLIENT, Config::Client, HostConfig::default());
        world.start(SERVER);
        world.start(CLIENT);
        clock.run_until(&mut world, SimTime::millis(500));
        let power = PowerLoss {
            target: vec![SERVER].into(),
            at_disk_operation: None,
            during_stop: false,
            stagger: None,
        };
        world.apply_for(Fault::PowerLoss(power), Span::millis(100));
        clock.run_until(&mut world, SimTime::millis(700));
        let (mut confirmed, mut loaded, mut starts) = (0, 0, 0);
        for seen in world.take_observations() {
            match seen.what {
                Seen::Fact { fact: Fact::Confirmed(count), .. } if starts < 2 => confirmed = count,
                Seen::Fact { fact: Fact::Loaded(count), .. } => {
                    (loaded, starts) = (count, starts + 1);
                }
                _ => {}
            }
        }
        (confirmed, loaded)
    })
}

fn main() {
    for syncs in [true, false] {
        let (confirmed, loaded) = run(42, syncs);
        println!("syncs: {syncs}; confirmed {confirmed}, on the disk after power loss {loaded}");
        assert!(confirmed > 0, "the server was asked");
        assert_eq!(loaded >= confirmed, syncs, "what was synced is there, what was not is gone");
    }
}
