//! Keeps one token fresh: it is renewed when half of its life is over, and tried again with growing pauses while the old one is good.

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use tokio::time::sleep;

use super::error::EntraError;
use super::way::Way;
use super::{Token, remaining};

/// The longest time that a request with all its tries may take: less than a caller waits for its own.
const ANSWER: Duration = Duration::from_secs(50);
/// The first and the longest pause after a renewal that failed.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// The shortest time between two tokens.
const LEAST: Duration = Duration::from_secs(1);
/// How often the clock is looked at: a machine that slept has tokens that ended early.
const LOOK: Duration = Duration::from_secs(30);

/// What there is for a scope.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    /// The first token is being asked for.
    Asking,
    /// The newest token; it may have ended, and then the next one is on its way.
    Good(Token),
    /// There is none, and nobody asks any more.
    Failed(EntraError),
}

/// Asks for a token for `scope`, and keeps it fresh until nobody holds what this gives.
pub(super) fn start(way: Arc<Way>, scope: &str) -> Result<watch::Receiver<Slot>, EntraError> {
    let (slot, found) = watch::channel(Slot::Asking);
    let runtime = runtime().map_err(|why| EntraError::new(&way.describe(), why, true))?;
    let scope = scope.to_owned();
    runtime.spawn(async move {
        tokio::select! {
            () = keep(&way, &scope, &slot) => {}
            () = slot.closed() => {}
        }
    });
    Ok(found)
}

async fn keep(way: &Way, scope: &str, slot: &watch::Sender<Slot>) {
    let mut pause = PAUSES.0;
    let mut held: Option<Token> = None;
    loop {
        let answer = tokio::time::timeout(ANSWER, way.token(scope)).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(EntraError::new(&way.describe(), format!("no answer within {} seconds", ANSWER.as_secs()), true))
        });
        match answer {
            Ok(token) if remaining(&token).is_zero() => {
                let why = "the token that it was given has ended already: compare the clock of this machine";
                slot.send_replace(Slot::Failed(EntraError::new(&way.describe(), why, true)));
                return;
            }
            Ok(token) => {
                pause = PAUSES.0;
                let renewal = SystemTime::now() + (remaining(&token) / 2).max(LEAST);
                slot.send_replace(Slot::Good(token.clone()));
                held = Some(token);
                while let Ok(rest) = renewal.duration_since(SystemTime::now()) {
                    sleep(rest.min(LOOK)).await;
                }
            }
            Err(error) => {
                let rest = held.as_ref().map(remaining).unwrap_or_default();
                if rest.is_zero() {
                    slot.send_replace(Slot::Failed(error));
                    return;
                }
                tracing::warn!("no new token for {scope}, the old one is good for {} seconds: {error}", rest.as_secs());
                sleep(pause.min(rest)).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// Where all tokens are asked for: one thread, whoever waits for them, so that no caller that gives up takes the request with it.
pub(crate) fn runtime() -> Result<&'static Handle, String> {
    static RUNTIME: OnceLock<Result<Handle, String>> = OnceLock::new();
    let start = || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new().name("entra".into()).spawn(move || runtime.block_on(std::future::pending::<()>()))?;
        Ok(handle)
    };
    let started = RUNTIME.get_or_init(|| start().map_err(|e: std::io::Error| format!("no thread can be started: {e}")));
    started.as_ref().map_err(Clone::clone)
}
