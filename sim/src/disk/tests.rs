//! The disk compared with simple models of crashes and power losses.

use super::*;
use crate::SimTime;
use crate::net::Latency;
use proptest::prelude::*;
use tree::Names;

const DIRS: [&str; 2] = ["d0", "d1"];

#[derive(Clone, Debug)]
enum Step {
    Create(usize, u8),
    Append(usize, u8, u8),
    Truncate(usize, u8, u8),
    Sync(usize, u8),
    SyncDir(usize),
    Rename(usize, u8, usize, u8),
    Remove(usize, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let (dir, name) = (0..2usize, 0..4u8);
    prop_oneof![
        3 => (dir.clone(), name.clone()).prop_map(|(d, n)| Step::Create(d, n)),
        6 => (dir.clone(), name.clone(), 1..40u8).prop_map(|(d, n, l)| Step::Append(d, n, l)),
        2 => (dir.clone(), name.clone(), 0..60u8).prop_map(|(d, n, l)| Step::Truncate(d, n, l)),
        2 => (dir.clone(), name.clone()).prop_map(|(d, n)| Step::Sync(d, n)),
        2 => dir.clone().prop_map(Step::SyncDir),
        2 => (dir.clone(), name.clone(), dir.clone(), name.clone())
            .prop_map(|(d, n, e, m)| Step::Rename(d, n, e, m)),
        1 => (dir, name).prop_map(|(d, n)| Step::Remove(d, n)),
    ]
}

fn path(dir: usize, name: u8) -> String {
    format!("{}/{name}", DIRS[dir])
}

/// Applies a step, and returns whether it succeeded. Appended bytes are never zero, and depend on
/// `mark`.
fn apply(disk: &mut SimDisk, step: &Step, mark: usize) -> bool {
    let open = |disk: &mut SimDisk, d: usize, n: u8| disk.open(&path(d, n));
    let done = match step {
        Step::Create(d, n) => disk.create(&path(*d, *n)).map(|_| ()),
        Step::Append(d, n, length) => open(disk, *d, *n).and_then(|file| {
            let bytes = vec![1 + (mark % 250) as u8; usize::from(*length)];
            disk.append(file, bytes.into()).map(|_| ())
        }),
        Step::Truncate(d, n, length) => {
            open(disk, *d, *n).and_then(|file| disk.truncate(file, u64::from(*length)))
        }
        Step::Sync(d, n) => open(disk, *d, *n).and_then(|file| disk.sync(file)),
        Step::SyncDir(d) => disk.sync_dir(DIRS[*d]),
        Step::Rename(d, n, e, m) => disk.rename(&path(*d, *n), &path(*e, *m)),
        Step::Remove(d, n) => disk.remove(&path(*d, *n)),
    };
    done.is_ok()
}

fn new_disk(seed: u64, profile: DiskProfile) -> SimDisk {
    let mut disk = SimDisk::new(seed, NodeId::new(0, 1), profile);
    for dir in DIRS {
        disk.create_dir(dir).expect("the disk is empty");
    }
    disk.sync_dir("").expect("the root is there");
    disk
}

/// The state that a process can see.
fn view(disk: &SimDisk) -> Vec<(String, Inode, Bytes)> {
    let read = |(path, inode): (String, Inode)| {
        let content = disk.tree.file(inode).expect("files are listed").content.clone();
        (path, inode, content.read(0, u64::MAX))
    };
    disk.tree.files(false).into_iter().map(read).collect()
}

fn used(disk: &SimDisk) -> u64 {
    view(disk).iter().map(|(_, _, bytes)| bytes.len() as u64).sum()
}

/// The possible content of a file since its last sync.
#[derive(Clone, Debug, Default)]
struct FileModel {
    synced: Vec<u8>,
    current: Vec<u8>,
    /// Its smallest length since the last sync.
    common: usize,
}

impl FileModel {
    fn allows(&self, left: &[u8]) -> bool {
        let truncated = self.common < self.synced.len();
        let kept = left.iter().zip(&self.current).take_while(|(a, b)| a == b).count();
        let zeros = left[kept..].iter().all(|byte| *byte == 0);
        let prefix = kept >= self.common && zeros && left.len() <= self.current.len();
        prefix || (truncated && left == self.synced)
    }
}

/// Runs steps on a disk and on a model of each file's content.
fn run_with_model(disk: &mut SimDisk, steps: &[Step]) -> BTreeMapOfFiles {
    let mut models = BTreeMapOfFiles::new();
    for (mark, step) in steps.iter().enumerate() {
        let before = match step {
            Step::Append(d, n, _) | Step::Truncate(d, n, _) | Step::Sync(d, n) => {
                disk.tree.find(&path(*d, *n), false)
            }
            _ => None,
        };
        apply(disk, step, mark);
        if let Some(inode) = before {
            let now = disk.tree.file(inode).expect("it is a file").content.read(0, u64::MAX);
            let model = models.entry(inode).or_default();
            model.current = now.to_vec();
            model.common = model.common.min(now.len());
            if matches!(step, Step::Sync(..)) {
                (model.synced, model.common) = (now.to_vec(), now.len());
            }
        }
    }
    models
}

type BTreeMapOfFiles = std::collections::BTreeMap<Inode, FileModel>;

fn timed() -> DiskProfile {
    DiskProfile {
        append: Span(100),
        append_bytes_per_second: 0,
        sync: Latency::constant(Span(1_000)),
        sync_bytes_per_second: 0,
        metadata: Span(30),
        ..DiskProfile::default()
    }
}

proptest! {
    #[test]
    fn a_power_loss_leaves_an_allowed_state_of_each_file(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut disk = new_disk(seed, DiskProfile::instant());
        let models = run_with_model(&mut disk, &steps);
        prop_assert_eq!(disk.used(), used(&disk));
        disk.lose_power(disk.timeline.now);
        let mut seen = Vec::new();
        for (path, inode, left) in view(&disk) {
            prop_assert!(!seen.contains(&inode), "{} has two names", path);
            seen.push(inode);
            let model = models.get(&inode).cloned().unwrap_or_default();
            prop_assert!(model.allows(&left), "{}: {:?} of {:?}", path, &left[..], model);
        }
        prop_assert_eq!(disk.used(), used(&disk));
        // What survived one power loss survives the next.
        let left = view(&disk);
        prop_assert_eq!(disk.lose_power(disk.timeline.now), PowerLossReport::default());
        prop_assert_eq!(view(&disk), left);
    }

    #[test]
    fn a_power_loss_leaves_a_directory_as_it_was_at_some_time_since_its_sync(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut disk = new_disk(seed, DiskProfile::instant());
        let names = |disk: &SimDisk, dir: usize| {
            let inode = disk.tree.find(DIRS[dir], false).expect("it is durable");
            disk.tree.directory(inode).expect("it is a directory").names.clone()
        };
        let mut history = DIRS.map(|_| vec![Names::new()]);
        for (mark, step) in steps.iter().enumerate() {
            let done = apply(&mut disk, step, mark);
            for (dir, history) in history.iter_mut().enumerate() {
                if done && matches!(step, Step::SyncDir(d) if *d == dir) {
                    history.clear();
                }
                history.push(names(&disk, dir));
            }
        }
        disk.lose_power(disk.timeline.now);
        for (dir, history) in history.iter().enumerate() {
            prop_assert!(history.contains(&names(&disk, dir)));
        }
    }

    #[test]
    fn a_rename_between_directories_never_loses_a_durable_file(
        seed in any::<u64>(),
        moves in prop::collection::vec((0..2usize, prop::option::of(0..2usize)), 1..12),
    ) {
        let mut disk = new_disk(seed, DiskProfile::instant());
        apply(&mut disk, &Step::Create(0, 0), 0);
        apply(&mut disk, &Step::SyncDir(0), 0);
        let (mut dir, inode) = (0, disk.tree.find("d0/0", false));
        for (to, sync) in moves {
            prop_assert!(apply(&mut disk, &Step::Rename(dir, 0, to, 0), 0));
            dir = to;
            sync.map(|sync| apply(&mut disk, &Step::SyncDir(sync), 0));
        }
        disk.lose_power(disk.timeline.now);
        let left: Vec<_> = view(&disk).into_iter().map(|(_, inode, _)| inode).collect();
        prop_assert_eq!(left, Vec::from_iter(inode));
    }

    #[test]
    fn a_crash_leaves_the_completed_operations_and_a_part_of_the_write_in_progress(
        steps in prop::collection::vec(step(), 1..30),
        before in prop::collection::vec(step(), 0..20),
        at in 0..8_000u64,
    ) {
        let mut disk = new_disk(1, timed());
        for (mark, step) in before.iter().enumerate() {
            apply(&mut disk, step, mark);
        }
        disk.begin(SimTime::ZERO, 0, 0);
        let mut states = vec![(SimTime::ZERO, view(&disk))];
        for (mark, step) in steps.iter().enumerate() {
            // A removal consists of several operations; this test cannot observe the states between
            // them.
            apply(&mut disk, step, 100 + mark);
            let completed = disk.journal.last().map_or(SimTime::ZERO, |last| last.completes);
            states.push((completed, view(&disk)));
        }
        disk.end();
        let now = SimTime(at);
        disk.crash(Cut { now, before: None });
        let completed = states.iter().rposition(|(done, _)| *done <= now).expect("the first");
        let before = &states[completed].1;
        match states.get(completed + 1) {
            Some((_, after)) if matches!(steps[completed], Step::Append(..)) => {
                for ((left, before), after) in view(&disk).iter().zip(before).zip(after) {
                    prop_assert_eq!(&left.0, &before.0);
                    prop_assert!(left.2.starts_with(&before.2) && after.2.starts_with(&left.2));
                }
            }
            _ => prop_assert_eq!(&view(&disk), before),
        }
        prop_assert_eq!(disk.used(), used(&disk));
        for (_, inode, _) in view(&disk) {
            prop_assert!(disk.len(FileId(inode)).is_ok(), "it can be used again");
        }
    }

    #[test]
    fn a_sync_that_had_not_completed_makes_nothing_durable(
        seed in any::<u64>(),
        before in prop::collection::vec(step(), 0..20),
        steps in prop::collection::vec(step(), 1..20),
    ) {
        let mut disk = new_disk(seed, timed());
        for (mark, step) in before.iter().enumerate() {
            apply(&mut disk, step, mark);
        }
        let (names, pending) = (disk.durable_files(), disk.tree.pending().count());
        let durable = |disk: &SimDisk| {
            let content = |path: &String| disk.durable_file_at(path).map(|file| file.durable());
            disk.durable_files().iter().map(content).collect::<Vec<_>>()
        };
        let content = durable(&disk);
        disk.begin(SimTime(1), 0, 0);
        for (mark, step) in steps.iter().enumerate() {
            apply(&mut disk, step, 100 + mark);
        }
        disk.end();
        disk.crash(Cut { now: SimTime::ZERO, before: None });
        prop_assert_eq!(disk.durable_files(), names);
        prop_assert_eq!(durable(&disk), content);
        prop_assert_eq!(disk.tree.pending().count(), pending);
    }

    #[test]
    fn a_crash_treats_lanes_separately(
        appends in prop::collection::vec((0..2u8, 1..9u8), 1..30),
        at in 0..3_000u64,
    ) {
        let mut disk = new_disk(1, timed());
        let files = ["d0/0", "d0/1"].map(|path| disk.create(path).expect("it is new"));
        let (mut expected, mut torn) = ([0i64, 0], [0, 0]);
        let now = SimTime(at);
        for (lane, length) in appends {
            // Both lanes begin at zero, again and again: their operations interleave.
            disk.begin(SimTime(u64::from(length) * 200), lane, 0);
            let file = files[usize::from(lane)];
            disk.append(file, vec![1; usize::from(length)].into()).expect("it fits");
            let done = disk.end().completes;
            let kept = &mut expected[usize::from(lane)];
            // Once one is lost, later ones on the same file are lost with it.
            if done <= now && *kept >= 0 {
                *kept += i64::from(length);
            } else if *kept >= 0 {
                *kept = -1 - *kept;
                let begun = u64::from(length) * 200 <= at;
                torn[usize::from(lane)] = if begun { u64::from(length) } else { 0 };
            }
        }
        disk.crash(Cut { now, before: None });
        for (lane, file) in files.into_iter().enumerate() {
            let left = disk.len(file).expect("it is there");
            let kept = expected[lane];
            let kept = if kept < 0 { -1 - kept } else { kept } as u64;
            prop_assert!((kept..kept + torn[lane].max(1)).contains(&left), "{left} of {kept}");
        }
    }
}

#[test]
fn the_slots_of_removed_files_are_reused_and_their_ids_are_not() {
    let mut disk = new_disk(1, DiskProfile::instant());
    let mut ids = Vec::new();
    for _ in 0..1_000 {
        ids.push(disk.create("d0/0").expect("the name is free"));
        disk.remove("d0/0").expect("it is there");
        disk.sync_dir("d0").expect("it is there");
    }
    assert_eq!(disk.len(ids[0]), Err(DiskError::NotFound));
    assert!(disk.tree.inodes().len() < 200);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 1_000);
}

#[test]
fn errors_are_those_of_posix() {
    let mut disk = new_disk(1, DiskProfile::instant());
    let file = disk.create("d0/0").expect("the name is free");
    assert_eq!(disk.create("d0/0"), Err(DiskError::AlreadyExists));
    assert_eq!(disk.create("nowhere/0"), Err(DiskError::NotFound));
    assert_eq!(disk.open("d0/1"), Err(DiskError::NotFound));
    assert_eq!(disk.open("d0"), Err(DiskError::NotFound), "a directory is no file");
    assert_eq!(disk.create_dir("d0/0"), Err(DiskError::AlreadyExists));
    assert_eq!(disk.rename("d0/0", "d1"), Err(DiskError::AlreadyExists));
    disk.rename("d0", "moved").expect("directories can be renamed");
    assert_eq!(disk.append(file, Bytes::from_static(b"x")), Ok(0), "the file stays open");
    assert_eq!(disk.list("moved"), Ok(vec!["0".to_owned()]));
    disk.remove("moved").expect("it is there");
    assert_eq!(disk.len(file), Err(DiskError::NotFound));
    assert_eq!(disk.list(""), Ok(vec!["d1".to_owned()]));
    assert_eq!(disk.used(), 0);
}

#[test]
fn a_write_in_progress_at_a_crash_is_there_in_part() {
    let lengths: Vec<u64> = (0..64)
        .map(|seed| {
            let mut disk = new_disk(seed, timed());
            let file = disk.create("d0/0").expect("the name is free");
            disk.append(file, Bytes::from_static(b"before")).expect("it fits");
            disk.begin(SimTime::ZERO, 0, 0);
            disk.append(file, vec![1; 100].into()).expect("it fits");
            disk.append(file, vec![2; 100].into()).expect("it fits");
            let done = disk.end().completes;
            disk.crash(Cut { now: SimTime(done.0 / 2 - 1), before: None });
            let left = disk.read(file, 0, 999).expect("it is there");
            assert!(left.starts_with(b"before") && left[6..].iter().all(|byte| *byte == 1));
            disk.len(file).expect("it is there")
        })
        .collect();
    assert!(lengths.contains(&6), "no byte of the write is left");
    assert!(lengths.iter().any(|length| (7..106).contains(length)), "a part of the write is left");
}

#[test]
fn an_operation_that_builds_on_an_undone_one_is_undone() {
    let mut disk = new_disk(1, timed());
    let file = disk.create("d0/0").expect("the name is free");
    disk.append(file, Bytes::from_static(b"abcdef")).expect("it fits");
    disk.begin(SimTime::ZERO, 0, 0);
    disk.sync(file).expect("it is there");
    disk.truncate(file, 3).expect("it is there");
    assert_eq!(disk.end().completes, SimTime(1_030));
    disk.begin(SimTime::ZERO, 1, 0);
    disk.append(file, Bytes::from_static(b"X")).expect("it fits");
    assert_eq!(disk.end().completes, SimTime(100), "another lane is done before");
    disk.crash(Cut { now: SimTime(500), before: None });
    assert_eq!(disk.read(file, 0, 99), Ok(Bytes::from_static(b"abcdef")));
}

#[test]
fn undoing_a_sync_of_a_directory_needs_only_the_changes_that_it_settled() {
    let mut disk = new_disk(1, timed());
    for name in 0..200 {
        disk.create(&path(0, name)).expect("it is new");
    }
    disk.begin(SimTime(1), 0, 0);
    disk.create(&path(1, 0)).expect("it is new");
    disk.sync_dir(DIRS[1]).expect("it is there");
    let held = |operation: &Operation| match &operation.undo {
        Undo::SyncDir { settled, .. } => Some((settled.changes.len(), settled.before.len())),
        _ => None,
    };
    assert_eq!(disk.journal.iter().filter_map(held).collect::<Vec<_>>(), [(1, 1)]);
}
