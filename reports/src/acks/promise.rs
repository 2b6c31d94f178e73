//! What a setting promises, in words. From Kafka's documentation of `acks`,
//! `min.insync.replicas` and `unclean.leader.election.enable`, KIP-679 and KIP-966.

use super::confirm::{Acks, Setting};
use super::study::Header;

/// What is promised of a record that the producer takes for written, as the study is configured.
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
            " What the producer sends again may be stored twice, or behind what it sent later.",
        );
    }
    if study.unclean_leader_election && replicas > 1 {
        text.push_str(
            " But unclean leader election is on: once no replica in sync is alive, one that is \
             not may lead without the record, and nothing is promised.",
        );
    }
    if let Some(messages) = study.flush_messages {
        text.push_str(&match messages {
            1 => " A replica syncs each append before it answers (flush.messages=1), so that what \
                  it has is not lost with its power."
                .to_owned(),
            _ => format!(" A replica syncs once {messages} records are unsynced."),
        });
    }
    text
}

/// The same where nothing else is set.
fn of_setting(acks: Acks, min_isr: u16) -> &'static str {
    match (acks, min_isr) {
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

/// The partition asks for no more replicas in sync than it has (`Partition.effectiveMinIsr`).
fn effective_min_isr(setting: Setting, study: &Header) -> u16 {
    setting.min_isr.min(study.replication_factor)
}

/// Whether the fault budget of the study stays inside what the setting promises.
pub(super) fn is_durable(setting: Setting, study: &Header) -> bool {
    setting.acks == Acks::All
        && effective_min_isr(setting, study) >= 2
        && !study.unclean_leader_election
}

/// What the records that count are for their producer, as an adjective.
pub(super) fn at_stake(setting: Setting) -> &'static str {
    match setting.acks {
        Acks::None => "sent",
        Acks::Leader | Acks::All => "acknowledged",
    }
}
