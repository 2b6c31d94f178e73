//! What a setting promises, in words. From Kafka's documentation of `acks` and
//! `min.insync.replicas`, KIP-679 and KIP-966.

use super::confirm::{Acks, Setting};

/// What is promised of a record that the producer takes for written.
pub(super) fn promise(setting: Setting) -> &'static str {
    match (setting.acks, setting.min_isr) {
        (Acks::None, _) => {
            "Nothing. The producer takes a record for written once it is handed to the network, \
             and sends nothing again. min.insync.replicas is not \
             asked, but decides who may lead next."
        }
        (Acks::Leader, _) => {
            "The leader has the record in its memory. Nothing is promised once that leader fails \
             before every replica in sync has fetched it. min.insync.replicas is not asked before \
             a record is confirmed, but decides who may lead next."
        }
        (Acks::All, 0 | 1) => {
            "Every replica in sync has the record in its memory, and that may be the leader \
             alone. Nothing is promised once one of them loses its power with unsynced data."
        }
        (Acks::All, 2) => {
            "At least two replicas have the record in their memory. It survives any number of \
             process crashes and cuts, and one replica at a time that loses its power."
        }
        (Acks::All, _) => {
            "At least min.insync.replicas replicas have the record in their memory. It survives \
             any number of process crashes and cuts, and the power loss of all but one of them."
        }
    }
}

/// Whether the fault budget of the study stays inside what the setting promises.
pub(super) fn is_durable(setting: Setting) -> bool {
    setting.acks == Acks::All && setting.min_isr >= 2
}

/// What the producer was told of the records that count, as an adjective.
pub(super) fn at_stake(setting: Setting) -> &'static str {
    match setting.acks {
        Acks::None => "sent",
        Acks::Leader | Acks::All => "acknowledged",
    }
}
