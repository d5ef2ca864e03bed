//! The memory budget that all tasks of a worker share: who holds how much, and which files let go when it is spent.
//!
//! Files [`register`](Memory::register) and say what they hold; no lock is taken for that. When nearly all is spent, the files that hold
//! most hand over to the store what they can. Those that hold little are left alone, or files would be of many small parts; if there
//! are so many of them that they fill the memory, those that had no row for longest end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

/// A file that holds less has nothing worth to be handed over, in bytes.
const LEAST: usize = 64 << 10;
/// So often it is looked who has to let go, at most, in milliseconds.
const LOOK: u64 = 20;

/// The budget.
pub struct Memory {
    limit: usize,
    /// What files hold.
    held: AtomicUsize,
    /// What is held by others.
    reserved: AtomicUsize,
    /// How many others there are.
    reservations: AtomicUsize,
    files: Mutex<BTreeMap<u64, Weak<File>>>,
    open: AtomicUsize,
    next: AtomicU64,
    began: Instant,
    /// When it was looked last who has to let go, in milliseconds since it began.
    looked: AtomicU64,
}

/// A file that can let go of what it holds. Called by any task's thread; returns at once.
pub trait Holder: Send + Sync {
    /// Closes what it has begun and hands it to the store, and says so by [`Share::handed_over`].
    fn hand_over(&self);

    /// Ends, and says so by [`Share::ends`].
    fn end(&self);
}

/// What one file holds.
struct File {
    memory: Arc<Memory>,
    number: u64,
    /// Those of one group end together.
    group: u64,
    /// What it can hand over.
    gives: AtomicUsize,
    /// What it holds until it is sealed.
    keeps: AtomicUsize,
    /// When it had its last row, in seconds since the budget began.
    last: AtomicU32,
    /// Whether it is letting go.
    leaving: AtomicBool,
    holder: Box<dyn Holder>,
}

impl Memory {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            held: AtomicUsize::new(0),
            reserved: AtomicUsize::new(0),
            reservations: AtomicUsize::new(0),
            files: Mutex::default(),
            open: AtomicUsize::new(0),
            next: AtomicU64::new(0),
            began: Instant::now(),
            looked: AtomicU64::new(0),
        })
    }

    /// The bytes that may be held (`landfall.memory.bytes`).
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The bytes that are held.
    #[must_use]
    pub fn used(&self) -> usize {
        self.held.load(Ordering::Relaxed) + self.reserved.load(Ordering::Relaxed)
    }

    /// The bytes that files may hold: what others leave of the limit, and half of it whatever they hold.
    #[must_use]
    pub fn for_files(&self) -> usize {
        self.limit.saturating_sub(self.reserved.load(Ordering::Relaxed)).max(self.limit / 2)
    }

    /// The largest record that is taken, in bytes: it is in memory several times on its way, as it was fetched, in columns and encoded.
    #[must_use]
    pub fn largest_record(&self) -> usize {
        self.limit / 4
    }

    /// Whether others than files hold more than half of the limit.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.reserved.load(Ordering::Relaxed) > self.limit / 2
    }

    /// The bytes that each one who has [`reserve`](Self::reserve)d may hold then, for all to hold a quarter of the limit.
    #[must_use]
    pub fn reservation(&self) -> usize {
        self.limit / 4 / self.reservations.load(Ordering::Relaxed).max(1)
    }

    /// How many files there are, those that have ended and are not sealed too.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Counts `bytes` of who is no file.
    #[must_use]
    pub fn reserve(self: &Arc<Self>, bytes: usize) -> Reserved {
        self.reserved.fetch_add(bytes, Ordering::Relaxed);
        self.reservations.fetch_add(1, Ordering::Relaxed);
        Reserved { memory: self.clone(), bytes }
    }

    /// A new file. Files of one `group`, of whatever task, end together.
    #[must_use]
    pub fn register(self: &Arc<Self>, group: Option<u64>, holder: Box<dyn Holder>) -> Share {
        let number = self.number();
        let file = Arc::new(File {
            memory: self.clone(),
            number,
            group: group.unwrap_or(number),
            gives: AtomicUsize::new(0),
            keeps: AtomicUsize::new(0),
            last: AtomicU32::new(self.seconds(Instant::now())),
            leaving: AtomicBool::new(false),
            holder,
        });
        self.files().insert(number, Arc::downgrade(&file));
        self.open.fetch_add(1, Ordering::Relaxed);
        Share(file)
    }

    /// A number for a file or a group that nobody else has.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Has files let go if nearly all is spent; whether there is room for more. To be called again and again while there is none.
    pub fn relieve(&self) -> bool {
        let (held, limit) = (self.held.load(Ordering::Relaxed), self.for_files());
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked = self.looked.load(Ordering::Relaxed);
        if held > pressing(limit)
            && now >= looked.saturating_add(LOOK)
            && self.looked.compare_exchange(looked, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            // The last one to let go of a file takes the lock too: it is not held while files are looked at.
            let files: Vec<_> = self.files().values().filter_map(Weak::upgrade).collect();
            let holdings: Vec<_> = files.iter().map(|file| file.holding()).collect();
            let asked = choose(&holdings, held, limit);
            let ends: HashSet<u64> =
                asked.iter().filter(|asked| asked.1 == Ask::End).map(|asked| holdings[asked.0].group).collect();
            files.iter().filter(|file| ends.contains(&file.group)).for_each(|file| file.leaving.store(true, Ordering::Relaxed));
            for (file, ask) in asked {
                files[file].leaving.store(true, Ordering::Relaxed);
                match ask {
                    Ask::HandOver => files[file].holder.hand_over(),
                    Ask::End => files[file].holder.end(),
                }
            }
        }
        self.held.load(Ordering::Relaxed) <= limit
    }

    fn seconds(&self, now: Instant) -> u32 {
        u32::try_from(now.saturating_duration_since(self.began).as_secs()).unwrap_or(u32::MAX)
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<u64, Weak<File>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes in {} files", self.used(), self.limit, self.open())
    }
}

impl File {
    fn holding(&self) -> Holding {
        Holding {
            gives: self.gives.load(Ordering::Relaxed),
            keeps: self.keeps.load(Ordering::Relaxed),
            last: self.last.load(Ordering::Relaxed),
            leaving: self.leaving.load(Ordering::Relaxed),
            group: self.group,
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.memory.held.fetch_sub(*self.keeps.get_mut(), Ordering::Relaxed);
        self.memory.open.fetch_sub(1, Ordering::Relaxed);
        self.memory.files().remove(&self.number);
    }
}

/// A file's place in the budget, until all clones are dropped.
#[derive(Clone)]
pub struct Share(Arc<File>);

impl Share {
    /// Counts `bytes` that the file can hand over.
    #[must_use]
    pub fn take(&self, bytes: usize) -> Taken {
        self.0.gives.fetch_add(bytes, Ordering::Relaxed);
        self.0.memory.held.fetch_add(bytes, Ordering::Relaxed);
        Taken { share: self.clone(), bytes }
    }

    /// The file holds `bytes` besides, until it is sealed.
    pub fn keep(&self, bytes: usize) {
        let before = self.0.keeps.swap(bytes, Ordering::Relaxed);
        self.0.memory.held.fetch_add(bytes.wrapping_sub(before), Ordering::Relaxed);
    }

    /// The file has got rows.
    pub fn touch(&self, now: Instant) {
        self.0.last.store(self.0.memory.seconds(now), Ordering::Relaxed);
    }

    /// The file has handed over what it could.
    pub fn handed_over(&self) {
        self.0.leaving.store(false, Ordering::Relaxed);
    }

    /// The file ends: all that it holds will be gone.
    pub fn ends(&self) {
        self.0.leaving.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.holding())
    }
}

/// Bytes of a file, until this is dropped.
#[derive(Debug)]
pub struct Taken {
    share: Share,
    bytes: usize,
}

impl Taken {
    /// They are `bytes` from now on.
    pub fn set(&mut self, bytes: usize) {
        let change = bytes.wrapping_sub(self.bytes);
        self.share.0.gives.fetch_add(change, Ordering::Relaxed);
        self.share.0.memory.held.fetch_add(change, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Bytes of who is no file, until this is dropped.
#[derive(Debug)]
pub struct Reserved {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Reserved {
    /// They are `bytes` from now on.
    pub fn set(&mut self, bytes: usize) {
        if bytes != self.bytes {
            self.memory.reserved.fetch_add(bytes.wrapping_sub(self.bytes), Ordering::Relaxed);
            self.bytes = bytes;
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.set(0);
        self.memory.reservations.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a file holds, as far as that decides who lets go.
#[derive(Clone, Copy, Debug)]
struct Holding {
    gives: usize,
    keeps: usize,
    last: u32,
    leaving: bool,
    group: u64,
}

/// What a file is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    HandOver,
    End,
}

/// Where files begin to let go, so that nobody waits for it.
fn pressing(limit: usize) -> usize {
    limit - limit / 8
}

/// Who has to let go where all `files` hold `held` bytes of `limit`, until they hold three quarters of it: what is on its way to be
/// let go of counts as gone.
fn choose(files: &[Holding], held: usize, limit: usize) -> Vec<(usize, Ask)> {
    let (press, low) = (pressing(limit), limit / 4 * 3);
    let leaving: usize = files.iter().filter(|file| file.leaving).map(|file| file.gives).sum();
    let mut left = held.saturating_sub(leaving);
    let mut asked = Vec::new();
    if left <= press {
        return asked;
    }
    let mut large: Vec<_> = (0..files.len()).filter(|&file| !files[file].leaving && files[file].gives >= LEAST).collect();
    large.sort_unstable_by_key(|&file| std::cmp::Reverse(files[file].gives));
    for file in large {
        if left <= low {
            break;
        }
        left = left.saturating_sub(files[file].gives);
        asked.push((file, Ask::HandOver));
    }
    if left <= press {
        return asked;
    }
    // All others are small. What is large has been asked to hand over; where that ends too, nothing is lost.
    let mut groups: HashMap<u64, usize> = HashMap::new();
    for file in files.iter().filter(|file| !file.leaving && file.gives < LEAST) {
        *groups.entry(file.group).or_default() += file.gives + file.keeps;
    }
    let mut idle: Vec<_> = (0..files.len()).filter(|&file| !files[file].leaving && files[file].gives < LEAST).collect();
    idle.sort_unstable_by_key(|&file| (files[file].last, std::cmp::Reverse(files[file].gives + files[file].keeps)));
    let mut ended = HashSet::new();
    for file in idle {
        if left <= low {
            break;
        }
        if ended.insert(files[file].group) {
            left = left.saturating_sub(groups.get(&files[file].group).copied().unwrap_or_default());
            asked.push((file, Ask::End));
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1 << 10;

    fn file(kib: usize, last: u32, group: u64) -> Holding {
        Holding { gives: kib * KIB, keeps: 0, last, leaving: false, group }
    }

    /// Files of these KiB each, each a group of its own, the first one idle for longest.
    fn files(kib: impl IntoIterator<Item = usize>) -> Vec<Holding> {
        kib.into_iter().enumerate().map(|(at, kib)| file(kib, at as u32, at as u64)).collect()
    }

    fn chosen(files: &[Holding], limit_kib: usize) -> Vec<(usize, Ask)> {
        let held = files.iter().map(|file| file.gives + file.keeps).sum();
        choose(files, held, limit_kib * KIB)
    }

    #[test]
    fn the_largest_files_hand_over_until_a_quarter_is_free() {
        let files = files([100, 500, 80, 300, 20]);
        assert_eq!(chosen(&files, 1200), [], "1000 of 1050 before it presses");
        assert_eq!(chosen(&files, 1100), [(1, Ask::HandOver)]);
        assert_eq!(chosen(&files, 500), [(1, Ask::HandOver), (3, Ask::HandOver)]);
        assert_eq!(chosen(&files, 200), [(1, Ask::HandOver), (3, Ask::HandOver), (0, Ask::HandOver)]);
    }

    #[test]
    fn what_is_on_its_way_counts_as_gone() {
        let mut files = files([100, 500, 80, 300, 20]);
        files[1].leaving = true;
        assert_eq!(chosen(&files, 1100), []);
        assert_eq!(chosen(&files, 500), [(3, Ask::HandOver)]);
    }

    #[test]
    fn of_many_small_files_those_end_that_were_idle_for_longest() {
        let all = files([10; 100]);
        let asked = chosen(&all, 1000);
        assert_eq!(asked, (0..25).map(|file| (file, Ask::End)).collect::<Vec<_>>());
        let mut some = files([10; 100]);
        some[99] = file(200, 0, 99);
        assert_eq!(chosen(&some, 1200), [(99, Ask::HandOver)], "small files are left alone while a large one can do it");
        some.iter_mut().for_each(|file| file.last = 7);
        some[42].gives = 50 * KIB;
        assert_eq!(
            chosen(&some, 1000)[..2],
            [(99, Ask::HandOver), (42, Ask::End)],
            "of those that were idle as long, the largest"
        );
    }

    #[test]
    fn those_that_end_together_count_together() {
        let mut files = files([10; 100]);
        files.iter_mut().for_each(|file| file.group /= 10);
        assert_eq!(chosen(&files, 1000), [(0, Ask::End), (10, Ask::End), (20, Ask::End)]);
    }

    #[derive(Debug, Default)]
    struct Asked(AtomicUsize, AtomicUsize);

    impl Holder for Arc<Asked> {
        fn hand_over(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn end(&self) {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_file_is_asked_once_until_it_has_let_go() {
        let memory = Memory::new(1000 * KIB);
        let asked = Arc::new(Asked::default());
        let turn = || {
            std::thread::sleep(std::time::Duration::from_millis(LOOK + 1));
            (memory.relieve(), asked.0.load(Ordering::Relaxed))
        };
        let share = memory.register(None, Box::new(asked.clone()));
        let mut taken = share.take(800 * KIB);
        share.keep(10 * KIB);
        assert_eq!((turn(), memory.used()), ((true, 0), 810 * KIB));
        taken.set(1100 * KIB);
        assert_eq!(turn(), (false, 1));
        assert_eq!(turn(), (false, 1));
        taken.set(0);
        share.handed_over();
        assert_eq!((turn(), memory.used()), ((true, 1), 10 * KIB));
        taken.set(900 * KIB);
        assert_eq!(turn(), (true, 2), "before it has to wait");
        drop(taken);
        drop(share);
        assert_eq!((memory.used(), memory.open()), (0, 0));
    }

    #[test]
    fn others_leave_files_half_of_it() {
        let memory = Memory::new(1000);
        let mut queue = memory.reserve(100);
        assert_eq!((memory.for_files(), memory.used(), memory.reservation()), (900, 100, 250));
        queue.set(5000);
        let other = memory.reserve(1);
        assert_eq!((memory.for_files(), memory.used(), memory.reservation()), (500, 5001, 125));
        drop((queue, other));
        assert_eq!((memory.for_files(), memory.used()), (1000, 0));
        assert!(memory.relieve());
    }
}
