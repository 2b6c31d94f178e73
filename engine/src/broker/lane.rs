//! The lane of each timer, which decides whether the timer is handled while a disk hangs.

use crate::timer::{BrokerTimer, Channel, GroupTimer, ReplicaTimer, Timer, TransactionTimer};
use machine::Lane;

/// The lane on which a timer is handled.
pub(super) fn lane_of(timer: &Timer) -> Lane {
    match timer {
        Timer::Broker(timer) => match timer {
            BrokerTimer::Waiting | BrokerTimer::NextRequest(_) | BrokerTimer::Verified(_) => {
                Lane::Request
            }
            BrokerTimer::Verify(_) => Lane::Background,
            BrokerTimer::Replica(timer) => match timer {
                ReplicaTimer::Fetch(_) => Lane::Replication,
                ReplicaTimer::IsrShrink
                | ReplicaTimer::HighWatermarkCheckpoint
                | ReplicaTimer::RecoveryPointCheckpoint
                | ReplicaTimer::Flush
                | ReplicaTimer::ForgetProducers
                | ReplicaTimer::FlushRolled(_)
                | ReplicaTimer::FlushEpochs(_) => Lane::Background,
                ReplicaTimer::AlterPartition => Lane::Control,
            },
            BrokerTimer::Transaction(timer) => match timer {
                TransactionTimer::Writes => Lane::Request,
                TransactionTimer::Complete(_) | TransactionTimer::Markers => Lane::Control,
                TransactionTimer::Load(_)
                | TransactionTimer::Loaded(..)
                | TransactionTimer::TimedOut
                | TransactionTimer::ExpiredIds => Lane::Background,
            },
            BrokerTimer::Group(timer) => match timer {
                GroupTimer::Load(_) | GroupTimer::Loaded(..) => Lane::Background,
                GroupTimer::Due(_) => Lane::Request,
            },
            // A broker whose disk hangs still sends heartbeats.
            BrokerTimer::Heartbeat
            // If the next input is a message, the broker uses the lane of the message.
            | BrokerTimer::Loopback(_)
            | BrokerTimer::LogDirUnreported(_)
            | BrokerTimer::ToController(Channel::Heartbeat) => Lane::Network,
            BrokerTimer::ToController(
                Channel::Quorum
                | Channel::AlterPartition
                | Channel::Forward
                | Channel::Directories
                | Channel::Markers
                | Channel::Replica
                | Channel::Verification
                | Channel::Producer
                | Channel::Consumer
                | Channel::Admin
                | Channel::Group,
            )
            | BrokerTimer::RegistrationTimeout
            | BrokerTimer::Metadata
            | BrokerTimer::LogDirFailed(_)
            | BrokerTimer::Assignments
            | BrokerTimer::Shutdown => Lane::Control,
        },
        Timer::Requests(channel) => match channel {
            Channel::Heartbeat | Channel::Verification => Lane::Network,
            Channel::Replica => Lane::Replication,
            Channel::Quorum
            | Channel::AlterPartition
            | Channel::Forward
            | Channel::Directories
            | Channel::Markers
            | Channel::Producer
            | Channel::Consumer
            | Channel::Admin
            | Channel::Group => Lane::Control,
        },
        Timer::Quorum(_) | Timer::Controller(_) | Timer::Client(_) | Timer::Application(_) => {
            Lane::Control
        }
    }
}
