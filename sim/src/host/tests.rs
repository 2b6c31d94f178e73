//! One test for each way in which the outside world could leak into a run: inside the host the leak
//! is repeatable, or it fails loudly.

use super::*;
use rand::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
#[expect(clippy::disallowed_types, reason = "shows that the monotonic clock is virtual")]
fn instant_is_virtual() {
    let elapsed = run(1, |clock| {
        let start = std::time::Instant::now();
        let real_work: u64 = (0..100_000).sum();
        assert!(real_work > 0);
        assert_eq!(start.elapsed(), Duration::ZERO, "no time passes by itself");
        clock.advance_to(SimTime::secs(3_600));
        start.elapsed()
    });
    assert_eq!(elapsed, Duration::from_secs(3_600));
}

#[test]
#[expect(clippy::disallowed_types, reason = "shows that the wall clock is virtual")]
fn system_time_depends_on_the_seed_only() {
    let read = |seed| {
        run(seed, |clock| {
            clock.advance_to(SimTime::millis(5));
            std::time::SystemTime::now()
        })
    };
    assert_eq!(read(1), read(1));
    assert_ne!(read(1), read(2));
}

#[test]
#[expect(clippy::disallowed_types, reason = "shows that the order of hash maps is seeded")]
fn hash_maps_iterate_in_an_order_of_the_seed() {
    let order = |seed| {
        run(seed, |_| {
            let map: std::collections::HashMap<u32, ()> = (0..100).map(|i| (i, ())).collect();
            map.into_keys().collect::<Vec<_>>()
        })
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

#[test]
fn randomness_of_the_system_depends_on_the_seed_only() {
    let draw = |seed| run(seed, |_| rand::make_rng::<rand::rngs::StdRng>().next_u64());
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn randomness_of_madsim_depends_on_the_seed_only() {
    let draw = |seed| run(seed, |_| madsim::rand::random::<u64>());
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "shows that threads cannot be started")]
fn starting_a_thread_fails() {
    let outcome = run(1, |_| {
        // The expected panic is caught.
        catch_unwind(AssertUnwindSafe(|| std::thread::spawn(|| 1).join())).is_err()
    });
    assert!(outcome, "a thread was started inside the host");
}

#[test]
fn the_number_of_processors_is_fixed() {
    let count = run(1, |_| std::thread::available_parallelism().map(usize::from).ok());
    assert_eq!(count, Some(1));
}

#[test]
#[should_panic(expected = "passed on")]
fn a_panic_is_passed_on() {
    run(1, |_| panic!("passed on"));
}

#[test]
fn the_clock_outside_of_a_run_is_real() {
    #[expect(clippy::disallowed_types, reason = "reads the real clock, outside of any run")]
    let start = std::time::Instant::now();
    run(1, |clock| clock.advance_to(SimTime::secs(1_000_000)));
    assert!(start.elapsed() < Duration::from_secs(1_000_000));
}
