//! Partitions are opened: their pointers are asked for, in the background and many side by side.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow_schema::FieldRef;
use futures::stream::{self, StreamExt};
use landfall_api::{Offset, Opened, Opening, TaskError, TopicPartition};
use tracing::Instrument as _;

use super::partition::{Driven, Partition, Roll};
use super::{Event, LakeTask, OPENINGS, now_ms};
use crate::commit::drive::Place;
use crate::commit::owner::{Claim, End, Owner};
use crate::commit::pointer::{Identity, Pointer, Writer};
use crate::commit::start::Start;
use crate::landed;
use crate::roll::{Alarm, Recency, Together};
use crate::storage::{Area, StorageError};

/// How long the pointers of partitions may take that have just been assigned.
const POINTED: Duration = Duration::from_secs(10);

/// A partition that is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) instance: u64,
    /// What was found; None while it is asked for.
    pub(super) found: Option<Result<Box<Found>, TaskError>>,
    driven: Driven,
}

impl Asked {
    /// Who has been found, and waits for the group before it can be gone on with.
    fn waiting(&mut self) -> Option<&mut Found> {
        self.found.as_mut()?.as_mut().ok().filter(|found| !found.owner.is_idle()).map(|found| &mut **found)
    }
}

/// What was found when a partition was asked for.
#[derive(Debug)]
pub(crate) struct Found {
    owner: Owner,
    area: Area,
    learned: Option<FieldRef>,
}

impl LakeTask {
    fn identity(&self, cluster: Option<&String>) -> Identity {
        let (connector, group) = (self.context.connector.clone(), self.context.group.clone());
        Identity { connector, group, kafka_cluster_id: cluster.cloned().unwrap_or_default() }
    }

    /// Where partitions go on by their pointers, those that have one.
    pub(super) fn pointed(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, TaskError> {
        let ask = async |tp: TopicPartition| {
            let path = Pointer::path(&self.folder(&tp));
            let found = self.place.state.get(&path).await.map_err(retriable)?;
            let pointer = found.and_then(|(content, _)| Pointer::decode(&content).ok());
            // What cannot be gone on with is said when it is opened.
            let same = |pointer: &Pointer| match (pointer.topic_id, self.topics.get(&tp.topic)) {
                (Some(then), Some(now)) => then == *now,
                _ => true,
            };
            let mine = pointer.filter(|pointer| pointer.identity.is(&self.identity(None)) && same(pointer));
            // Files that may wait to be published do not wait for another record: theirs are read again, which opens the partition.
            let waits = |pointer: &Pointer| if pointer.published { None } else { pointer.pending.iter().map(|p| p.first).min() };
            let begin = mine.map(|pointer| waits(&pointer).map_or(pointer.landed.low(), |first| first.min(pointer.landed.low())));
            Ok::<_, TaskError>((tp, begin))
        };
        let all = stream::iter(partitions.iter().cloned()).map(ask).buffer_unordered(OPENINGS).collect::<Vec<_>>();
        let asked = self.context.runtime.block_on(async { tokio::time::timeout(POINTED, all).await });
        let asked = asked.map_err(|_| TaskError::Retriable(format!("{} does not answer", self.place.state.url())))?;
        let found: Vec<_> = asked.into_iter().collect::<Result<_, _>>()?;
        Ok(found.into_iter().filter_map(|(tp, begin)| Some((tp, begin?))).collect())
    }

    /// What is known of a partition, once that is so.
    pub(super) fn opened(&mut self, origin: &TopicPartition, opening: &Opening) -> Result<Option<Opened>, TaskError> {
        match self.asked.get_mut(origin) {
            None => {
                self.ask(origin, opening);
                return Ok(None);
            }
            Some(asked) => {
                if asked.found.is_none() || asked.waiting().is_some() {
                    return Ok(None);
                }
            }
        }
        match self.asked.remove(origin) {
            Some(Asked { instance, found: Some(found), .. }) => Ok(Some(self.taken(origin, instance, *found?, opening))),
            _ => Ok(None),
        }
    }

    /// What the group is to accept before partitions that are asked for are gone on with.
    pub(super) fn confirmations(&mut self) -> BTreeMap<TopicPartition, Offset> {
        self.asked.iter_mut().filter_map(|(tp, asked)| Some((tp.clone(), asked.waiting()?.owner.offset()?))).collect()
    }

    /// The group has accepted `offset` of a partition that is asked for.
    pub(super) fn confirmed(&mut self, origin: &TopicPartition, offset: &Offset) {
        let Some(asked) = self.asked.get_mut(origin) else { return };
        let Some(found) = asked.waiting() else { return };
        found.owner.accepted(offset);
        if found.owner.call().is_none() {
            return;
        }
        let Some(Ok(found)) = asked.found.take() else { return };
        let Found { owner, area, .. } = *found;
        let instance = asked.instance;
        let driven = self.opening(origin, instance, owner, area.partition);
        if let Some(asked) = self.asked.get_mut(origin) {
            asked.driven = driven;
        }
    }

    fn ask(&mut self, origin: &TopicPartition, opening: &Opening) {
        let instance = self.number();
        let opened_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        let writer = Writer {
            worker: self.context.worker.clone(),
            task: self.context.task,
            instance: opened_at ^ instance.rotate_right(16),
            opened_at: now_ms(),
        };
        let start = Start {
            committed: opening.committed.clone(),
            first: opening.first,
            log_start: opening.log_start,
            log_end: opening.log_end,
            topic: self.topics.get(&origin.topic).copied(),
        };
        let identity = self.identity(opening.cluster.as_ref());
        let claim = Claim { name: origin.to_string(), identity, writer, start, rules: self.layout.rules };
        let driven = self.opening(origin, instance, Owner::new(claim), self.folder(origin));
        self.asked.insert(origin.clone(), Asked { instance, found: None, driven });
    }

    /// Has `owner` open its partition, in the background.
    fn opening(&self, origin: &TopicPartition, instance: u64, owner: Owner, folder: String) -> Driven {
        let place = self.place.clone();
        let (checked, permits) = (self.checked.clone(), self.openings.clone());
        let has_schema = self.layout.columns.format.has_schema();
        let (reports, of) = (self.reports.clone(), origin.clone());
        let asking = async move {
            let _permit = permits.acquire().await;
            let checked = checked.get_or_try_init(|| async { place.storage.check().await.map_err(retriable) }).await;
            let opened = match checked {
                Ok(()) => open(&place, owner, folder, has_schema).await.map(Box::new),
                Err(error) => Err(error),
            };
            reports.send(Event::Opened { origin: of, instance, opened });
        };
        Driven(self.context.runtime.spawn(asking.in_current_span()).abort_handle())
    }

    fn taken(&mut self, origin: &TopicPartition, instance: u64, found: Found, opening: &Opening) -> Opened {
        let Found { owner, area, learned } = found;
        let skipped = owner.skipped();
        if skipped > 0 {
            tracing::warn!("{skipped} offsets of {origin} were deleted before they landed, and are left out");
            self.context.metrics.gap_offsets.add(skipped);
        }
        let landed = owner.pointer().map(|pointer| pointer.landed.clone()).unwrap_or_default();
        if landed.low() > opening.first {
            tracing::info!("records of {origin} from offset {} to {} have landed before", opening.first, landed.low() - 1);
        }
        let (rotation, now) = (&self.layout.rotation, now_ms());
        let roll = if rotation.apart {
            Roll::Apart { alarm: Alarm::new(rotation.schedule.clone(), now), recency: Recency::default() }
        } else {
            Roll::Together(Together::new(rotation.clone(), now))
        };
        let memory = &self.context.memory;
        let partition = Partition::new(instance, area, owner, roll, learned.clone(), memory);
        self.partitions.insert(origin.clone(), partition);
        Opened { resume: landed.low(), landed: landed.runs().to_vec(), learned }
    }
}

/// Makes `owner` that of its partition, as far as the group need not be asked.
async fn open(place: &Place, mut owner: Owner, folder: String, has_schema: bool) -> Result<Found, TaskError> {
    place.drive(&mut owner, &folder).await?;
    match owner.end() {
        Some(End::Refused(why)) => return Err(TaskError::Fatal(why.clone())),
        Some(End::Lost) => return Err(TaskError::Retriable(format!("{folder} was opened by another at the same time"))),
        None => {}
    }
    let pointer = owner.pointer();
    let area = Area { partition: folder, epoch: pointer.map_or(0, |pointer| pointer.epoch) };
    if !owner.is_idle() {
        return Ok(Found { owner, area, learned: None });
    }
    if let Err(error) = place.storage.sweep(&area).await {
        tracing::warn!("what was left staged of {} stays: {error}", area.partition);
    }
    let last = pointer.and_then(|pointer| pointer.pending.iter().max_by_key(|pending| pending.last));
    let learned = match last.filter(|_| has_schema) {
        Some(last) => landed::learned(&*place.storage, &last.file.path).await.map_err(retriable)?,
        None => None,
    };
    Ok(Found { owner, area, learned })
}

fn retriable(error: StorageError) -> TaskError {
    match error {
        StorageError::Retriable(e) => TaskError::Retriable(e),
        StorageError::Fatal(e) | StorageError::Taken(e) => TaskError::Fatal(e),
    }
}
