//! Tokens of Microsoft Entra ID: which credential asks for them, and one cache that renews them long before they expire.
//!
//! `keys` reads `landfall.azure.*`, `environment` what the Azure SDKs read from the environment, `way` has the credentials and their
//! chain, `keeper` the tokens. Who needs a token asks [`Entra`] for one each time, and never keeps it.

mod certificate;
mod environment;
mod error;
mod imds;
mod keeper;
pub(crate) mod keys;
mod way;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use landfall_api::{Faults, Password, Properties};
use tokio::sync::watch;

pub use error::EntraError;
pub(crate) use keeper::runtime;
pub(crate) use keys::CREDENTIAL;
pub use keys::KEYS;

use crate::http::Net;
use keeper::Slot;
use way::{Login, Way};

/// A token, and until when it is good.
#[derive(Clone, Debug)]
pub struct Token {
    /// What is sent after `Bearer`.
    pub secret: Password,
    /// When it ends.
    pub expires: SystemTime,
}

/// A credential of Entra ID with the tokens it has got, one for each scope. Clones share them; so do all that were read from the same
/// settings, so that a thousand connectors with one identity ask for one token.
#[derive(Clone)]
pub struct Entra(Arc<Inner>);

struct Inner {
    way: Arc<Way>,
    slots: Mutex<HashMap<String, watch::Receiver<Slot>>>,
}

/// What lives, to be found by what has the same settings.
static LIVING: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

impl Entra {
    /// What the keys `landfall.azure.*` of `given` say. Does no I/O. None after a fault.
    pub fn read(given: &Properties, faults: &mut Faults) -> Option<Self> {
        keys::read(given, faults).map(Self::of)
    }

    /// Whether `given` says anything of a credential of Entra ID.
    #[must_use]
    pub fn is_given(given: &Properties) -> bool {
        keys::is_given(given)
    }

    /// The application `client` of `tenant` with its secret, at `authority`.
    pub(crate) fn client_secret(authority: String, tenant: String, client: String, secret: Password, net: Net) -> Self {
        Self::of(Way {
            login: Login::Secret { tenant, client, secret },
            authority,
            imds: imds::default_host(),
            app_service: false,
            net,
        })
    }

    fn of(way: Way) -> Self {
        let mut living = LIVING.lock().unwrap_or_else(PoisonError::into_inner);
        living.retain(|other| other.strong_count() > 0);
        if let Some(same) = living.iter().filter_map(Weak::upgrade).find(|other| *other.way == way) {
            return Self(same);
        }
        let new = Arc::new(Inner { way: Arc::new(way), slots: Mutex::default() });
        living.push(Arc::downgrade(&new));
        Self(new)
    }

    /// A token for `scope`, such as `https://storage.azure.com/.default`. The first caller of a scope waits for it; from then on it is
    /// renewed in the background, and again and again if that fails, for as long as this lives.
    ///
    /// # Errors
    /// Entra ID refuses, or did not answer for so long that the last token has ended.
    pub async fn token(&self, scope: &str) -> Result<Token, EntraError> {
        let mut slot = self.slot(scope)?;
        loop {
            match &*slot.borrow_and_update() {
                Slot::Good(token) if token.expires > SystemTime::now() => return Ok(token.clone()),
                Slot::Failed(error) => return Err(error.clone()),
                Slot::Asking | Slot::Good(_) => {}
            }
            if slot.changed().await.is_err() {
                return Err(EntraError::new(&self.describe(), "nobody asks for tokens any more", true));
            }
        }
    }

    /// The same for a thread outside of tokio. It must not be called on a thread of tokio's, which it would block.
    ///
    /// # Errors
    /// As [`Self::token`].
    pub fn token_blocking(&self, scope: &str) -> Result<Token, EntraError> {
        futures::executor::block_on(self.token(scope))
    }

    /// What Azure's clients take.
    #[must_use]
    pub fn credential(&self) -> Arc<dyn TokenCredential> {
        Arc::new(self.clone())
    }

    /// Which credential it is, of which application and tenant: `the client secret of the application "…" in the tenant "…"`.
    #[must_use]
    pub fn describe(&self) -> String {
        self.0.way.describe()
    }

    /// Where the token for `scope` is, or will be.
    fn slot(&self, scope: &str) -> Result<watch::Receiver<Slot>, EntraError> {
        let mut slots = self.0.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(scope) {
            // After a failure the next caller begins anew.
            let over = matches!(&*slot.borrow(), Slot::Failed(_)) || slot.has_changed().is_err();
            if !over {
                return Ok(slot.clone());
            }
        }
        let slot = keeper::start(self.0.way.clone(), scope)?;
        slots.insert(scope.to_owned(), slot.clone());
        Ok(slot)
    }
}

impl fmt::Debug for Entra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entra").field(&self.describe()).finish()
    }
}

#[async_trait::async_trait]
impl TokenCredential for Entra {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let refused = |error: EntraError| {
            let text = error.to_string();
            azure_core::Error::with_error(ErrorKind::Credential, error, text)
        };
        let token = self.token(&scopes.join(" ")).await.map_err(refused)?;
        Ok(AccessToken::new(token.secret.reveal().to_owned(), token.expires.into()))
    }
}

/// How long `token` is still good.
fn remaining(token: &Token) -> Duration {
    token.expires.duration_since(SystemTime::now()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
