//! Faults that would have no effect, or less effect than their keys suggest.

use crate::{Kind, Scenario};

const BASE: &str = "name = 'a'\ntitle = 'a'\n[[clusters]]\n[[topics]]\nname = 'orders'\n[[faults]]\n\
                    at = '1s'\n";

fn refused(fault: &str) -> Option<String> {
    match Scenario::parse("a.toml", &format!("{BASE}{fault}\n")) {
        Ok(_) => None,
        Err(error) => {
            assert_eq!(error.kind, Kind::Impossible, "{fault}: {error}");
            Some(error.message)
        }
    }
}

#[test]
fn a_fault_of_nothing_is_refused() {
    let link = |keys: &str| format!("from = 'broker 1'\nto = 'broker 2'\n{keys}");
    for (kind, zero, some) in [
        ("slow-link", link("by = '0ms'"), link("by = '1ms'")),
        ("slow-link", link("by = '1ms'\njitter = '0s'"), link("by = '1ms'\njitter = '1ms'")),
        ("lossy-link", link("loss = '0%'"), link("loss = '0.0001%'")),
        ("lossy-link", link("loss = '1%'\nduplication = '0%'"), link("duplication = '1%'")),
        ("lossy-link", link("reordering = '0%'"), link("reordering = '1%'")),
        (
            "delay-metadata",
            "target = 'broker 1'\nby = '0s'".to_owned(),
            "target = 'broker 1'\nby = '1s'".to_owned(),
        ),
    ] {
        let message = refused(&format!("kind = '{kind}'\n{zero}"));
        let says = message.as_ref().is_some_and(|it| it.contains(" of 0"));
        assert!(says, "{kind} {zero}: {message:?}");
        assert_eq!(refused(&format!("kind = '{kind}'\n{some}")), None);
    }
}

#[test]
fn a_list_that_names_a_target_twice_is_refused() {
    for (fault, is_refused) in [
        ("kind = 'crash'\ntarget = ['broker 1', 'broker 1']", true),
        ("kind = 'crash'\ntarget = ['broker 1', 'broker 2']", false),
        ("kind = 'slow-link'\nby = '1s'\nfrom = 'broker 3'\nto = ['broker 1', 'broker 1']", true),
        ("kind = 'slow-link'\nby = '1s'\nfrom = 'broker 1'\nto = ['broker 1', 'broker 2']", false),
        ("kind = 'partition'\ngroups = [['broker 1', 'broker 1'], ['broker 2']]", true),
        ("kind = 'partition'\ngroups = [['broker 1', 'broker 3'], ['broker 2']]", false),
    ] {
        let message = refused(fault);
        let says = message.as_ref().is_some_and(|it| it.contains("names a target twice"));
        assert_eq!((says, message.is_some()), (is_refused, is_refused), "{fault}: {message:?}");
    }
}
