//! Rows of the permission table about groups of consumers.

use super::permission::{self, Case};
use crate::check::{Finding, Ground, GroupGround};
use crate::evidence::group::{Moved, Processed, Revoked};
use crate::evidence::{Life, NONE, View};
use engine::fact::{CommitKind, MemberRemoval, Positioning, Revocation};
use engine::ids::Offset;

/// The ground of a finding about a group.
fn ground(case: &Case<'_>) -> Option<GroupGround> {
    match case.finding.ground {
        Ground::Group(ground) => Some(ground),
        _ => None,
    }
}

fn life<'a>(case: &Case<'a>, index: usize) -> Option<&'a Life> {
    case.view.members.all().get(index)
}

fn setup<'a>(case: &Case<'a>, of: &Life) -> Option<&'a crate::evidence::setup::GroupSetup> {
    case.view.setup.group_setups.get(&(of.node.cluster, of.group.clone()))
}

/// Excuses a skipped record of a group that commits before it has processed: the member that committed
/// beyond it had not processed it.
pub(super) fn committed_before_processed(case: &Case<'_>) -> Option<String> {
    let GroupGround::CommittedEarly { life: index, commit } = ground(case)? else { return None };
    let life = life(case, index)?;
    let (partition, commit) = (case.finding.partition?, life.commits.get(commit)?);
    if !setup(case, life)?.commits_early {
        return None;
    }
    let (_, offset) = commit.offsets.iter().find(|(of, _)| *of == partition)?;
    let how = match commit.kind {
        CommitKind::Auto => "enable.auto.commit commits what an application has not finished with",
        _ => "an application that commits before it has processed skips what it has not finished",
    };
    let by_then = |it: &&Processed| it.partition == partition && it.moment.at <= commit.asked.at;
    let processed = life.processed.iter().filter(by_then).map(|it| it.to).max();
    let processed = processed.map_or("nothing".to_owned(), |to| format!("up to {to}"));
    Some(format!(
        "{how}, client {} committed {offset} of {} at {} (event {}), had processed {processed} by then, \
         and {}",
        life.node,
        case.partition.name,
        case.view.time(commit.asked.at),
        commit.asked.event,
        end_of(case.view, life, partition, commit.asked.at)
    ))
}

/// How a process ceased to own a partition after a moment.
fn end_of(view: &View, life: &Life, partition: usize, since: u64) -> String {
    let given_up = |it: &&Revoked| it.moment.at >= since && it.partitions.contains(&partition);
    let revoked = life.revoked.iter().find(given_up);
    match (revoked, life.ended) {
        (Some(Revoked { moment, why, .. }), _) => {
            let why = match why {
                Revocation::Rebalance => "gave the partition up in a rebalance",
                Revocation::Leaving => "left the group",
                Revocation::Lost { error: Some(_) } => "was no member any more",
                Revocation::Lost { error: None } => "did not poll within max.poll.interval.ms,",
                Revocation::LostLeaving => "left while the group rebalanced,",
            };
            format!("{why} at {}", view.time(moment.at))
        }
        (None, Some((at, how))) => format!("{how} at {}", view.time(at)),
        (None, None) => "goes on".to_owned(),
    }
}

/// Excuses records that a group skipped because it had no committed offset, or its position was out of
/// range, and `auto.offset.reset=latest` moved it to the end.
pub(super) fn reset_to_latest(case: &Case<'_>) -> Option<String> {
    let (life, moved) = reset(case)?;
    let is_beyond = moved.to > case.finding.offset?;
    (is_beyond && setup(case, life)?.resets_to_latest)
        .then(|| reset_in_words(case, "latest", life, moved))
}

/// Excuses records that a group processed again, or an offset that it committed again, likewise with
/// `auto.offset.reset=earliest`.
pub(super) fn reset_to_earliest(case: &Case<'_>) -> Option<String> {
    let (life, moved) = reset(case)?;
    let is_below = moved.to <= case.finding.offset?;
    (is_below && setup(case, life)?.resets_to_earliest)
        .then(|| reset_in_words(case, "earliest", life, moved))
}

fn reset<'a>(case: &Case<'a>) -> Option<(&'a Life, &'a Moved)> {
    let GroupGround::Moved { life: index, moved: place } = ground(case)? else { return None };
    let life = life(case, index)?;
    let moved = life.moved.get(place)?;
    let is_reset = match moved.why {
        // It has to have been shown that there is none, since its position was moved before.
        Positioning::Start => {
            let mut earlier = life.moved[..place].iter().rev();
            let since = earlier.find(|it| it.partition == moved.partition);
            let since = since.map_or(0, |it| it.moment.event);
            life.shown_between(moved.partition, (since, moved.moment.event)) == Some(None)
        }
        why => why == Positioning::OutOfRange,
    };
    is_reset.then_some((life, moved))
}

fn reset_in_words(case: &Case<'_>, to: &str, life: &Life, moved: &Moved) -> String {
    let end = if to == "latest" { "end" } else { "start" };
    let why = match moved.why {
        Positioning::OutOfRange => "whose position was out of range".to_owned(),
        _ => no_offset(case, life, moved),
    };
    format!(
        "with auto.offset.reset={to} a consumer without a valid offset goes to the {end}, and client \
         {}, {why}, went to {} of {} at {} (event {})",
        life.node,
        moved.to,
        case.partition.name,
        case.view.time(moved.moment.at),
        moved.moment.event
    )
}

/// Why a group had no committed offset when a member asked for it.
fn no_offset(case: &Case<'_>, life: &Life, moved: &Moved) -> String {
    let view = case.view;
    let known = view.groups.named(life.node.cluster, &life.group);
    let records = known.and_then(|it| view.groups.all()[it].offsets.get(&case.partition.name));
    let mut before = records.into_iter().flatten().filter(|it| it.at <= moved.moment.at).rev();
    match before.next() {
        None => format!("whose group {} had committed nothing", life.group),
        Some(record) if record.value.is_none() => {
            format!("the offset of whose group {} expired at {}", life.group, view.time(record.at))
        }
        Some(record) if view.partitions[record.log].batches.get(record.batch).loss != NONE => {
            format!("whose group {} had lost its committed offset", life.group)
        }
        Some(_) => format!("which got no committed offset of its group {}", life.group),
    }
}

/// Excuses records that a group processed again: the member that had processed them ended, or lost the
/// partition, before it had committed them.
pub(super) fn not_committed(case: &Case<'_>) -> Option<String> {
    let GroupGround::NotCommitted { first, second, moved } = ground(case)? else { return None };
    let (one, other) = (life(case, first)?, life(case, second)?);
    let (partition, moved) = (case.finding.partition?, other.moved.get(moved)?);
    let asked = asked_before(other, moved);
    let committed = one.acknowledged(partition, asked);
    if let Some((_, offset)) = committed
        && offset > case.finding.offset.unwrap_or(Offset::MAX)
    {
        return lost_commit(case, one, offset);
    }
    let committed = match committed {
        Some((commit, offset)) => {
            format!("had committed {offset} (event {})", commit.asked.event)
        }
        None => "had committed nothing".to_owned(),
    };
    let processed = one.processed_to(partition, moved.moment.at);
    let processed = processed.map_or("records".to_owned(), |to| format!("up to {to}"));
    // How it lost the partition after it had begun with the record.
    let offset = case.finding.offset?;
    let covers = |it: &&Processed| it.partition == partition && (it.from..it.to).contains(&offset);
    let done = one.processed.iter().find(covers)?;
    let begun = one.moved_before(partition, done.moment.at).map_or(0, |it| it.moment.at);
    Some(format!(
        "a group goes on from what it has committed, client {} had processed {processed} of {}, \
         {committed}, and {}; client {} went on from {} at {} (event {})",
        one.node,
        case.partition.name,
        end_of(case.view, one, partition, begun),
        other.node,
        moved.to,
        case.view.time(moved.moment.at),
        moved.moment.event
    ))
}

/// When a member asked for the offset at which it began.
fn asked_before(life: &Life, moved: &Moved) -> u64 {
    let mut questions = life.questions.iter().rev();
    let its = questions
        .find(|it| it.shown.as_ref().is_some_and(|shown| shown.moment.at <= moved.moment.at));
    its.map_or(moved.moment.at, |it| it.asked.at)
}

/// Excuses records that were processed again by a member that did not know that it had been removed.
pub(super) fn zombie(case: &Case<'_>) -> Option<String> {
    let GroupGround::Zombie { life: index, owner } = ground(case)? else { return None };
    let (zombie, owner) = (life(case, index)?, life(case, owner)?);
    let partition = case.finding.partition?;
    let join = owner
        .joins
        .iter()
        .rev()
        .find(|it| it.partitions.contains(&partition) && it.moment.at <= case.finding.at)?;
    let known = case.view.groups.named(zombie.node.cluster, &zombie.group);
    let removed = known.map(|it| &case.view.groups.all()[it].removed);
    let id = zombie.joins.iter().rev().find(|it| it.moment.at <= join.moment.at)?;
    let removed = removed.into_iter().flatten().find(|it| it.member == id.member);
    let why = match removed.map(|it| &it.why) {
        Some(MemberRemoval::SessionEnded) => "its session had ended",
        Some(MemberRemoval::DidNotRejoin | MemberRemoval::DidNotSync) => {
            "it had not joined again in time"
        }
        Some(MemberRemoval::DidNotRevoke) => "it had not given up partitions in time",
        Some(MemberRemoval::Replaced { .. }) => "another one has its group.instance.id",
        Some(MemberRemoval::Left) => "it had left",
        Some(MemberRemoval::NoRoom) => "its group has as many members as group.max.size allows",
        None => "its group had gone on without it",
    };
    Some(format!(
        "a coordinator fences only requests to itself, {why}, client {} has owned {} since {} (event \
         {}), and client {} went on with what it had been given",
        owner.node,
        case.partition.name,
        case.view.time(join.moment.at),
        join.moment.event,
        zombie.node
    ))
}

/// Excuses results that a store has twice, or a position of a store that went back: the store does not
/// fence, and took what an application wrote after another one, or itself, had claimed the partition anew.
pub(super) fn store_unfenced(case: &Case<'_>) -> Option<String> {
    let GroupGround::Unfenced { commit } = ground(case)? else { return None };
    let partition = case.finding.partition?;
    let mut stores = case.view.stores.iter().filter(|(key, store)| {
        let is_its = store.commits.get(commit).is_some_and(|it| it.partition == partition);
        let setup = case.view.setup.group_setups.get(*key);
        is_its && setup.is_some_and(|it| it.has_unfenced_store)
    });
    let ((_, group), store) = stores.next()?;
    let it = store.commits.get(commit)?;
    let mut claims = store.claims.iter().filter(|claim| claim.partition == partition);
    let claim = claims.find(|claim| claim.epoch == it.epoch + 1)?;
    Some(format!(
        "the store of group {group} does not fence, client {} claimed {} at {} (event {}), and client {} \
         wrote there at {} (event {}) under its earlier claim",
        claim.by,
        case.partition.name,
        case.view.time(claim.moment.at),
        claim.moment.event,
        it.by,
        case.view.time(it.moment.at),
        it.moment.event
    ))
}

/// Excuses a lower committed offset: the member that committed it had begun before a commit of the
/// previous owner was replicated, which was not acknowledged.
pub(super) fn commit_in_flight(case: &Case<'_>) -> Option<String> {
    let GroupGround::InFlight { life: index, moved } = ground(case)? else { return None };
    let life = life(case, index)?;
    let moved = life.moved.get(moved)?;
    let partition = case.finding.partition?;
    let asked = asked_before(life, moved);
    let others = case.view.members.of_group(life.node.cluster, &life.group);
    let mut acknowledged = others.filter_map(|(_, it)| it.acknowledged(partition, asked));
    (!acknowledged.any(|(_, offset)| offset > moved.to)).then(|| {
        format!(
            "an offset counts once its commit is acknowledged, client {} began at {} of {} at {} (event \
             {}), when a later commit was under way",
            life.node,
            moved.to,
            case.partition.name,
            case.view.time(moved.moment.at),
            moved.moment.event
        )
    })
}

/// Excuses a lower committed offset of a request that was overtaken by a later one of the same member.
pub(super) fn commit_overtaken(case: &Case<'_>) -> Option<String> {
    let GroupGround::Late { life: index, commit } = ground(case)? else { return None };
    let life = life(case, index)?;
    let commit = life.commits.get(commit)?;
    Some(format!(
        "a request to commit may arrive after a later one over another connection, client {} sent it at \
         {} (event {})",
        life.node,
        case.view.time(commit.asked.at),
        commit.asked.event
    ))
}

/// What permits that a committed offset was lost, if it was.
fn lost_commit(case: &Case<'_>, life: &Life, offset: Offset) -> Option<String> {
    let view = case.view;
    let known = view.groups.named(life.node.cluster, &life.group)?;
    let records = view.groups.all()[known].offsets.get(&case.partition.name)?;
    let is_lost = |log: usize, batch: u32| view.partitions[log].batches.get(batch).loss != NONE;
    let mut lost = records.iter().rev().filter(|it| is_lost(it.log, it.batch));
    let record = lost.find(|it| it.value == Some(offset))?;
    lost_record(case, record.log, record.batch)
}

/// Excuses a committed offset or a generation that another row permits to be lost from
/// `__consumer_offsets`.
pub(super) fn offset_lost(case: &Case<'_>) -> Option<String> {
    let GroupGround::Gone { log, batch } = ground(case)? else { return None };
    lost_record(case, log, batch)
}

fn lost_record(case: &Case<'_>, log: usize, batch: u32) -> Option<String> {
    let of = &case.view.partitions[log];
    let it = of.batches.get(batch);
    let loss = (it.loss != NONE).then(|| &of.losses[it.loss as usize])?;
    let ground = Ground::Gone { witness: loss.witness.clone(), loss: Some(it.loss) };
    let finding = Finding {
        partition: Some(log),
        offset: Some(it.base),
        record: None,
        at: loss.at,
        ground,
        ..case.finding.clone()
    };
    let because = permission::excuse(case.view, case.end, &finding)?.because;
    Some(format!("{because}, and with it a record of the group in {}", of.name))
}

/// Excuses a member that was moved because records are lost that another row permits to be lost.
pub(super) fn truncated(case: &Case<'_>) -> Option<String> {
    let GroupGround::Moved { life: index, moved } = ground(case)? else { return None };
    let life = life(case, index)?;
    let moved = life.moved.get(moved)?;
    if !matches!(moved.why, Positioning::Truncated | Positioning::OutOfRange) {
        return None;
    }
    let losses = (0..).zip(&case.partition.losses);
    let mut before = losses.filter(|(_, it)| it.at <= moved.moment.at);
    before.find_map(|(number, it)| {
        let ground = Ground::Gone { witness: it.witness.clone(), loss: Some(number) };
        let offset = Some(case.partition.batches.get(it.batch).base);
        let finding = Finding { offset, record: None, at: it.at, ground, ..case.finding.clone() };
        permission::excuse(case.view, case.end, &finding).map(|excuse| {
            format!(
                "{}, and client {} was moved to {} at {}",
                excuse.because,
                life.node,
                moved.to,
                case.view.time(moved.moment.at)
            )
        })
    })
}

/// Excuses results that a pipeline without transactions wrote again: the positions of its members went
/// back, or were never committed, and nothing took back the results of the first time.
pub(super) fn result_again(case: &Case<'_>) -> Option<String> {
    let GroupGround::Results { first, last } = ground(case)? else { return None };
    let (one, other) = (life(case, first)?, life(case, last)?);
    let is_apart = setup(case, one)?.outputs_apart;
    let by = match first == last {
        true => format!("client {} read the input again", one.node),
        false => {
            let (one, other) = (one.node, other.node);
            format!("client {other} read the input again after client {one}")
        }
    };
    is_apart.then(|| {
        format!(
            "a pipeline without transactions writes results apart from the offsets of their inputs, and {by}"
        )
    })
}
