//! What a connection may cost: how many there are, and how long each may be idle or slow.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, Sleep, sleep_until};

/// All connections of a worker.
#[derive(Clone, Debug)]
pub(super) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    there: Mutex<(u64, BTreeMap<u64, Arc<Place>>)>,
    /// How many there are, those that were told to go and have not yet included.
    count: watch::Sender<usize>,
}

/// A connection's place among them; it gives it up when it is dropped.
#[derive(Debug)]
pub(super) struct Entered {
    number: u64,
    connections: Connections,
    pub(super) place: Arc<Place>,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Nothing, since then.
    Idle(Instant),
    /// It sends the head of a request, since then.
    Head(Instant),
    /// A request is under way.
    Busy,
}

/// What others see of a connection.
#[derive(Debug)]
pub(super) struct Place {
    phase: Mutex<Phase>,
    left: Notify,
}

impl Connections {
    /// None yet; at most `most` later.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Shared { most, there: Mutex::default(), count: watch::Sender::new(0) }))
    }

    /// Takes in one more. If there are as many as may be, the one without a request for longest has to go; None if all have one.
    pub(super) fn enter(&self) -> Option<Entered> {
        let mut there = self.0.there.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, places) = &mut *there;
        if places.len() >= self.0.most {
            let idle = places.iter().filter_map(|(number, place)| Some((place.waits_since()?, *number)));
            let (_, oldest) = idle.min()?;
            places.remove(&oldest)?.left.notify_one();
            tracing::debug!("a connection that has been idle for longest makes room for another one");
        }
        *next += 1;
        let place = Arc::new(Place { phase: Mutex::new(Phase::Idle(Instant::now())), left: Notify::new() });
        places.insert(*next, place.clone());
        self.0.count.send_modify(|count| *count += 1);
        Some(Entered { number: *next, connections: self.clone(), place })
    }

    /// Waits until there is none.
    pub(super) async fn none(&self) {
        let _ = self.0.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.connections.0.there.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.number);
        self.connections.0.count.send_modify(|count| *count -= 1);
    }
}

impl Place {
    fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// A request has begun.
    pub(super) fn busy(&self) {
        self.set(Phase::Busy);
    }

    /// A request has been answered, or none has come yet.
    pub(super) fn idle(&self) {
        self.set(Phase::Idle(Instant::now()));
    }

    /// Something was received.
    fn heard(&self) {
        if let Phase::Idle(_) = self.phase() {
            self.set(Phase::Head(Instant::now()));
        }
    }

    fn waits_since(&self) -> Option<Instant> {
        match self.phase() {
            Phase::Idle(since) | Phase::Head(since) => Some(since),
            Phase::Busy => None,
        }
    }

    /// Resolves when the connection has to make room for another one.
    pub(super) async fn left(&self) {
        self.left.notified().await;
    }
}

/// A stream that fails when its other side is slow: with the head of a request, or with taking an answer.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    place: Arc<Place>,
    /// How long either may take.
    slow: Duration,
    reading: Option<Pin<Box<Sleep>>>,
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(super) const fn new(stream: S, place: Arc<Place>, slow: Duration) -> Self {
        Self { stream, place, slow, reading: None, writing: None }
    }

    /// What there is of an attempt to write; fails when the other side has taken nothing for too long.
    fn written<T>(&mut self, cx: &mut Context<'_>, tried: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if tried.is_ready() {
            self.writing = None;
            return tried;
        }
        let deadline = Instant::now() + self.slow;
        let sleep = self.writing.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        sleep.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.place.heard();
        }
        if read.is_ready() {
            return read;
        }
        let Phase::Head(since) = this.place.phase() else {
            this.reading = None;
            return Poll::Pending;
        };
        let deadline = since + this.slow;
        let sleep = this.reading.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, tried)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, tried)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.written(cx, tried)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn one_too_many_takes_the_place_of_the_longest_idle() {
        let connections = Connections::new(2);
        let (first, second) = (connections.enter().expect("room"), connections.enter().expect("room"));
        first.place.busy();
        let third = connections.enter().expect("the second one's place");
        second.place.left().await;
        drop(second);
        third.place.busy();
        assert!(connections.enter().is_none(), "all have a request");
        first.place.idle();
        assert!(connections.enter().is_some());
        drop((first, third));
        connections.none().await;
    }

    #[tokio::test]
    async fn heads_and_answers_that_stall_end_the_connection() {
        let slow = Duration::from_millis(400);
        let connections = Connections::new(1);
        let (near, mut far) = duplex(16);
        let entered = connections.enter().expect("room");
        let mut patient = Patient::new(near, entered.place.clone(), slow);
        let mut buffer = [0; 8];
        // Silence is none of its business: nothing was begun.
        let silent = tokio::time::timeout(slow * 2, patient.read(&mut buffer)).await;
        assert!(silent.is_err());
        let began = Instant::now();
        for _ in 0..2 {
            far.write_all(b"G").await.expect("sent");
            assert_eq!(patient.read(&mut buffer).await.expect("read"), 1);
            tokio::time::sleep(slow / 4).await;
        }
        let late = patient.read(&mut buffer).await.expect_err("a head that never ends");
        assert!(late.kind() == io::ErrorKind::TimedOut && began.elapsed() >= slow, "{late}");
        // A request that is under way may take as long as it likes.
        entered.place.busy();
        assert!(tokio::time::timeout(slow * 2, patient.read(&mut buffer)).await.is_err());
        let stuck = patient.write_all(&[0; 64]).await.expect_err("nobody reads");
        assert_eq!(stuck.kind(), io::ErrorKind::TimedOut);
    }
}
