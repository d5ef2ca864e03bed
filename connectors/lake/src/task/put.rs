//! Rows are brought to the files of their folders.
//!
//! What a batch's rows are refused for is found before any of them is put. Then cuts that end all files of a partition part the
//! batch, the rows of each part are taken folder by folder, and the tracker learns in offset order which file each is in.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::cast::AsArray as _;
use arrow_array::{BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow_schema::{DataType, FieldRef};
use arrow_select::take::{take, take_record_batch};
use landfall_api::{Batch, Column, RecordError, Refuse, TaskError, TopicPartition};

use super::partition::{Folder, Open, Roll};
use super::{LakeTask, Layout, now_ms};
use crate::columns::{self, Refusals, Shape};
use crate::evolve::{Evolution, Take, project};
use crate::file::{Identity, OpenFile};
use crate::name::File;
use crate::nulls::{self, NullValues};
use crate::partition::Folders;
use crate::roll::{Filled, Fits, Reason, Rows, Step, steps};
use crate::storage::visible_path;

/// A batch as files take it.
struct Prepared {
    folders: Folders,
    /// The rows in each of the schemas that they go to files in.
    forms: Vec<Form>,
    /// The form that each folder's open file takes, or that of a new one.
    form: Vec<usize>,
    /// The form for new files, once the open ones have ended.
    fresh: usize,
    /// Whether the rows fit each folder's open file.
    fits: Vec<Fits>,
}

/// The rows of a batch in one schema.
struct Form {
    field: FieldRef,
    shape: Shape,
    rows: RecordBatch,
}

/// The rows of a part of a batch that go to one folder.
enum Picked {
    /// These, one after the other.
    Run(Range<usize>),
    /// These.
    Rows(UInt32Array),
}

impl Picked {
    fn len(&self) -> usize {
        match self {
            Self::Run(rows) => rows.len(),
            Self::Rows(rows) => rows.len(),
        }
    }

    /// The row of the batch that is the one at `at`.
    fn row(&self, at: usize) -> usize {
        match self {
            Self::Run(rows) => rows.start + at,
            Self::Rows(rows) => rows.value(at) as usize,
        }
    }
}

impl LakeTask {
    pub(super) fn put_batch(&mut self, batch: &Batch, now: Instant, refuse: &mut Refuse<'_>) -> Result<(), TaskError> {
        let too_large = self.too_large(batch);
        if !too_large.is_empty() {
            let (rest, refused) = without(batch, too_large, refuse)?;
            return self.put_batch(&rest, now, refuse).and(refused);
        }
        let (mut batch, mut refused) = self.without_nulls(batch, refuse)?;
        let now_ms = now_ms();
        while !batch.is_empty() {
            match self.prepared(&batch, now_ms) {
                Ok(prepared) => {
                    self.add(&batch, &prepared, now, now_ms);
                    break;
                }
                Err(errors) if errors.is_empty() => return Err(TaskError::Fatal("rows were refused, and none is named".into())),
                Err(errors) => {
                    let (rest, these) = without(&batch, errors, refuse)?;
                    refused = these.and(refused);
                    batch = Cow::Owned(rest);
                }
            }
        }
        self.covered(&batch);
        refused
    }

    /// The records of `batch` that would take too much of the memory.
    fn too_large(&self, batch: &Batch) -> Refusals {
        let most = self.context.memory.largest_record();
        if batch.raw.bytes() <= most {
            return Vec::new();
        }
        let bytes = |row: usize| {
            let at = batch.raw.row_of(batch.offset.value(row));
            let fetched = batch.raw.slice(&(at..at + 1)).bytes();
            if fetched <= most { fetched } else { columns::bytes_of(&batch.value.array.slice(row, 1)) }
        };
        let refused = |(row, bytes): (usize, usize)| {
            let why = format!(
                "the record takes {bytes} bytes, and at most a quarter of landfall.memory.bytes={} is taken: it is in memory several \
                 times on its way",
                self.context.memory.limit()
            );
            (row, RecordError::data(why))
        };
        (0..batch.len()).map(|row| (row, bytes(row))).filter(|(_, bytes)| *bytes > most).map(refused).collect()
    }

    /// What is left of `batch` where `behavior.on.null.values` has done its work; if that is not all before the end, why not.
    fn without_nulls<'b>(
        &self,
        batch: &'b Batch,
        refuse: &mut Refuse<'_>,
    ) -> Result<(Cow<'b, Batch>, Result<(), TaskError>), TaskError> {
        let Some(partition) = self.partitions.get(&batch.origin) else {
            return Err(TaskError::Fatal(format!("{} was put and is not open", batch.origin)));
        };
        let left = |left: Option<Batch>| left.map_or(Cow::Borrowed(batch), Cow::Owned);
        Ok(match self.layout.nulls {
            NullValues::Ignore => (left(nulls::left_out(batch)?), Ok(())),
            NullValues::Write => (Cow::Owned(nulls::written(batch, partition.value.as_ref())), Ok(())),
            NullValues::Fail | NullValues::Report => {
                let rows = nulls::rows(&batch.value);
                match rows.first() {
                    None => (Cow::Borrowed(batch), Ok(())),
                    Some(first) if self.layout.nulls == NullValues::Fail => {
                        let offset = batch.offset.value(*first);
                        (Cow::Owned(batch.before(offset)), Err(nulls::not_writeable(&batch.origin, offset)))
                    }
                    Some(_) => {
                        let (rest, refused) = without(batch, rows.into_iter().map(|row| (row, nulls::reported())), refuse)?;
                        (Cow::Owned(rest), refused)
                    }
                }
            }
        })
    }

    /// The rows of `batch` as files take them; or those that no file can take.
    fn prepared(&mut self, batch: &Batch, now_ms: i64) -> Result<Prepared, Refusals> {
        let all = |error: RecordError| (0..batch.len()).map(|row| (row, error.clone())).collect::<Vec<_>>();
        let folders = self.layout.partitioner.folders(batch, now_ms)?;
        if batch.topic != batch.origin.topic
            && let Some(folder) = folders.names.first()
            && let Err(why) = visible_path(&self.path(batch, folder))
        {
            return Err(all(RecordError::data(format!("no file can be in a folder of topic {:?}: {why}", batch.topic))));
        }
        let (mut fields, mut form, mut fits) = (Vec::<FieldRef>::new(), Vec::new(), Vec::new());
        let columns = &self.layout.columns;
        let Some(partition) = self.partitions.get_mut(&batch.origin) else { return Err(Vec::new()) };
        let rule = self.layout.rule;
        let evolution =
            partition.evolutions.entry(batch.topic.clone()).or_insert_with(|| Evolution::new(rule, partition.value.clone()));
        let mut place = |field: &FieldRef| {
            let known = fields.iter().position(|other| Arc::ptr_eq(other, field) || other == field);
            known.unwrap_or_else(|| {
                fields.push(field.clone());
                fields.len() - 1
            })
        };
        for name in &folders.names {
            let folder = Folder { topic: batch.topic.clone(), name: name.clone() };
            let open = partition.folders.get(&folder).and_then(|file| partition.open.get(file));
            let key_fits = open.is_none_or(|open| columns.takes_key(&open.shape, &columns.shape(batch)));
            let take = match open {
                _ if columns.is_free(&batch.value.field, rule) => Take::In(batch.value.field.clone()),
                open => evolution.take(open.map(|open| &open.field), &batch.value.field).map_err(all)?,
            };
            form.push(place(take.field()));
            fits.push(if key_fits { take.fits(false) } else { Fits::No });
        }
        let fresh = match columns.is_free(&batch.value.field, rule) {
            true => place(&batch.value.field),
            false => place(evolution.take(None, &batch.value.field).map_err(all)?.field()),
        };
        // a new file takes what the open one does not
        form.iter_mut().zip(&fits).filter(|(_, fits)| **fits != Fits::Yes).for_each(|(form, _)| *form = fresh);
        let forms = fields.into_iter().map(|field| self.form(batch, field)).collect::<Result<Vec<_>, _>>()?;
        Ok(Prepared { folders, forms, form, fresh, fits })
    }

    /// What a file of the first row of `batch` in `folder` is called.
    fn path(&self, batch: &Batch, folder: &str) -> String {
        let Layout { names, partitioner, columns, .. } = &self.layout;
        let (first, extension) = (batch.offset.value(0), columns.format.extension());
        let extension = &*extension;
        partitioner.path(names, &File { topic: &batch.topic, folder, origin: &batch.origin, first, suffix: "", extension })
    }

    /// The rows of `batch` for files of values of `field`.
    fn form(&self, batch: &Batch, field: FieldRef) -> Result<Form, Refusals> {
        let all = |error: RecordError| (0..batch.len()).map(|row| (row, error.clone())).collect::<Vec<_>>();
        let projected;
        let batch = if Arc::ptr_eq(&field, &batch.value.field) || field == batch.value.field {
            batch
        } else {
            let value: Column = project(&batch.value, &field)?;
            projected = Batch { value, ..batch.clone() };
            &projected
        };
        let columns = &self.layout.columns;
        let shape = columns.shape(batch);
        let open = self.partitions.get(&batch.origin).and_then(|p| p.open.values().find(|open| open.shape == shape));
        let schema = match open {
            Some(open) => open.file.schema().clone(),
            None => columns.schema(&shape).map_err(all)?,
        };
        let rows = columns.rows(batch, &schema)?;
        Ok(Form { field, shape, rows })
    }

    /// Brings the rows of `batch` to files.
    fn add(&mut self, batch: &Batch, prepared: &Prepared, now: Instant, now_ms: i64) {
        let Some(partition) = self.partitions.get_mut(&batch.origin) else { return };
        let Folders { names, rows, times } = &prepared.folders;
        let folders: Cow<'_, [Arc<str>]> = if batch.topic == batch.origin.topic {
            Cow::Borrowed(names)
        } else {
            names.iter().map(|name| format!("{}/{name}", batch.topic).into()).collect()
        };
        let rows =
            Rows { len: batch.len(), folders: &folders, folder: rows.as_deref(), times: times.as_ref(), fits: &prepared.fits };
        let cuts = match &mut partition.roll {
            Roll::Together(together) => together.cuts(&rows, now_ms),
            Roll::Apart { .. } => Vec::new(),
        };
        let (mut at, mut anew) = (0, false);
        for cut in cuts {
            self.part(batch, prepared, at..cut.row, anew, now);
            self.end_all(&batch.origin, cut.reason);
            (at, anew) = (cut.row, true);
        }
        self.part(batch, prepared, at..batch.len(), anew, now);
    }

    /// Brings the rows of a part of `batch` to the files of their folders, which are all new if `anew`.
    fn part(&mut self, batch: &Batch, prepared: &Prepared, part: Range<usize>, anew: bool, now: Instant) {
        if part.is_empty() {
            return;
        }
        let names = &prepared.folders.names;
        let mut files = vec![0; part.len()];
        match &prepared.folders.rows {
            None => self.fill(batch, prepared, 0, &Picked::Run(part.clone()), anew, (&mut files, part.start), now),
            Some(rows) => {
                let mut of: Vec<Vec<u32>> = vec![Vec::new(); names.len()];
                for (row, folder) in (part.start as u32..).zip(&rows[part.clone()]) {
                    of[*folder as usize].push(row);
                }
                for (folder, rows) in of.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
                    let picked = match (rows[0] as usize, rows.len()) {
                        (first, len) if rows[len - 1] as usize == first + len - 1 => Picked::Run(first..first + len),
                        _ => Picked::Rows(UInt32Array::from(rows)),
                    };
                    self.fill(batch, prepared, folder, &picked, anew, (&mut files, part.start), now);
                }
            }
        }
        let Some(partition) = self.partitions.get_mut(&batch.origin) else { return };
        let mut last = None;
        for (row, file) in part.zip(files) {
            if last != Some(file) {
                partition.tracker.put(batch.offset.value(row), file);
                last = Some(file);
            }
            partition.tracker.advance(batch.offset.value(row) + 1);
        }
        for file in partition.overdue(&self.context.memory) {
            self.end_file(&batch.origin, file, Reason::Span);
        }
    }

    /// Brings picked rows of `batch` to files of one folder, and notes for each the file; `files` begins with the given row.
    #[expect(clippy::too_many_arguments, reason = "all of it is one step of `part`")]
    fn fill(
        &mut self,
        batch: &Batch,
        prepared: &Prepared,
        folder: usize,
        picked: &Picked,
        anew: bool,
        (files, begin): (&mut [u64], usize),
        now: Instant,
    ) {
        let form = &prepared.forms[if anew { prepared.fresh } else { prepared.form[folder] }];
        let rows = match picked {
            Picked::Run(rows) => form.rows.slice(rows.start, rows.len()),
            // the indices are rows of the batch
            Picked::Rows(indices) => take_record_batch(&form.rows, indices).unwrap_or_else(|_| form.rows.slice(0, 0)),
        };
        let key = Folder { topic: batch.topic.clone(), name: prepared.folders.names[folder].clone() };
        let (origin, offset) = (&batch.origin, |at: usize| batch.offset.value(picked.row(at)));
        let rotation = &self.layout.rotation;
        let Some(partition) = self.partitions.get(origin) else { return };
        let open = partition.open_in(&key).and_then(|file| partition.open.get(&file));
        let mut filled = open.map(|open| open.filled).unwrap_or_default();
        let steps = if rotation.apart {
            let times = prepared.folders.times.as_ref().filter(|_| rotation.interval.is_some());
            let times = times.and_then(|times| picked_times(times, picked));
            let fits = anew || prepared.fits[folder] == Fits::Yes;
            steps(rotation, &mut filled, fits, picked.len(), times.as_ref())
        } else {
            vec![Step::Rows(0..picked.len())]
        };
        for step in steps {
            match step {
                Step::Close(reason) => {
                    if let Some(file) = self.partitions.get(origin).and_then(|partition| partition.open_in(&key)) {
                        self.end_file(origin, file, reason);
                    }
                }
                Step::Rows(range) => {
                    let Some(file) = self.open_file(origin, &key, form, offset(range.start), now) else { return };
                    for at in range.clone() {
                        files[picked.row(at) - begin] = file;
                    }
                    let rows = rows.slice(range.start, range.len());
                    let bytes = columns::bytes(&rows);
                    let partition = self.partitions.get_mut(origin);
                    if let Some(open) = partition.and_then(|partition| partition.open.get_mut(&file)) {
                        open.file.add(rows, bytes, offset(range.end - 1), now);
                    }
                }
            }
        }
        if let Some(partition) = self.partitions.get_mut(origin)
            && let Some(open) = partition.open_in(&key).and_then(|file| partition.open.get_mut(&file))
        {
            open.filled = filled;
        }
    }

    /// The file that takes rows of `folder`; one that begins with offset `first`, if there is none.
    fn open_file(&mut self, origin: &TopicPartition, folder: &Folder, form: &Form, first: i64, now: Instant) -> Option<u64> {
        let number = self.number();
        let partition = self.partitions.get_mut(origin)?;
        if let Some(file) = partition.open_in(folder) {
            let most = self.layout.rotation.max_open_files;
            let open = partition.open.get_mut(&file)?;
            if open.shape != form.shape {
                (open.shape, open.field, *open.file.schema_mut()) = (form.shape.clone(), form.field.clone(), form.rows.schema());
            }
            if let Roll::Apart { recency, .. } = &mut partition.roll {
                recency.touch(&file, most);
            }
            return Some(file);
        }
        let layout = &self.layout;
        let (names, partitioner) = (layout.names.clone(), layout.partitioner.clone());
        let (extension, of, at) = (layout.columns.format.extension(), origin.clone(), folder.clone());
        let path = move |suffix: &str| {
            let file = File { topic: &at.topic, folder: &at.name, origin: &of, first, suffix, extension: &extension };
            partitioner.path(&names, &file)
        };
        let identity = Identity {
            origin: origin.clone(),
            topic: self.topics.get(&origin.topic).copied(),
            file: number,
            area: partition.area.clone(),
            incarnation: partition.incarnation,
            group: partition.group,
            path: Arc::new(path),
            schema: form.rows.schema(),
            first,
        };
        let (file, running) = OpenFile::begin(identity, self.shared.clone(), &self.context.runtime, self.reports.clone(), now);
        if let Some((at, _)) = layout.rotation.deadline(file.times()) {
            self.timers.set(&(origin.clone(), number), at);
        }
        let (shape, field) = (form.shape.clone(), form.field.clone());
        partition.begin(number, Open { folder: folder.clone(), shape, field, file, filled: Filled::default() }, running);
        let idle = match &mut partition.roll {
            Roll::Apart { recency, .. } => recency.touch(&number, layout.rotation.max_open_files),
            Roll::Together(_) => None,
        };
        if let Some(idle) = idle {
            self.end_file(origin, idle, Reason::MaxOpenFiles);
        }
        Some(number)
    }

    /// All of a batch is in files, or there was nothing in it.
    fn covered(&mut self, batch: &Batch) {
        if let Some(partition) = self.partitions.get_mut(&batch.origin) {
            partition.tracker.advance(batch.covers.end);
            // Where transforms have dropped every row, the schema is that of before them.
            if !batch.is_empty() && *batch.value.field.data_type() != DataType::Null {
                partition.value = Some(batch.value.field.clone());
            }
        }
    }
}

fn picked_times(times: &Int64Array, picked: &Picked) -> Option<Int64Array> {
    match picked {
        Picked::Run(rows) => Some(times.slice(rows.start, rows.len())),
        Picked::Rows(indices) => take(times, indices, None).ok().map(|times| times.as_primitive().clone()),
    }
}

/// Refuses the rows of `batch` that `errors` names, which are ascending, and gives the others; of them those before the first one
/// that is not tolerated, and its error.
fn without(
    batch: &Batch,
    errors: impl IntoIterator<Item = (usize, RecordError)>,
    refuse: &mut Refuse<'_>,
) -> Result<(Batch, Result<(), TaskError>), TaskError> {
    let mut keep = vec![true; batch.len()];
    let (mut end, mut refused) = (batch.covers.end, Ok(()));
    for (row, error) in errors {
        keep[row] = false;
        refused = refuse(batch.offset.value(row), error);
        if refused.is_err() {
            keep[row..].fill(false);
            end = batch.offset.value(row);
            break;
        }
    }
    let rest = batch.filter(&BooleanArray::from(keep)).map_err(|error| TaskError::Fatal(error.to_string()))?;
    Ok((Batch { covers: batch.covers.start..end, ..rest }, refused))
}
