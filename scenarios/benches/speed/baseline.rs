//! Baselines for the speed of runs: a bare event heap, and madsim's own network.

use super::Measured;
use madsim::net::Endpoint;
use madsim::runtime::{Handle, Runtime};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;

/// A bare heap of 1,024 events, each of which schedules the next.
pub(crate) fn bare_heap(events: u64) -> Measured {
    Measured::of(events, move || {
        let mut heap: BinaryHeap<Reverse<(u64, u64)>> =
            (0..1_024).map(|source| Reverse((source, source))).collect();
        let mut state = 1_u64;
        for _ in 0..events {
            let Some(Reverse((at, source))) = heap.pop() else { return };
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(source);
            heap.push(Reverse((at + 1 + (state >> 44), source)));
        }
    })
}

/// The same heap inside one madsim task, which advances the clock with every event.
pub(crate) fn heap_in_madsim(events: u64) -> Measured {
    Measured::of(events, move || {
        Runtime::with_seed_and_config(1, madsim::Config::default()).block_on(async move {
            let mut heap: BinaryHeap<Reverse<(u64, u64)>> =
                (0..1_024).map(|source| Reverse((source, source))).collect();
            let (mut state, mut now) = (1_u64, 0);
            for _ in 0..events {
                let Some(Reverse((at, source))) = heap.pop() else { return };
                madsim::time::advance(std::time::Duration::from_nanos(at - now));
                now = at;
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(source);
                heap.push(Reverse((at + 1 + (state >> 44), source)));
            }
        });
    })
}

/// Two nodes of madsim that send one message back and forth.
pub(crate) fn madsim_ping_pong(messages: u64) -> Measured {
    Measured::of(messages, move || {
        Runtime::with_seed_and_config(1, madsim::Config::default()).block_on(async move {
            let handle = Handle::current();
            let addresses: [SocketAddr; 2] =
                ["10.0.0.1:1", "10.0.0.2:1"].map(|a| a.parse().expect("an address"));
            let [first, second] = addresses;
            let ping = handle.create_node().ip(first.ip()).build();
            let pong = handle.create_node().ip(second.ip()).build();
            pong.spawn(async move {
                let endpoint = Endpoint::bind(second).await.expect("a free address");
                let mut buffer = [0; 8];
                while let Ok((_, from)) = endpoint.recv_from(0, &mut buffer).await {
                    endpoint.send_to(from, 0, &buffer).await.expect("an open network");
                }
            });
            let pinging = ping.spawn(async move {
                let endpoint = Endpoint::bind(first).await.expect("a free address");
                madsim::time::sleep(std::time::Duration::from_secs(1)).await;
                let mut buffer = [0; 8];
                for _ in 0..messages / 2 {
                    endpoint.send_to(second, 0, &buffer).await.expect("an open network");
                    endpoint.recv_from(0, &mut buffer).await.expect("a response");
                }
            });
            pinging.await.expect("the task ends");
        });
    })
}
