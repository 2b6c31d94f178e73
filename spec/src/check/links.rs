//! Faults of links that can affect no link. Targets are roles, so that a fault is refused only if
//! it affects no link whichever nodes have those roles.

use crate::{PartitionName, Role, Scenario, Target};
use sim::{DelayMetadata, Fault, LossyLink, OneWayPartition, Partition, SlowLink};

/// The key to blame and why, if a fault can affect no link. The numbers of nodes and replicas of
/// `scenario` are taken into account, if there is one.
pub fn upon_no_link(
    fault: &Fault<Target>,
    scenario: Option<&Scenario>,
) -> Option<(&'static str, String)> {
    match fault {
        Fault::Partition(Partition { groups }) => {
            let (mut before, mut wrong) = (Vec::new(), None);
            for (place, group) in groups.0.iter().enumerate() {
                let is_taken = !group.is_empty() && covers(&before, group, scenario);
                wrong = wrong.or_else(|| is_taken.then_some(place + 1));
                before.extend(group.iter().cloned());
            }
            let group = wrong?;
            let message = format!(
                "all nodes of group {group} are in earlier groups as well, and a node is in the \
                 first group that names it"
            );
            Some(("groups", message))
        }
        Fault::OneWayPartition(OneWayPartition { from, to }) => {
            let message = || {
                "nothing is cut: a node of `to` that is in `from` as well receives, and all are; \
                 expected a node that is not in `from`"
            };
            let is_none = !to.0.is_empty() && covers(&from.0, &to.0, scenario);
            is_none.then(|| ("to", message().to_owned()))
        }
        Fault::SlowLink(SlowLink { from, to, .. })
        | Fault::LossyLink(LossyLink { from, to, .. }) => {
            let node = only(&from.0, scenario)?;
            let is_loop = only(&to.0, scenario)? == node;
            is_loop.then(|| ("to", loop_of(&node)))
        }
        Fault::DelayMetadata(DelayMetadata { target, from, .. }) => {
            let node = only(&target.0, scenario)?;
            let all = Target { cluster: node.cluster.clone(), role: Role::Controllers };
            let senders = from.as_ref().map_or_else(|| vec![all], |from| from.0.clone());
            let is_loop = only(&senders, scenario)? == node;
            is_loop.then(|| (if from.is_some() { "from" } else { "target" }, loop_of(&node)))
        }
        _ => None,
    }
}

fn loop_of(node: &Target) -> String {
    format!(
        "both ends are the same node, {node}, and no link leads from a node to itself: expected \
         another node"
    )
}

/// Whether the targets `all` include every node that the targets `part` can stand for.
fn covers(all: &[Target], part: &[Target], scenario: Option<&Scenario>) -> bool {
    let is_within = |part: &Target| all.iter().any(|all| includes(all, part, scenario));
    part.iter().all(is_within)
}

/// Whether the target `all` includes every node that the target `part` can stand for.
fn includes(all: &Target, part: &Target, scenario: Option<&Scenario>) -> bool {
    if all.cluster != part.cluster {
        return false;
    }
    let (all, part) = (plainly(all, scenario), plainly(part, scenario));
    if all == part {
        return true;
    }
    let of = |wanted: &PartitionName| {
        let own = match &part.role {
            Role::Leader(of) | Role::Follower(of) | Role::Followers(of) => Some(of),
            _ => None,
        };
        own == Some(wanted)
    };
    match &all.role {
        Role::Everyone => true,
        Role::Servers => is_broker(&part.role) || is_controller(&part.role),
        Role::Brokers => is_broker(&part.role),
        Role::Controllers => is_controller(&part.role),
        Role::Clients => {
            matches!(part.role, Role::Client(_) | Role::Producers | Role::Consumers)
        }
        Role::Replicas(name) => of(name),
        Role::Followers(name) => of(name) && matches!(part.role, Role::Follower(_)),
        _ => false,
    }
}

fn is_broker(role: &Role) -> bool {
    use Role::{AnyBroker, Broker, Brokers, Coordinator, Follower, Followers, Leader, Replicas};
    matches!(
        role,
        Leader(_)
            | Follower(_)
            | Followers(_)
            | Replicas(_)
            | Coordinator(_)
            | Broker(_)
            | AnyBroker
            | Brokers
    )
}

fn is_controller(role: &Role) -> bool {
    use Role::{ActiveController, Controller, Controllers, Standby};
    matches!(role, ActiveController | Standby | Controller(_) | Controllers)
}

/// The one node that all `targets` stand for, under its plainest name; `None` if they can stand for
/// more than one.
fn only(targets: &[Target], scenario: Option<&Scenario>) -> Option<Target> {
    let mut targets = targets.iter().map(|target| plainly(target, scenario));
    let first = targets.next()?;
    let is_one = match &first.role {
        Role::Leader(_)
        | Role::Coordinator(_)
        | Role::ActiveController
        | Role::Standby
        | Role::Broker(_)
        | Role::Controller(_)
        | Role::Client(_)
        | Role::Follower(_)
        | Role::AnyBroker => true,
        // With two replicas there is one follower.
        Role::Followers(of) => replicas(of, &first, scenario) == Some(2),
        _ => false,
    };
    (is_one && targets.all(|other| other == first)).then_some(first)
}

/// The plainest name of the same node or nodes: in a scenario with one broker `any broker` is
/// `broker 1`.
fn plainly(target: &Target, scenario: Option<&Scenario>) -> Target {
    let Some(scenario) = scenario else { return target.clone() };
    let Some(index) = scenario.cluster_index(target.cluster.as_deref()) else {
        return target.clone();
    };
    let cluster = &scenario.clusters[index];
    let role = match &target.role {
        Role::AnyBroker | Role::Brokers if cluster.brokers == 1 => Role::Broker(1),
        Role::ActiveController | Role::Controllers if cluster.controllers == 1 => {
            Role::Controller(101)
        }
        Role::Replicas(of) if replicas(of, target, Some(scenario)) == Some(1) => {
            Role::Leader(of.clone())
        }
        role => role.clone(),
    };
    Target { cluster: target.cluster.clone(), role }
}

/// The replication factor of a partition, if the scenario has its topic.
fn replicas(of: &PartitionName, target: &Target, scenario: Option<&Scenario>) -> Option<u16> {
    let topic = scenario?.topic(target.cluster.as_deref(), &of.topic)?;
    Some(topic.replication_factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaultKind;

    fn scenario(numbers: &str) -> Scenario {
        let toml = format!(
            "name = 'x'\ntitle = 'x'\n[[clusters]]\n[[topics]]\nname = 'orders'\n{numbers}"
        );
        toml::from_str(&toml).expect("it is a scenario")
    }

    fn key(fault: &str, scenario: Option<&Scenario>) -> Option<&'static str> {
        let fault: crate::Fault = toml::from_str(&format!("at = '1s'\n{fault}")).expect("a fault");
        let FaultKind::World(fault) = fault.kind else { panic!("it affects links") };
        upon_no_link(&fault, scenario).map(|(key, _)| key)
    }

    #[test]
    fn a_fault_between_a_node_and_itself_is_refused() {
        for (fault, expected) in [
            ("kind = 'one-way-partition'\nfrom = 'all servers'\nto = 'controller'", Some("to")),
            (
                "kind = 'one-way-partition'\nfrom = 'everyone'\nto = ['clients', 'broker 1']",
                Some("to"),
            ),
            ("kind = 'one-way-partition'\nfrom = 'all servers'\nto = 'clients'", None),
            ("kind = 'one-way-partition'\nfrom = 'controller'\nto = 'all servers'", None),
            ("kind = 'slow-link'\nby = '1s'\nfrom = 'broker 1'\nto = 'broker 1'", Some("to")),
            ("kind = 'slow-link'\nby = '1s'\nfrom = 'leader(a-0)'\nto = 'leader(a-0)'", Some("to")),
            ("kind = 'slow-link'\nby = '1s'\nfrom = 'leader(a-0)'\nto = 'leader(a-1)'", None),
            ("kind = 'slow-link'\nby = '1s'\nfrom = 'all brokers'\nto = 'all brokers'", None),
            ("kind = 'lossy-link'\nloss = '1%'\nfrom = 'standby'\nto = ['standby']", Some("to")),
            ("kind = 'delay-metadata'\nby = '1s'\ntarget = 'controller 101'", None),
            (
                "kind = 'delay-metadata'\nby = '1s'\ntarget = 'controller 101'\nfrom = 'controller 101'",
                Some("from"),
            ),
            ("kind = 'partition'\ngroups = [['all servers'], ['broker 1']]", Some("groups")),
            ("kind = 'partition'\ngroups = [['broker 1'], ['everyone']]", None),
        ] {
            assert_eq!(key(fault, None), expected, "{fault}");
        }
    }

    #[test]
    fn numbers_of_nodes_and_replicas_decide_whether_there_is_a_link() {
        let two = scenario("replication_factor = 2");
        let all = "kind = 'slow-link'\nby = '1s'\nfrom = 'followers(orders-0)'\nto = 'followers(orders-0)'";
        assert_eq!(key(all, Some(&two)), Some("to"));
        assert_eq!(key(all, Some(&scenario("replication_factor = 3"))), None);
        let mut one = scenario("");
        (one.clusters[0].brokers, one.clusters[0].controllers) = (1, 1);
        let loss = "kind = 'lossy-link'\nloss = '1%'\nfrom = 'any broker'\nto = 'broker 1'";
        assert_eq!((key(loss, Some(&one)), key(loss, None)), (Some("to"), None));
        let late = "kind = 'delay-metadata'\nby = '1s'\ntarget = 'controller'";
        assert_eq!(key(late, Some(&one)), Some("target"));
    }
}
