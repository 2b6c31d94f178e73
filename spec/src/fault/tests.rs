use super::*;
use crate::Scenario;
use sim::{Form, Kind};

/// A value that is valid for the form.
fn example(form: Form) -> &'static str {
    match form {
        Form::Targets => "'broker 1'",
        Form::Groups => "[['broker 1'], ['broker 2', 'broker 3']]",
        Form::Time => "'1.5s'",
        Form::Share => "'0.5%'",
        Form::Number => "3",
        Form::Flag => "true",
        Form::Text => "'x'",
        Form::Word(words) => ["'read'", "'sync'"][usize::from(words[0] != "read")],
    }
}

fn parse(entry: &str) -> Fault {
    toml::from_str(entry).unwrap_or_else(|error| panic!("{error}\n{entry}"))
}

#[test]
fn every_fault_with_every_key_reads_back_as_written() {
    for kind in Kind::ALL {
        let mut entry = format!("kind = '{}'\nat = '1s'\nname = 'x'\nlasts = '2s'\n", kind.name());
        for key in kind.keys() {
            entry.push_str(&format!("{} = {}\n", key.name, example(key.form)));
        }
        let fault = parse(&entry);
        let json = serde_json::to_string(&fault).expect("it is plain data");
        assert_eq!(serde_json::from_str::<Fault>(&json).expect("it was just written"), fault);
        let text = toml::to_string(&fault).expect("it is plain data");
        assert_eq!(parse(&text), fault);
        for key in kind.keys() {
            assert!(json.contains(&format!("\"{}\":", key.name)), "{json}");
        }
    }
}

#[test]
fn a_fault_without_a_required_key_is_refused() {
    for kind in Kind::ALL {
        let with = |left_out: &str| {
            let mut entry = format!("at = '1s'\n kind = '{}'\n", kind.name());
            for key in kind.keys().iter().filter(|key| key.name != left_out) {
                entry.push_str(&format!("{} = {}\n", key.name, example(key.form)));
            }
            toml::from_str::<Fault>(&entry)
        };
        for key in kind.keys() {
            match with(key.name) {
                Ok(_) => assert!(!key.required, "{} {}", kind.name(), key.name),
                Err(error) => {
                    assert!(key.required, "{} {}: {error}", kind.name(), key.name);
                    assert!(error.to_string().contains(&format!("`{}`", key.name)), "{error}");
                }
            }
        }
    }
}

#[test]
fn a_target_may_be_a_list() {
    let fault = parse("kind = 'crash'\ntarget = ['broker 1', 'controller 101']\nat = '1s'");
    let named: Vec<_> = fault.kind.targets().into_iter().map(|(_, t)| t.to_string()).collect();
    assert_eq!(named, ["broker 1", "controller 101"]);
    assert_eq!(fault.kind.in_words(&|target| target.to_string()), "crash broker 1 controller 101");
}

#[test]
fn a_key_of_another_fault_is_refused() {
    let text = "name = 'x'\ntitle = 'x'\n[[topics]]\nname = 't'\n[[faults]]\nkind = 'pause'\n\
                target = 'broker 1'\nat = '1s'\nloss = '1%'\n";
    let error = Scenario::parse("x.toml", text).expect_err("it has no loss");
    assert!(error.message.contains("there is no key `loss` here"), "{}", error.message);
    assert_eq!((error.line, error.column), (Some(9), Some(1)));
}

fn refused(entries: &str) -> String {
    let text = format!(
        "name = 'x'\ntitle = 'x'\n[[topics]]\nname = 't'\n[[producers]]\ncount = 1\n{entries}"
    );
    Scenario::parse("x.toml", &text).expect_err(&text).message
}

#[test]
fn a_fault_without_effect_is_refused() {
    for (entries, why) in [
        ("kind = 'partition'\ngroups = [['broker 1'], ['all servers'], []]", "a group is empty"),
        ("kind = 'crash'\ntarget = []", "the list names no node"),
        ("kind = 'slow-link'\nfrom = 'broker 1'\nto = 'broker 2'", "nothing is slow"),
        ("kind = 'lossy-link'\nfrom = 'broker 1'\nto = 'broker 2'", "nothing is lost"),
        ("kind = 'preferred-election'\nlasts = '1s'", "one moment"),
        ("kind = 'corrupt-disk'\ntarget = 'broker 1'\nfile = '.log'\nlasts = '1s'", "one moment"),
        ("kind = 'power-loss'\ntarget = 'all brokers'\nstagger = '1s'", "without `lasts`"),
        ("kind = 'hung-disk'\ntarget = 'client 1001'", "clients have no disk"),
        ("kind = 'crash'\ntarget = 'broker 1'\nduring_stop = true", "`at_disk_operation`"),
        ("kind = 'disk-error'\ntarget = 'broker 1'\non = 'sync'\ntimes = 0", "no operation fails"),
        ("kind = 'slow-disk'\ntarget = 'broker 1'\nfactor = 9\ndirectory = 'd1'", "`log.dirs`"),
        ("kind = 'clock-jump'\ntarget = 'broker 1'\nby = '10us'", "a millisecond at the least"),
    ] {
        let message = refused(&format!("[[faults]]\nat = '1s'\n{entries}\n"));
        assert!(message.contains(why), "{entries}: {message}");
    }
}

#[test]
fn an_effect_that_no_fault_of_the_scenario_causes_cannot_be_required() {
    let with = |must: &str| {
        let text = format!(
            "name = 'x'\ntitle = 'x'\nmust_reach = ['{must}']\n[[topics]]\nname = 't'\n\
             [[faults]]\nkind = 'crash'\ntarget = 'broker 1'\nat = '1s'\n"
        );
        Scenario::parse("x.toml", &text).map(|_| ()).map_err(|error| error.message)
    };
    assert_eq!(with("process_killed"), Ok(()));
    let error = with("disk_operation_hung").expect_err("no disk hangs");
    assert!(error.contains("it takes hung-disk"), "{error}");
    assert!(with("leader_resigned").expect_err("no such name").contains("leader_resigned"));
}
