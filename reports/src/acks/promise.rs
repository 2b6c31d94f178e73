//! The promise of a setting, in words. From Kafka's documentation of `acks`, `min.insync.replicas`
//! and `unclean.leader.election.enable`, KIP-679 and KIP-966.

use super::confirm::{Acks, Setting};
use super::study::Header;

/// The promise for a record that the producer considers written, under the configuration of the
/// study.
pub(super) fn promise(setting: Setting, study: &Header) -> String {
    let replicas = study.replication_factor;
    let mut text = match replicas {
        1 if setting.acks != Acks::None => "The only replica has the record in its memory. \
                                            Nothing is promised once it loses its power with \
                                            unsynced data."
            .to_owned(),
        _ => of_setting(setting.acks, effective_min_isr(setting, study)).to_owned(),
    };
    if setting.acks == Acks::None {
        return text;
    }
    if !setting.idempotence {
        text.push_str(
            " Batches that the producer sends again may be stored twice, or after later ones.",
        );
    }
    if study.unclean_leader_election && replicas > 1 {
        text.push_str(
            " But unclean leader election is on: if no in-sync replica is alive, a replica out of \
             sync may lead without the record, and nothing is promised.",
        );
    }
    if let Some(messages) = study.flush_messages {
        text.push_str(&match messages {
            1 => " A replica syncs each append before it responds (flush.messages=1), so that \
                  power loss does not lose its records."
                .to_owned(),
            _ => format!(" A replica syncs once {messages} records are unsynced."),
        });
    }
    text
}

/// The promise without unclean leader election and `flush.messages`.
fn of_setting(acks: Acks, min_isr: u16) -> &'static str {
    match (acks, min_isr) {
        (Acks::None, _) => {
            "Nothing. The producer considers a record written once it is handed to the network, \
             and does not resend it. min.insync.replicas is not checked before a write, but \
             decides which replica may lead next."
        }
        (Acks::Leader, _) => {
            "The leader has the record in its memory. Nothing is promised if that leader fails \
             before every in-sync replica has fetched the record. min.insync.replicas is not \
             checked before a write, but decides which replica may lead next."
        }
        (Acks::All, 0 | 1) => {
            "Every in-sync replica has the record in its memory; the leader may be the only one. \
             Nothing is promised once one of them loses power with unsynced data."
        }
        (Acks::All, 2) => {
            "At least two replicas have the record in their memory. It survives any number of \
             process crashes and network partitions, and a power loss of one replica at a time."
        }
        (Acks::All, _) => {
            "At least min.insync.replicas replicas have the record in their memory. It survives \
             any number of process crashes and network partitions, and a power loss of all but one \
             of these replicas."
        }
    }
}

/// The effective min ISR is at most the replication factor (`Partition.effectiveMinIsr`).
fn effective_min_isr(setting: Setting, study: &Header) -> u16 {
    setting.min_isr.min(study.replication_factor)
}

/// Whether the faults that the study may inject stay within what the setting promises.
pub(super) fn is_durable(setting: Setting, study: &Header) -> bool {
    setting.acks == Acks::All
        && effective_min_isr(setting, study) >= 2
        && !study.unclean_leader_election
}

/// The adjective for records at stake: `sent` or `acknowledged`.
pub(super) fn at_stake(setting: Setting) -> &'static str {
    match setting.acks {
        Acks::None => "sent",
        Acks::Leader | Acks::All => "acknowledged",
    }
}
