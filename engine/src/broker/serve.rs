//! Passes requests of other nodes to the part that serves them (`KafkaApis.handle`).

use super::context::Io;
use super::requests::{Delayed, Served};
use super::transactions::{Reply, Services, find_coordinator};
use super::verification::Verified;
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
                Delayed::Forwarded | Delayed::Transaction | Delayed::Verification(_) => {
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
        let Some(request) = parts.verification.request(ticket) else { return };
        let question = parts.replicas.partitions.begin_verifications(request, &mut cx);
        parts.verification.ask_again(ticket, question, &mut cx);
    }

    /// Serves a produce request whose transaction has been verified.
    pub(super) fn on_verified(&mut self, ticket: u64, io: &mut Io<'_>) -> Result<(), Halt> {
        let (parts, mut cx) = self.split(io);
        let Some(verified) = parts.verification.take(ticket, &mut cx) else { return Ok(()) };
        let Verified { from, request, verdicts } = verified;
        let replicas = &mut parts.replicas.partitions;
        let served = replicas.on_produce(from, &request, &verdicts, &mut cx)?;
        if let Some((conn, id)) = from {
            cx.requests.finish(conn, id, served, &mut cx.io);
        }
        Ok(())
    }

    pub(super) fn serve(&mut self, asked: Asked, io: &mut Io<'_>) -> Result<(), Halt> {
        let Asked { conn, correlation_id: id, request } = asked;
        let (parts, mut cx) = self.split(io);
        let Parts { replicas, forwards, transactions, .. } = parts;
        let replicas = &mut replicas.partitions;
        let reply = Reply { conn, correlation_id: id };
        let served = match request {
            Request::Produce(request) => match replicas.begin_verifications(&request, &mut cx) {
                Err(_) if request.acks == 0 => Served::Close,
                Err(error) => Served::Response(Request::from(request).refused(error)),
                Ok(Some(question)) if question.verdicts.open().next().is_some() => {
                    parts.verification.ask((conn, id), request, question, &mut cx)
                }
                Ok(question) => {
                    let verdicts = question.map(|it| it.verdicts).unwrap_or_default();
                    replicas.on_produce(Some((conn, id)), &request, &verdicts, &mut cx)?
                }
            },
            Request::WriteTxnMarkers(request) => {
                replicas.on_write_txn_markers(conn, id, &request, &mut cx)?
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
            // Requests for controllers.
            Request::AlterPartition(_)
            | Request::BrokerRegistration(_)
            | Request::BrokerHeartbeat(_)
            | Request::AssignReplicasToDirs(_)
            | Request::AllocateProducerIds(_)
            | Request::Vote(_)
            | Request::BeginQuorumEpoch(_)
            | Request::EndQuorumEpoch(_) => Served::Close,
        };
        cx.requests.finish(conn, id, served, &mut cx.io);
        Ok(())
    }
}
