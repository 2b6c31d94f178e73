//! Checks of sessions: when brokers may be fenced.

use super::{good, names};
use crate::evidence::{Change, FaultKind};
use crate::testing::{CRASHED, History};
use engine::fact::Fact;
use machine::Span;

fn fenced(broker: u16, asked: bool) -> Fact {
    Fact::BrokerFenced { broker, fenced: true, asked }
}

#[test]
fn a_broker_is_fenced_a_session_after_its_last_heartbeat() {
    let fenced_after = |span: Span, drift_ppm: u32| {
        let mut history = good();
        history.setup.drift_ppm = drift_ppm;
        history.fact(101, Fact::ControllerActive { epoch: 1 });
        history.fact(101, Fact::BrokerFenced { broker: 3, fenced: false, asked: true });
        history.wait(span);
        history.fact(101, fenced(3, false));
        names(&history)
    };
    assert_eq!(fenced_after(Span::secs(9), 0), Vec::<&str>::new());
    assert_eq!(fenced_after(Span::secs(8), 0), ["fenced-after-a-session"]);
    assert_eq!(fenced_after(Span::millis(8_990), 2_000), Vec::<&str>::new());
}

/// A heartbeat that the broker sent while it started may reach the controller late, over another
/// connection.
#[test]
fn a_broker_that_starts_or_stops_may_request_to_be_fenced() {
    let asks = |of: fn(&mut History), is_ready: bool| {
        let mut history = good();
        history.fact(101, Fact::ControllerActive { epoch: 1 });
        of(&mut history);
        if is_ready {
            history.fact(101, Fact::BrokerFenced { broker: 3, fenced: false, asked: true });
        }
        history.wait(Span::secs(1));
        history.fact(101, fenced(3, true));
        names(&history)
    };
    let restarts = |history: &mut History| {
        history.crash(3);
        history.node(3, Change::Started);
    };
    let restarts_behind_a_bad_link = |history: &mut History| {
        history.crash(3);
        history.node(3, Change::Started);
        history.bad_link(3, 101);
    };
    let stops = |history: &mut History| history.fault(3, FaultKind::Stop, true);
    assert_eq!(asks(restarts, false), Vec::<&str>::new());
    assert_eq!(asks(restarts, true), ["fenced-after-a-session"], "it is ready");
    assert_eq!(asks(restarts_behind_a_bad_link, true), Vec::<&str>::new());
    assert_eq!(asks(stops, true), Vec::<&str>::new());
    assert_eq!(asks(|_| {}, true), ["fenced-after-a-session"]);
}

/// The only controller of a cluster elects itself when it starts, and reports to be active once its
/// vote is on its disk.
#[test]
fn a_session_counts_from_the_start_of_a_lone_controller() {
    let fenced_after = |controllers: usize, silent: Span| {
        let mut history = good();
        history.setup.controllers.truncate(controllers);
        history.unfence(&[3]);
        history.node(101, CRASHED);
        history.node(101, Change::Started);
        history.wait(Span::millis(2));
        history.fact(101, Fact::ControllerActive { epoch: 2 });
        history.wait(silent);
        history.fact(101, fenced(3, false));
        history.fence(3, true);
        names(&history)
    };
    let early = Span(Span::secs(9).0 - Span::millis(2).0);
    assert_eq!(fenced_after(1, early), Vec::<&str>::new());
    assert_eq!(fenced_after(1, Span::secs(8)), ["fenced-after-a-session"]);
    assert_eq!(
        fenced_after(3, early),
        ["fenced-after-a-session"],
        "it has to be elected by others"
    );
}

#[test]
fn brokers_are_fenced_one_by_one() {
    let mut history = good();
    history.fact(101, fenced(2, false));
    history.fact(101, fenced(3, false));
    assert_eq!(names(&history), Vec::<&str>::new());
    // A controller that was paused receives all messages at the same moment.
    history.fault(1, FaultKind::Stop, true);
    history.fact(101, fenced(3, false));
    history.at_once(101, fenced(1, true));
    assert_eq!(names(&history), Vec::<&str>::new());
    history.at_once(101, fenced(2, false));
    assert_eq!(names(&history), ["fenced-after-a-session"]);
}
