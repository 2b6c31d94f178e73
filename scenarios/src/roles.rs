//! The ids and names of the kinds of nodes.

use engine::ids::BrokerId;
use machine::NodeId;

/// The id of a cluster's first broker.
pub(crate) const FIRST_BROKER: BrokerId = 1;
/// The id of a cluster's first controller.
pub(crate) const FIRST_CONTROLLER: BrokerId = 101;
/// The id of a cluster's first client of the workload.
pub(crate) const FIRST_CLIENT: u16 = 1001;
/// The id of the client that sets a cluster up.
pub(crate) const ADMIN: u16 = 3001;
/// The id of the client that reads everything back.
pub(crate) const READER: u16 = 3002;

/// The id of the first store of applications.
pub(crate) const FIRST_STORE: u16 = 3101;

/// Whether a node is a broker.
pub(crate) const fn is_broker(node: NodeId) -> bool {
    node.node >= FIRST_BROKER && node.node < FIRST_CONTROLLER
}

/// Whether a node is a controller.
pub(crate) const fn is_controller(node: NodeId) -> bool {
    node.node >= FIRST_CONTROLLER && node.node < FIRST_CLIENT
}

/// A node in words: `broker 1`, `controller 101`, `client 1001`.
pub(crate) fn name(node: NodeId) -> String {
    let kind = match node {
        _ if is_broker(node) => "broker",
        _ if is_controller(node) => "controller",
        _ if node.node >= FIRST_STORE => "store",
        _ => "client",
    };
    format!("{kind} {node}")
}

/// Whether a node is a broker or a controller.
pub(crate) const fn is_server(node: NodeId) -> bool {
    node.node < FIRST_CLIENT
}
