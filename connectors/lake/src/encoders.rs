//! The threads that encode, one for each core, whatever the number of tasks and files.
//!
//! A file keeps the thread that it begins with: what its encoder frees is then there for it again, and memory does not wander from
//! thread to thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, mpsc};
use std::thread;

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

struct Encoders {
    jobs: mpsc::Sender<Job>,
    files: AtomicUsize,
}

static ENCODERS: LazyLock<Vec<Encoders>> = LazyLock::new(|| {
    let cores = thread::available_parallelism().map_or(1, Into::into);
    (0..cores).map(start).collect()
});

fn start(number: usize) -> Encoders {
    let (jobs, queue) = mpsc::channel::<Job>();
    let work = move || {
        for job in queue {
            // who waits for the job learns of a panic by the answer that never comes
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    };
    if let Err(error) = thread::Builder::new().name(format!("encode-{number}")).spawn(work) {
        tracing::error!("no thread to encode on: {error}");
    }
    Encoders { jobs, files: AtomicUsize::new(0) }
}

/// The place of a file on one of the threads.
#[derive(Debug)]
pub(crate) struct Place(usize);

impl Place {
    /// A place on the thread that has the fewest files.
    pub(crate) fn take() -> Self {
        let files = |&n: &usize| ENCODERS[n].files.load(Ordering::Relaxed);
        let place = (0..ENCODERS.len()).min_by_key(files).unwrap_or(0);
        ENCODERS[place].files.fetch_add(1, Ordering::Relaxed);
        Self(place)
    }

    /// Runs `job` on the thread, after what was given to it before; None if it panicked.
    pub(crate) async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || {
            let _ = answer.send(job());
        });
        ENCODERS[self.0].jobs.send(job).ok()?;
        answered.await.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        ENCODERS[self.0].files.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_keeps_its_thread_and_survives_a_panic() {
        let place = Place::take();
        let name = || thread::current().name().map(str::to_owned);
        let first = place.run(name).await.expect("an answer");
        assert_eq!(place.run(|| -> u8 { panic!("on purpose") }).await, None);
        assert_eq!(place.run(name).await.expect("an answer"), first);
        assert!(first.expect("a name").starts_with("encode-"));
    }

    #[tokio::test]
    async fn files_are_spread_over_the_threads() {
        let places: Vec<_> = (0..ENCODERS.len() * 3).map(|_| Place::take()).collect();
        let most = (0..ENCODERS.len()).map(|n| places.iter().filter(|p| p.0 == n).count()).max().expect("a thread");
        assert!(most <= 4, "{most} files of {} on one thread", places.len());
    }
}
