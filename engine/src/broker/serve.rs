//! Passes requests of other nodes to the part that serves them (`KafkaApis.handle`).

use super::context::{Cx, Io};
use super::groups::{Groups, refused_offsets};
use super::internal_topics::find_coordinator;
use super::replicas::Partitions;
use super::requests::{Delayed, Reply, Served};
use super::transactions::Services;
use super::verification::{Verifiable, Verified};
use super::{Broker, Parts, metadata};
use crate::net::Asked;
use crate::protocol::Request;
use machine::Halt;

impl Broker {
    /// Completes requests that have been parked for too long.
    pub(super) fn on_overdue(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        let (parts, mut cx) = self.split(io);
        let replicas = &mut parts.replicas.partitions;
        for conn in cx.requests.expire(cx.io.now.mono, cx.io.out) {
            let Some(parked) = cx.requests.take(conn) else { continue };
            match parked.body {
                Delayed::Produce(_) => replicas.time_out_produce(conn, parked, &mut cx),
                Delayed::Markers(_) => replicas.time_out_markers(conn, parked, &mut cx),
                Delayed::Fetch(_) => replicas.complete_fetch(conn, parked, &mut cx)?,
                // These have no deadline: their channel or coordinator times them out.
                Delayed::Forwarded | Delayed::Coordinator | Delayed::Verification(_) => {
                    cx.requests.put_back(conn, parked);
                }
            }
        }
        Ok(())
    }

    pub(super) fn on_request(&mut self, asked: Asked, io: &mut Io<'_>) -> Result<(), Halt> {
        if !self.context.serving {
            // The ports open when the broker has been unfenced for the first time.
            io.out.close(asked.conn);
            return Ok(());
        }
        match self.requests.receive(asked, io.out) {
            Some(asked) => self.serve(asked, io),
            None => Ok(()),
        }
    }

    /// Asks the coordinator again about the transaction of a produce request.
    pub(super) fn verify_again(&mut self, ticket: u64, io: &mut Io<'_>) {
        let (parts, mut cx) = self.split(io);
        let Some(Verifiable::Produce(request)) = parts.verification.request(ticket) else { return };
        let question = parts.replicas.partitions.begin_verifications(request, &mut cx);
        parts.verification.ask_again(ticket, question, &mut cx);
    }

    /// Serves a produce request whose transaction has been verified.
    pub(super) fn on_verified(&mut self, ticket: u64, io: &mut Io<'_>) -> Result<(), Halt> {
        let (parts, mut cx) = self.split(io);
        let Some(verified) = parts.verification.take(ticket, &mut cx) else { return Ok(()) };
        let Verified { asked, from, request, verdicts } = verified;
        let replicas = &mut parts.replicas.partitions;
        let served = match request {
            Verifiable::Produce(request) => {
                replicas.on_produce(from, &request, &verdicts, &mut cx)?
            }
            Verifiable::Offsets(request, partition) => {
                // Without its client it is carried out all the same.
                let (conn, correlation_id) = asked;
                let (reply, verdict) = (Reply { conn, correlation_id }, verdicts.of(partition));
                let groups = &mut parts.groups;
                groups.commit_in_transaction(reply, &request, verdict, replicas, &mut cx)?
            }
        };
        if let Some((conn, id)) = from {
            cx.requests.finish(conn, id, served, &mut cx.io);
        }
        Ok(())
    }

    pub(super) fn serve(&mut self, asked: Asked, io: &mut Io<'_>) -> Result<(), Halt> {
        let Asked { conn, correlation_id: id, request } = asked;
        let (parts, mut cx) = self.split(io);
        let Parts { replicas, forwards, transactions, groups, .. } = parts;
        let replicas = &mut replicas.partitions;
        let reply = Reply { conn, correlation_id: id };
        let served = match request {
            Request::Produce(request) => match replicas.begin_verifications(&request, &mut cx) {
                Err(_) if request.acks == 0 => Served::Close,
                Err(error) => Served::Response(Request::from(request).refused(error)),
                Ok(Some(question)) if question.verdicts.open().next().is_some() => {
                    let request = Verifiable::Produce(request);
                    parts.verification.ask((conn, id), request, question, &mut cx)
                }
                Ok(question) => {
                    let verdicts = question.map(|it| it.verdicts).unwrap_or_default();
                    replicas.on_produce(Some((conn, id)), &request, &verdicts, &mut cx)?
                }
            },
            Request::WriteTxnMarkers(request) => {
                replicas.on_write_txn_markers(conn, id, &request, groups, &mut cx)?
            }
            Request::DescribeProducers(request) => {
                Served::Response(replicas.on_describe_producers(&request, &cx).into())
            }
            Request::Fetch(request) => replicas.on_fetch(conn, id, request, &mut cx)?,
            Request::ListOffsets(request) => replicas.on_list_offsets(&request, &mut cx)?,
            Request::OffsetForLeaderEpoch(request) => {
                replicas.on_offset_for_leader_epoch(&request, &mut cx)
            }
            Request::Metadata(request) => {
                Served::Response(metadata::respond(&cx.context.image, &request).into())
            }
            Request::InitProducerId(request) => match &request.transactional_id {
                None => Served::Response(forwards.init_producer_id(&request, &mut cx).into()),
                Some(transactional_id) => {
                    let mut services = Services { replicas, ids: forwards };
                    let services = &mut services;
                    transactions.init_producer_id(
                        reply,
                        transactional_id,
                        &request,
                        services,
                        &mut cx,
                    )?
                }
            },
            Request::AddPartitionsToTxn(request) => {
                let mut services = Services { replicas, ids: forwards };
                transactions.add_partitions(reply, request, &mut services, &mut cx)?
            }
            Request::AddOffsetsToTxn(request) => {
                let mut services = Services { replicas, ids: forwards };
                transactions.add_offsets(reply, &request, &mut services, &mut cx)?
            }
            Request::EndTxn(request) => {
                let mut services = Services { replicas, ids: forwards };
                transactions.end_txn(reply, &request, &mut services, &mut cx)?
            }
            Request::DescribeTransactions(request) => {
                Served::Response(transactions.describe(&request, &cx).into())
            }
            Request::ListTransactions(request) => {
                Served::Response(transactions.list(&request, &cx).into())
            }
            request @ (Request::CreateTopics(_) | Request::ElectLeaders(_)) => {
                forwards.forward(conn, id, request, &mut cx)
            }
            Request::ApiVersions(_) => {
                Served::Response(metadata::api_versions(&cx.context.image).into())
            }
            Request::FindCoordinator(request) => {
                let response = find_coordinator(&request, forwards, &mut cx);
                Served::Response(response.into())
            }
            Request::TxnOffsetCommit(request) => {
                let question =
                    groups.partition_of_transaction(&request, &cx).and_then(|of_group| {
                        let question =
                            replicas.begin_verification_of(of_group, &request, &mut cx)?;
                        Ok((of_group, question))
                    });
                match question {
                    Err(error) => Served::Response(refused_offsets(&request, error, &cx).into()),
                    Ok((of_group, Some(question))) => {
                        let request = Verifiable::Offsets(request, of_group);
                        parts.verification.ask((conn, id), request, question, &mut cx)
                    }
                    Ok((_, None)) => groups.commit_in_transaction(
                        reply,
                        &request,
                        Ok(None),
                        replicas,
                        &mut cx,
                    )?,
                }
            }
            request => match serve_groups(groups, replicas, reply, request, &mut cx)? {
                Some(served) => served,
                // Requests for controllers.
                None => Served::Close,
            },
        };
        cx.requests.finish(conn, id, served, &mut cx.io);
        Ok(())
    }
}

/// Requests to the coordinator of a group; `None` for those that are meant for a controller.
fn serve_groups(
    groups: &mut Groups,
    replicas: &mut Partitions,
    reply: Reply,
    request: Request,
    cx: &mut Cx<'_>,
) -> Result<Option<Served>, Halt> {
    Ok(Some(match request {
        Request::JoinGroup(request) => groups.join_group(reply, &request, replicas, cx)?,
        Request::SyncGroup(request) => groups.sync_group(reply, &request, replicas, cx)?,
        Request::Heartbeat(request) => groups.heartbeat(reply, &request, replicas, cx)?,
        Request::LeaveGroup(request) => groups.leave_group(reply, &request, replicas, cx)?,
        Request::OffsetCommit(request) => groups.commit_offsets(reply, &request, replicas, cx)?,
        Request::OffsetFetch(request) => groups.fetch_offsets(reply, &request, replicas, cx)?,
        Request::OffsetDelete(request) => groups.delete_offsets(reply, &request, replicas, cx)?,
        Request::DeleteGroups(request) => groups.delete_group(reply, &request, replicas, cx)?,
        Request::DescribeGroups(request) => {
            Served::Response(groups.describe(&request, replicas, cx).into())
        }
        Request::ListGroups(request) => {
            Served::Response(groups.list(&request, replicas, cx).into())
        }
        Request::ConsumerGroupHeartbeat(request) => {
            groups.consumer_heartbeat(reply, &request, replicas, cx)?
        }
        Request::ConsumerGroupDescribe(request) => {
            Served::Response(groups.describe_consumers(&request, replicas, cx).into())
        }
        // Requests for controllers.
        Request::AlterPartition(_)
        | Request::BrokerRegistration(_)
        | Request::BrokerHeartbeat(_)
        | Request::AssignReplicasToDirs(_)
        | Request::AllocateProducerIds(_)
        | Request::Vote(_)
        | Request::BeginQuorumEpoch(_)
        | Request::EndQuorumEpoch(_)
        // Served above.
        | Request::Produce(_)
        | Request::WriteTxnMarkers(_)
        | Request::DescribeProducers(_)
        | Request::Fetch(_)
        | Request::ListOffsets(_)
        | Request::OffsetForLeaderEpoch(_)
        | Request::Metadata(_)
        | Request::InitProducerId(_)
        | Request::AddPartitionsToTxn(_)
        | Request::AddOffsetsToTxn(_)
        | Request::EndTxn(_)
        | Request::TxnOffsetCommit(_)
        | Request::DescribeTransactions(_)
        | Request::ListTransactions(_)
        | Request::CreateTopics(_)
        | Request::ElectLeaders(_)
        | Request::ApiVersions(_)
        | Request::FindCoordinator(_) => return Ok(None),
    }))
}
