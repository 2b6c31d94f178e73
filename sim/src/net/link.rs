//! The link from one host to another.

use crate::SimTime;
use crate::disk::transfer;
use crate::heap::Source;
use crate::random::{Draw, MILLION, Sample, exponential};
use machine::Span;

/// A random duration: a minimum, exponential jitter, and occasionally a long tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// The minimum.
    pub least: Span,
    /// The mean of the exponentially distributed time added to the minimum.
    pub jitter: Span,
    /// The chance of a tail, in parts per million.
    pub tail_ppm: u32,
    /// The mean of the further, exponentially distributed time added by a tail.
    pub tail: Span,
}

impl Latency {
    /// A constant duration.
    pub const fn constant(span: Span) -> Self {
        Self { least: span, jitter: Span::ZERO, tail_ppm: 0, tail: Span::ZERO }
    }

    #[inline]
    pub(crate) fn sample(&self, draw: &mut Draw) -> Span {
        let bits = draw.bits();
        let mut span = self.least.0 + exponential(bits, self.jitter).0;
        // The lowest bits affect only the longest jitters, so they are used for the tail.
        if Rare(bits << 43).happens(self.tail_ppm) {
            span += draw.exponential(self.tail).0;
        }
        Span(span)
    }
}

/// Several unlikely events decided by one draw: each takes 21 bits.
struct Rare(u64);

impl Rare {
    #[inline]
    fn happens(&mut self, ppm: u32) -> bool {
        self.happens_more(ppm, 0).0
    }

    /// Whether an event of chance `usual + more` parts per million happens; and whether it happens
    /// only because of `more`.
    #[inline]
    fn happens_more(&mut self, usual: u32, more: u32) -> (bool, bool) {
        let bits = (self.0 >> 43) * u64::from(MILLION);
        self.0 <<= 21;
        let happens = bits < u64::from(usual.saturating_add(more)) << 21;
        (happens, happens && bits >= u64::from(usual) << 21)
    }
}

/// The behaviour of a link that no fault has touched. The default is a link in a data centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkProfile {
    /// Latency of one direction, without queueing.
    pub latency: Latency,
    /// Lost packets, in parts per million.
    pub loss_ppm: u32,
    /// Packets that arrive twice, in parts per million.
    pub duplicate_ppm: u32,
    /// Packets that are held up while others overtake, in parts per million.
    pub reorder_ppm: u32,
    /// The mean time for which they are held up.
    pub reorder: Span,
    /// Throughput in bytes per second; 0 means unlimited.
    pub bytes_per_second: u64,
}

impl Default for LinkProfile {
    fn default() -> Self {
        Self {
            latency: Latency {
                least: Span::micros(60),
                jitter: Span::micros(40),
                tail_ppm: 500,
                tail: Span::millis(2),
            },
            loss_ppm: 20,
            duplicate_ppm: 20,
            reorder_ppm: 200,
            reorder: Span::micros(300),
            bytes_per_second: 1_250_000_000,
        }
    }
}

/// The combined effect of the active faults on a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkShape {
    /// Nothing gets through.
    pub(crate) cut: bool,
    /// Additional delay of every packet.
    pub(crate) delay: Span,
    /// A further delay is drawn uniformly below this.
    pub(crate) jitter: Span,
    pub(crate) loss_ppm: u32,
    pub(crate) duplicate_ppm: u32,
    pub(crate) reorder_ppm: u32,
    /// A limit on throughput, in bytes per second; 0 means unlimited.
    pub(crate) bytes_per_second: u64,
}

/// The effects of faults on packets of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) cut: bool,
    lost: bool,
    duplicated: bool,
    reordered: bool,
    slowed: bool,
}

impl Touched {
    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Whether a fault with this shape contributed to these effects.
    pub(crate) fn is_by(self, shape: &LinkShape) -> bool {
        (self.cut && shape.cut)
            || (self.lost && shape.loss_ppm > 0)
            || (self.duplicated && shape.duplicate_ppm > 0)
            || (self.reordered && shape.reorder_ppm > 0)
            || (self.slowed && shape.slows())
    }
}

impl LinkShape {
    #[inline]
    fn slows(&self) -> bool {
        self.delay > Span::ZERO || self.jitter > Span::ZERO || self.bytes_per_second > 0
    }
}

/// The time-outs after which TCP retransmits.
pub(crate) struct Retransmission;

impl Retransmission {
    const FIRST: Span = Span::millis(200);
    /// Linux waits up to two minutes. A few seconds explore the same event orders in less time.
    const LONGEST: Span = Span::millis(3_200);
    const FIRST_SYN: Span = Span::secs(1);
    const LONGEST_SYN: Span = Span::secs(4);

    /// How long after the first attempt the `n`-th retransmission, counted from one, is sent.
    #[inline]
    pub(crate) fn after(n: u32) -> Span {
        Self::sum(Self::FIRST, Self::LONGEST, n)
    }

    /// The wait after connection attempt `n`, counted from zero, before the next.
    pub(crate) fn syn(n: u32) -> Span {
        Span((Self::FIRST_SYN.0 << n.min(16)).min(Self::LONGEST_SYN.0))
    }

    /// The first retransmission time, not before `now`, of a packet first sent at `sent`.
    pub(crate) fn next(sent: SimTime, now: SimTime) -> SimTime {
        let mut n = 1;
        while sent + Self::after(n) < now && n < 6 {
            n += 1;
        }
        let at = sent + Self::after(n);
        if at >= now {
            return at;
        }
        let late = now.since(at).0;
        at + Span(late.div_ceil(Self::LONGEST.0) * Self::LONGEST.0)
    }

    fn sum(first: Span, longest: Span, n: u32) -> Span {
        Span((0..n).map(|i| (first.0 << i.min(16)).min(longest.0)).sum())
    }
}

/// The maximum number of consecutive retransmissions caused by random loss, with or without faults;
/// a cut link is handled elsewhere.
const MOST_LOST: u32 = 8;

/// The fate of one packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage {
    /// When the copy that gets through is sent.
    pub(crate) departs: SimTime,
    /// When it arrives.
    pub(crate) arrives: SimTime,
    /// The number of copies that were lost before it.
    pub(crate) lost: u32,
    pub(crate) duplicated: bool,
    pub(crate) reordered: bool,
    pub(crate) delayed: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) shape: LinkShape,
    /// The effects of faults since the faults on links last changed.
    pub(crate) touched: Touched,
    pub(crate) source: Source,
    /// An index into the table of profiles.
    profile: u16,
    /// The time until which earlier packets occupy it.
    busy: SimTime,
}

/// All links, by the indices of their ends.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    profiles: Vec<LinkProfile>,
    links: Vec<Link>,
    hosts: usize,
}

impl Links {
    pub(crate) fn new(profile: LinkProfile) -> Self {
        Self { profiles: vec![profile], links: Vec::new(), hosts: 0 }
    }

    /// Adds a host; `priority(from, to)` ranks the events of a link among simultaneous events.
    pub(crate) fn add_host(&mut self, priority: impl Fn(usize, usize) -> u32) {
        let mut old = std::mem::take(&mut self.links).into_iter();
        for from in 0..=self.hosts {
            for to in 0..=self.hosts {
                let existing = (from < self.hosts && to < self.hosts).then(|| old.next()).flatten();
                self.links.push(existing.unwrap_or_else(|| Link {
                    shape: LinkShape::default(),
                    touched: Touched::default(),
                    source: Source::new(priority(from, to)),
                    profile: 0,
                    busy: SimTime::ZERO,
                }));
            }
        }
        self.hosts += 1;
    }

    pub(crate) fn set_profile(&mut self, from: usize, to: usize, profile: LinkProfile) {
        let known = self.profiles.iter().position(|p| *p == profile);
        let index = known.unwrap_or_else(|| {
            self.profiles.push(profile);
            self.profiles.len() - 1
        });
        self.link_mut(from, to).profile = u16::try_from(index).expect("fewer than 65,536 profiles");
    }

    #[inline]
    pub(crate) fn link(&self, from: usize, to: usize) -> &Link {
        &self.links[from * self.hosts + to]
    }

    #[inline]
    pub(crate) fn link_mut(&mut self, from: usize, to: usize) -> &mut Link {
        &mut self.links[from * self.hosts + to]
    }

    /// Sends a packet. Its fate depends on `draw` and on how busy the link is.
    #[inline]
    pub(crate) fn pass(
        &mut self,
        from: usize,
        to: usize,
        bytes: u64,
        now: SimTime,
        draw: &mut Draw,
    ) -> Passage {
        let link = &mut self.links[from * self.hosts + to];
        let profile = &self.profiles[usize::from(link.profile)];
        let shape = &link.shape;
        // Draws that every packet needs come first, so that a fault does not shift them.
        let mut delay = profile.latency.sample(draw);
        let mut rare = Rare(draw.bits());
        let (is_lost, by_fault) = rare.happens_more(profile.loss_ppm, shape.loss_ppm);
        link.touched.lost |= by_fault;
        let mut lost = u32::from(is_lost);
        let (duplicated, by_fault) = rare.happens_more(profile.duplicate_ppm, shape.duplicate_ppm);
        link.touched.duplicated |= by_fault;
        let (reordered, by_fault) = rare.happens_more(profile.reorder_ppm, shape.reorder_ppm);
        link.touched.reordered |= by_fault;
        link.touched.slowed |= shape.slows();
        if lost > 0 {
            let again = profile.loss_ppm.saturating_add(shape.loss_ppm);
            lost += draw.geometric(again, MOST_LOST - 1);
        }
        if reordered {
            delay = delay.saturating_add(draw.exponential(profile.reorder));
        }
        let delayed = shape.delay > Span::ZERO || shape.jitter > Span::ZERO;
        if delayed {
            delay = delay.saturating_add(shape.delay);
            delay = delay.saturating_add(Span(draw.below(shape.jitter.0)));
        }
        let rate = match (profile.bytes_per_second, shape.bytes_per_second) {
            (rate, 0) | (0, rate) => rate,
            (usual, limit) => usual.min(limit),
        };
        let copies = 1 + u64::from(duplicated);
        link.busy = link.busy.max(now) + transfer(bytes * copies, rate);
        let departs = link.busy + Retransmission::after(lost);
        Passage { departs, arrives: departs + delay, lost, duplicated, reordered, delayed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retransmissions_double_up_to_a_limit() {
        let after = |n| Retransmission::after(n).as_millis();
        assert_eq!([after(0), after(1), after(2), after(3)], [0, 200, 600, 1_400]);
        assert_eq!([after(5), after(6), after(7)], [6_200, 9_400, 12_600]);
        for now in [0, 1, 200, 201, 5_000, 9_400, 9_401, 60_000] {
            let next = Retransmission::next(SimTime::ZERO, SimTime::millis(now));
            assert!(next >= SimTime::millis(now));
            let n = (1..40).find(|n| SimTime::ZERO + Retransmission::after(*n) == next);
            let n = n.expect("it is one of the attempts");
            assert!(n == 1 || SimTime::ZERO + Retransmission::after(n - 1) < SimTime::millis(now));
        }
    }

    #[test]
    fn a_slow_link_queues() {
        let profile = LinkProfile {
            latency: Latency::constant(Span::ZERO),
            bytes_per_second: 1_000_000,
            loss_ppm: 0,
            duplicate_ppm: 0,
            reorder_ppm: 0,
            ..LinkProfile::default()
        };
        let mut links = Links::new(profile);
        links.add_host(|_, _| 0);
        let key = crate::random::Key::new(1, "test", 0);
        let mut arrives = |i| links.pass(0, 0, 1_000, SimTime::ZERO, &mut key.draw(i, 0)).arrives;
        assert_eq!([arrives(0), arrives(1)], [SimTime::millis(1), SimTime::millis(2)]);
    }
}
