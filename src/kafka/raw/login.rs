//! Gives a client of librdkafka the tokens that it logs in with by OAUTHBEARER.
//!
//! librdkafka would ask for them by a callback; it is given them before it asks, from the thread of [`Tokens`], and only then connects.

use std::ffi::{CString, c_char};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use rdkafka_sys as rd;

use super::{lock, owned, text};
use crate::kafka::security::oauth::{Fed, Token, Tokens};

/// A client that is given tokens until [`end`](Self::end).
pub(super) struct Login {
    tokens: Arc<Tokens>,
    client: Arc<Mutex<Option<Rk>>>,
}

/// A client that lives for as long as it can be reached through the lock.
struct Rk(NonNull<rd::rd_kafka_t>);

// SAFETY: librdkafka's functions may be called from any thread.
unsafe impl Send for Rk {}

impl Login {
    /// Has `rk` given tokens from now on.
    ///
    /// # Safety
    /// `rk` lives until [`end`](Self::end) is called.
    pub(super) unsafe fn begin(rk: NonNull<rd::rd_kafka_t>, tokens: Arc<Tokens>) -> Self {
        let client = Arc::new(Mutex::new(Some(Rk(rk))));
        tokens.feed(Box::new(Feed(client.clone())));
        Self { tokens, client }
    }

    /// Lets go of the client: after this nobody uses it from here.
    pub(super) fn end(&self) {
        if lock(&self.client).take().is_some() {
            self.tokens.left();
        }
    }
}

struct Feed(Arc<Mutex<Option<Rk>>>);

impl Fed for Feed {
    fn give(&self, token: &Token) -> Result<(), String> {
        let client = lock(&self.0);
        let Some(rk) = &*client else { return Ok(()) };
        let nul = |_| "the token, or what is sent with it, has a NUL character".to_owned();
        let value = CString::new(token.text.reveal()).map_err(nul)?;
        let principal = CString::new(token.principal.as_str()).map_err(nul)?;
        let extensions = token.extensions.iter().flat_map(|(name, value)| [name, value]);
        let extensions = extensions.map(|text| CString::new(text.as_str())).collect::<Result<Vec<_>, _>>().map_err(nul)?;
        let mut pointers: Vec<*const c_char> = extensions.iter().map(|text| text.as_ptr()).collect();
        let lasts = token.expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let mut reason = [0 as c_char; 512];
        // SAFETY: the client lives while the lock is held; all texts are copied.
        let set = unsafe {
            rd::rd_kafka_oauthbearer_set_token(
                rk.0.as_ptr(),
                value.as_ptr(),
                i64::try_from(lasts).unwrap_or(i64::MAX / 1000),
                principal.as_ptr(),
                pointers.as_mut_ptr(),
                pointers.len(),
                reason.as_mut_ptr(),
                reason.len(),
            )
        };
        if set as i32 == 0 {
            return Ok(());
        }
        // SAFETY: it ends with a NUL.
        let why = owned(unsafe { text(reason.as_ptr()) });
        // librdkafka repeats a value that it does not take.
        if why.contains("extension values") { Err("the token has a character that no token has".into()) } else { Err(why) }
    }

    fn refuse(&self, why: &str) {
        if let (Some(rk), Ok(why)) = (&*lock(&self.0), CString::new(why)) {
            // SAFETY: the client lives while the lock is held; the text is copied.
            unsafe { rd::rd_kafka_oauthbearer_set_token_failure(rk.0.as_ptr(), why.as_ptr()) };
        }
    }

    fn has_ended(&self) -> bool {
        lock(&self.0).is_none()
    }
}
