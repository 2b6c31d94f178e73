//! Whole controllers that lose power at any disk operation: confirmed registrations are kept, and
//! no controller replays uncommitted records.

use super::net::{Net, VOTERS};
use super::process::registration;
use crate::error::ErrorCode;
use crate::ids::{BrokerEpoch, BrokerId, Offset};
use crate::protocol::Response;
use machine::{ConnId, Span};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

struct Ordeal {
    net: Net,
    rng: ChaCha8Rng,
    /// The checksum of the committed image at each offset, from whichever controller was first.
    images: BTreeMap<Offset, u128>,
    /// Registrations without a response so far.
    asked: Vec<(ConnId, u32, BrokerId)>,
    /// Registrations that were confirmed.
    confirmed: BTreeMap<BrokerId, BrokerEpoch>,
    brokers: BrokerId,
    dead: BTreeSet<BrokerId>,
}

impl Ordeal {
    fn new(seed: u64, lies_about: Option<&'static str>) -> Self {
        let mut net = Net::default();
        for id in VOTERS {
            net.disks.entry(id).or_default().lies_about = lies_about;
            net.start(id);
        }
        Self {
            net,
            rng: ChaCha8Rng::seed_from_u64(seed),
            images: BTreeMap::new(),
            asked: Vec::new(),
            confirmed: BTreeMap::new(),
            brokers: 0,
            dead: BTreeSet::new(),
        }
    }

    /// Registers a broker at every controller that considers itself active.
    fn ask(&mut self) {
        let active = self.net.controllers.iter().filter(|(_, c)| c.active_epoch().is_some());
        for id in active.map(|(id, _)| *id).collect::<Vec<BrokerId>>() {
            self.brokers += 1;
            let conn = self.net.connect(id);
            let number = self.net.ask(conn, registration(self.brokers));
            self.asked.push((conn, number, self.brokers));
        }
    }

    fn run_for(&mut self, span: Span) -> Result<(), String> {
        let end = self.net.now + span;
        while self.net.now < end && !self.net.is_idle() {
            self.net.step();
            self.dead.extend(self.net.fallen.drain(..));
            self.look()?;
        }
        self.net.now = self.net.now.max(end);
        Ok(())
    }

    fn look(&mut self) -> Result<(), String> {
        for (id, controller) in &self.net.controllers {
            let image = controller.image();
            let (offset, sum) = (image.offset(), image.checksum());
            if *self.images.entry(offset).or_insert(sum) != sum {
                return Err(format!("{id} has replayed something else up to offset {offset}"));
            }
        }
        let net = &self.net;
        let confirmed = &mut self.confirmed;
        self.asked.retain(|(conn, number, broker)| match net.answer(*conn, *number) {
            Some(Response::BrokerRegistration(response)) => {
                if response.error == ErrorCode::None {
                    confirmed.insert(*broker, response.broker_epoch);
                }
                false
            }
            _ => true,
        });
        Ok(())
    }

    fn strike(&mut self) {
        let id = VOTERS[self.rng.random_range(0..3)];
        let is_alive = self.net.controllers.contains_key(&id);
        match self.rng.random_range(0..6) {
            0..=2 if is_alive => {
                let left = self.rng.random_range(0..8);
                self.net.disks.get_mut(&id).unwrap().writes_left = Some(left);
            }
            3 if is_alive => {
                self.net.lose_power(id);
                self.dead.insert(id);
            }
            4 => self.net.cut(id),
            _ => self.relieve(0.7),
        }
    }

    fn relieve(&mut self, probability: f64) {
        for id in self.dead.clone() {
            if self.rng.random_bool(probability) {
                self.dead.remove(&id);
                self.net.start(id);
                self.dead.extend(self.net.fallen.drain(..));
            }
        }
    }

    fn run(mut self) -> Result<usize, String> {
        for _ in 0..30 {
            let millis = self.rng.random_range(1..1_500);
            self.run_for(Span::millis(millis))?;
            self.ask();
            self.strike();
        }
        for id in VOTERS {
            self.net.disks.get_mut(&id).unwrap().writes_left = None;
        }
        self.relieve(1.0);
        self.run_for(Span::secs(20))?;
        for (broker, epoch) in &self.confirmed {
            for (id, controller) in &self.net.controllers {
                let registered = controller.image().broker(*broker).map(|broker| broker.epoch);
                if registered != Some(*epoch) {
                    return Err(format!("{id} does not know the registration of {broker}"));
                }
            }
        }
        assert_eq!(self.net.controllers.len(), VOTERS.len());
        self.net.active();
        Ok(self.confirmed.len())
    }
}

#[test]
fn confirmed_registrations_survive_any_power_loss() {
    let mut confirmed = 0;
    for seed in 0..40 {
        confirmed += Ordeal::new(seed, None).run().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    }
    assert!(confirmed > 200, "{confirmed} registrations were confirmed");
}

#[test]
fn a_metadata_log_that_is_not_durable_is_noticed() {
    let broken = (0..100).find_map(|seed| Ordeal::new(seed, Some(".log")).run().err());
    assert!(broken.is_some());
}
